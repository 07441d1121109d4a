// The metadata that a modern message carries in `_meta`: the names, and adding or removing them in a message's bytes.

import { type Edit, type Envelope, spanValue } from "../core/envelope.ts";
import { encodeJson, encodeText, isRecord, joinBytes } from "../core/text.ts";
import { type Change, changeEdits, type Entry, entry, objectOf } from "./fields.ts";

/** Revisions of the modern era, newest first. */
export const modernVersions = ["2026-07-28"] as const;

/** Keys of `_meta` that 2026-07-28 reserves (Base Protocol, "`_meta`"). */
export const metaKeys = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
} as const;

/** Those of a request. */
export const requestKeys: readonly string[] = [
  metaKeys.protocolVersion,
  metaKeys.clientInfo,
  metaKeys.clientCapabilities,
  metaKeys.logLevel,
];

/** Who asks, and in which words; `clientInfo` and `capabilities` are JSON objects. */
export interface RequestMeta {
  readonly version: string;
  readonly clientInfo: Readonly<Record<string, unknown>> | undefined;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly logLevel?: string | undefined;
}

/** The members of a request's `_meta`, encoded once for every request of the same client. */
export function requestMeta({ version, clientInfo, capabilities, logLevel }: RequestMeta): readonly Entry[] {
  return [
    entry(metaKeys.protocolVersion, version),
    ...(clientInfo ? [entry(metaKeys.clientInfo, clientInfo)] : []),
    entry(metaKeys.clientCapabilities, capabilities),
    ...(logLevel === undefined ? [] : [entry(metaKeys.logLevel, logLevel)]),
  ];
}

/** The `_meta` of a message's params as a value; undefined where it has none, or one that is no object. */
export function readMeta(message: Envelope): Readonly<Record<string, unknown>> | undefined {
  const meta = message.spans["params._meta"] && spanValue(message, "params._meta");
  return isRecord(meta) ? meta : undefined;
}

/** Edits that change the params of a request or notification; params are made where there are none. */
export function paramsEdits(message: Envelope, change: Change): readonly Edit[] {
  const { params, method } = message.spans;
  if (params) return changeEdits(message.bytes, params, change);
  const set = [...(change.set ?? []), ...metaOf(change)];
  if (set.length === 0 || !method) return [];
  const at = { start: method.end, end: method.end };
  return [{ span: at, bytes: joinBytes([encodeText(',"params":'), objectOf(set)]) }];
}

function metaOf({ meta }: Change): readonly Entry[] {
  return meta?.set && meta.set.length > 0 ? [["_meta", objectOf(meta.set)]] : [];
}

/** Edits that give a request the metadata of {@link requestMeta}, in the place of any that it has; other keys stay. */
export function requestMetaEdits(request: Envelope, meta: readonly Entry[]): readonly Edit[] {
  return paramsEdits(request, { meta: { drop: requestKeys, set: meta } });
}

/** A modern request of the gateway's own. `params` are JSON without `_meta`. */
export function modernRequestMessage(
  id: number | string,
  method: string,
  meta: readonly Entry[],
  params: Readonly<Record<string, unknown>> = {},
): Uint8Array {
  const members: Entry[] = Object.entries(params).map(([name, value]) => entry(name, value));
  const body: Entry[] = [
    entry("jsonrpc", "2.0"),
    entry("id", id),
    ["method", encodeJson(method)],
    ["params", objectOf([...members, ["_meta", objectOf(meta)]])],
  ];
  return objectOf(body);
}
