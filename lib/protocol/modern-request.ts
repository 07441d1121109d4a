// A request at the front that claims to be modern: what it says, or what is wrong with it.

import { type Envelope, spanBytes, spanText } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { asRecord, encodeText, isRecord } from "../core/text.ts";
import { legacyCodec, logLevels } from "./legacy.ts";
import { brief, checkHeaders, headerMismatch, headerNames, type HeaderReader, nameSource } from "./modern-headers.ts";
import { metaKeys, modernVersions, readMeta } from "./modern-meta.ts";

/** Every revision that the front speaks, newest first; what discover and a refused version name. */
export const offeredVersions: readonly string[] = [...modernVersions, ...legacyCodec.versions];

/** What a modern request says of itself. */
export interface ModernRequest {
  readonly method: string;
  readonly version: string;
  readonly clientInfo: Readonly<Record<string, unknown>> | undefined;
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** The least severe log level that the client wants to hear on this request; none at all where it is absent. */
  readonly logLevel: string | undefined;
  /** Raw bytes of the token: a view of the request. */
  readonly progressToken: Uint8Array | undefined;
  /** The value that `Mcp-Name` repeats, where the method has one. */
  readonly name: string | undefined;
}

export type ModernVerdict =
  | { readonly kind: "modern"; readonly request: ModernRequest }
  | { readonly kind: "refused"; readonly error: GatewayError };

/**
 * Whether a message is to be judged by {@link judgeModern}: its body names a version, whatever the headers say, or its
 * headers name a modern one. `version` is the MCP-Protocol-Version header; undefined on stdio.
 */
export function claimsModern(message: Envelope, version: string | undefined): boolean {
  const claimed = mentionsVersion(message) ? readMeta(message)?.[metaKeys.protocolVersion] : undefined;
  // initialize opens a legacy session, unless the request itself says otherwise.
  if (message.method === "initialize") return isModern(claimed);
  return claimed !== undefined || isModern(version?.trim());
}

const versionKey = encodeText(metaKeys.protocolVersion.slice(-"protocolVersion".length));

/** A search is cheaper than a parse: most legacy messages name none. */
function mentionsVersion({ bytes, spans }: Envelope): boolean {
  const span = spans["params._meta"];
  if (!span) return false;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + span.start, span.end - span.start);
  // A name with escapes is still found by its parse.
  return text.includes(versionKey) || text.includes("\\u");
}

function isModern(version: unknown): boolean {
  return modernVersions.some((modern) => modern === version);
}

/** Reads a request that {@link claimsModern}; `header` is undefined on stdio, where the body says everything. */
export function judgeModern(message: Envelope, header: HeaderReader | undefined): ModernVerdict {
  const request = readRequest(message);
  if (request instanceof GatewayError) return { kind: "refused", error: request };
  // Before the version itself: a header and a body that differ must not be judged by either.
  const { version, method, name } = request;
  const claimed = header?.(headerNames.version)?.trim();
  if (header && claimed !== undefined && claimed !== version) {
    const text = `header MCP-Protocol-Version says ${brief(claimed)} and the body says ${brief(version)}`;
    return { kind: "refused", error: headerMismatch("MCP-Protocol-Version", text) };
  }
  if (!isModern(version)) return { kind: "refused", error: notOffered(version) };
  const mismatch = header && checkHeaders(header, version, method, name);
  return mismatch ? { kind: "refused", error: mismatch } : { kind: "modern", request };
}

function readRequest(message: Envelope): ModernRequest | GatewayError {
  const meta = readMeta(message);
  if (!meta) return metaInvalid("the request has no object in params._meta", "_meta");
  const version = meta[metaKeys.protocolVersion];
  const capabilities = meta[metaKeys.clientCapabilities];
  const clientInfo = meta[metaKeys.clientInfo];
  const logLevel = meta[metaKeys.logLevel];
  if (typeof version !== "string")
    return metaInvalid("params._meta must name the protocol version", metaKeys.protocolVersion);
  if (!isRecord(capabilities)) {
    return metaInvalid("params._meta must hold the client's capabilities", metaKeys.clientCapabilities);
  }
  if (clientInfo !== undefined && !isImplementation(clientInfo)) {
    return metaInvalid("clientInfo in params._meta must have a name and a version", metaKeys.clientInfo);
  }
  if (logLevel !== undefined && (typeof logLevel !== "string" || !logLevels.includes(logLevel))) {
    return metaInvalid(`the log level in params._meta must be one of ${logLevels.join(", ")}`, metaKeys.logLevel);
  }
  const method = message.method ?? "";
  const source = nameSource(method);
  return {
    method,
    version,
    clientInfo,
    capabilities,
    logLevel,
    progressToken: spanBytes(message, "params._meta.progressToken"),
    name: source && spanText(message, `params.${source}`),
  };
}

function isImplementation(value: unknown): value is Readonly<Record<string, unknown>> {
  const { name, version } = asRecord(value);
  return typeof name === "string" && typeof version === "string";
}

function metaInvalid(text: string, key: string): GatewayError {
  return new GatewayError("metaInvalid", text, { data: { key } });
}

/** The error of a request in a revision that the front does not speak. */
function notOffered(version: string): GatewayError {
  const text = `unsupported protocol version ${brief(version)}; this gateway speaks ${offeredVersions.join(", ")}`;
  return new GatewayError("versionNotOffered", text, { data: { supported: offeredVersions, requested: version } });
}

/** The error of a request that needs what its client did not declare; `required` holds only what is missing. */
export function missingCapability(required: Readonly<Record<string, unknown>>, what: string): GatewayError {
  const text = `${what} needs a capability that the client did not declare: ${JSON.stringify(required)}`;
  return new GatewayError("missingCapability", text, { data: { requiredCapabilities: required } });
}

/** The error of a method that the modern era does not have, or that nothing behind the gateway has. */
export function methodNotOffered(method: string): GatewayError {
  return new GatewayError("methodNotOffered", `unknown method ${brief(method)}`);
}
