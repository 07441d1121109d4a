// server/discover: its result, read and written, and what the answer to a probe says of a server's era.

import { type Envelope, spanValue } from "../core/envelope.ts";
import { asRecord, encodeJson, isRecord } from "../core/text.ts";
import type { ServerFacts } from "./codec.ts";
import { legacyCodec } from "./legacy.ts";
import { cacheOf, type CacheHint } from "./modern-cache.ts";
import { modernCodes } from "./modern-codes.ts";
import { metaKeys, modernVersions } from "./modern-meta.ts";

/** What a server says in answer to server/discover. */
export interface Discovered {
  /** `protocolVersion` is the newest modern revision that both sides speak. */
  readonly facts: ServerFacts;
  /** Every revision that the server offers, legacy ones too. */
  readonly supported: readonly string[];
  readonly cache: CacheHint;
}

/** Reads a discover result; undefined where it is none, or names no modern revision that is spoken here. */
export function readDiscovered(result: unknown): Discovered | undefined {
  const supported = supportedIn(result, "supportedVersions");
  const version = supported && newestShared(supported);
  if (!isRecord(result) || !supported || version === undefined || !isRecord(result["capabilities"])) return undefined;
  const { instructions } = result;
  // Servers of drafts put serverInfo beside the capabilities.
  const info = asRecord(result["_meta"])[metaKeys.serverInfo] ?? result["serverInfo"];
  return {
    facts: {
      protocolVersion: version,
      capabilities: result["capabilities"],
      serverInfo: asRecord(info),
      instructions: typeof instructions === "string" ? instructions : undefined,
    },
    supported,
    cache: cacheOf(result),
  };
}

/** What the gateway, or one backend, says of itself. */
export interface DiscoverFacts {
  /** Newest first. */
  readonly supported: readonly string[];
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly serverInfo: Readonly<Record<string, unknown>>;
  readonly instructions: string | undefined;
  readonly cache: CacheHint;
}

/** The `result` of server/discover. */
export function discoverResult(facts: DiscoverFacts): Uint8Array {
  const { supported, capabilities, serverInfo, instructions, cache } = facts;
  return encodeJson({
    resultType: "complete",
    supportedVersions: supported,
    capabilities,
    ...(instructions === undefined ? {} : { instructions }),
    ...cache,
    _meta: { [metaKeys.serverInfo]: serverInfo },
  });
}

const offered: ReadonlySet<string> = new Set([...modernVersions, ...legacyCodec.versions]);

/** What came of a probe: one server/discover with the newest modern revision. */
export type ProbeOutcome =
  | { readonly kind: "reply"; readonly reply: Envelope; readonly status: number | undefined }
  /** An HTTP answer whose body is no JSON-RPC message. */
  | { readonly kind: "status"; readonly status: number }
  /** Nothing in time. */
  | { readonly kind: "silent" }
  /** The child exited, or the connection closed, before there was an answer. */
  | { readonly kind: "closed" };

export type ProbeVerdict =
  | { readonly kind: "modern"; readonly discovered: Discovered }
  /** Modern, and to be asked again with this revision: once, also where that is the one that was refused. */
  | { readonly kind: "again"; readonly version: string }
  | { readonly kind: "legacy" }
  /** Modern, but there is no revision that both speak. */
  | { readonly kind: "disjoint"; readonly supported: readonly string[] }
  /** Modern, but the probe itself was refused. */
  | { readonly kind: "refused"; readonly code: number; readonly message: string }
  /** Says nothing of the era: authorization, a broken server, a network that drops. */
  | { readonly kind: "unknown" };

/** Other codes by which a modern server is recognized (2026-07-28, Streamable HTTP, "Backward Compatibility"). */
const refusals: ReadonlySet<unknown> = new Set([modernCodes.headerMismatch, modernCodes.missingCapability]);

/**
 * What a probe says of the server (2026-07-28, stdio and Streamable HTTP, "Backward Compatibility").
 */
export function judgeProbe(outcome: ProbeOutcome, transport: "http" | "stdio"): ProbeVerdict {
  switch (outcome.kind) {
    case "silent":
    case "closed":
      // A legacy child may ignore what comes before initialize, or exit; a server in the network that does is down.
      return { kind: transport === "stdio" ? "legacy" : "unknown" };
    case "status":
      return { kind: saysNothing(outcome.status) ? "unknown" : "legacy" };
    case "reply":
      if (outcome.status !== undefined && saysNothing(outcome.status)) return { kind: "unknown" };
      return judgeReply(outcome.reply);
  }
}

/** Authorization, overload and failures come from whatever stands in front of the server. */
function saysNothing(status: number): boolean {
  return status === 401 || status === 403 || status === 407 || status === 408 || status === 429 || status >= 500;
}

function judgeReply(reply: Envelope): ProbeVerdict {
  if (reply.spans.result) {
    const result = spanValue(reply, "result");
    const discovered = readDiscovered(result);
    return discovered ? { kind: "modern", discovered } : judgeUnshared(supportedIn(result, "supportedVersions"));
  }
  const { code, message, data } = asRecord(spanValue(reply, "error"));
  if (code === modernCodes.unsupportedVersion) {
    const supported = supportedIn(data, "supported");
    const version = supported && newestShared(supported);
    return version === undefined ? judgeUnshared(supported) : { kind: "again", version };
  }
  if (typeof code === "number" && refusals.has(code)) {
    return { kind: "refused", code, message: typeof message === "string" ? message : "" };
  }
  return { kind: "legacy" };
}

/** A server that offers no modern revision that is spoken here, or nothing that can be read. */
function judgeUnshared(supported: readonly string[] | undefined): ProbeVerdict {
  // A dual-era server is served as legacy, and so is one whose discover result is none.
  const isDisjoint = supported && !supported.some((each) => offered.has(each));
  return isDisjoint === true ? { kind: "disjoint", supported } : { kind: "legacy" };
}

function newestShared(supported: readonly string[]): string | undefined {
  return modernVersions.find((version) => supported.includes(version));
}

function supportedIn(value: unknown, name: string): readonly string[] | undefined {
  const list = asRecord(value)[name];
  return Array.isArray(list) && list.length > 0 && list.every((each) => typeof each === "string") ? list : undefined;
}
