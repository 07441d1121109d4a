// Headers that mirror a modern request's body: the values in their encoding, and the check of headers against a body.

import { Buffer, isUtf8 } from "node:buffer";
import { GatewayError } from "../core/errors.ts";

/** Reads a request header by its lower-case name. */
export type HeaderReader = (name: string) => string | undefined;
export type Header = readonly [name: string, value: string];

export const headerNames = {
  version: "mcp-protocol-version",
  method: "mcp-method",
  name: "mcp-name",
  /** Before the name that an `x-mcp-header` annotation gives. */
  paramPrefix: "mcp-param-",
} as const;

/** Which member of the params `Mcp-Name` repeats; the tasks methods are of the Tasks extension. */
const nameSources: ReadonlyMap<string, "name" | "uri" | "taskId"> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
  ["tasks/get", "taskId"],
  ["tasks/update", "taskId"],
  ["tasks/cancel", "taskId"],
]);

/** The member of a method's params that `Mcp-Name` repeats; undefined for a method without that header. */
export function nameSource(method: string): "name" | "uri" | "taskId" | undefined {
  return nameSources.get(method);
}

const prefix = "=?base64?";
const suffix = "?=";
/** What a header value may hold as it is (RFC 9110, 5.5). */
const plain = /^[\t\x20-\x7e]*$/;
const canonicalBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A value as a header carries it (2026-07-28, Streamable HTTP, "Value Encoding"). */
export function encodeHeader(value: string): string {
  // Some HTTP libraries drop headers that are empty.
  const isPlain = value !== "" && plain.test(value) && !/^[ \t]|[ \t]$/.test(value) && !isWrapped(value);
  return isPlain ? value : `${prefix}${Buffer.from(value).toString("base64")}${suffix}`;
}

/** The value that a header carries; undefined where it holds characters, or an encoding, that it must not. */
export function decodeHeader(header: string): string | undefined {
  const value = withoutBlanks(header);
  if (!plain.test(value)) return undefined;
  if (!isWrapped(value)) return value;
  const encoded = value.slice(prefix.length, -suffix.length);
  if (!canonicalBase64.test(encoded)) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  return isUtf8(bytes) ? bytes.toString() : undefined;
}

/** RFC 9110, 5.5: blanks around a value are no part of it; JavaScript's own trim would take more. */
function withoutBlanks(header: string): string {
  return header.replace(/^[ \t]+|[ \t]+$/g, "");
}

function isWrapped(value: string): boolean {
  return value.length >= prefix.length + suffix.length && value.startsWith(prefix) && value.endsWith(suffix);
}

/** The headers of an upstream request; `name` is the value of {@link nameSource} in its body. */
export function requestHeaders(version: string, method: string, name: string | undefined): readonly Header[] {
  const headers: Header[] = [
    [headerNames.version, version],
    [headerNames.method, encodeHeader(method)],
  ];
  if (name !== undefined && nameSources.has(method)) headers.push([headerNames.name, encodeHeader(name)]);
  return headers;
}

/** What is wrong with the headers of a request whose body says this; undefined where they agree with it. */
export function checkHeaders(
  header: HeaderReader,
  version: string,
  method: string,
  name: string | undefined,
): GatewayError | undefined {
  return (
    checkHeader(header, "MCP-Protocol-Version", version, false) ??
    checkHeader(header, "Mcp-Method", method, false) ??
    (name === undefined || !nameSources.has(method) ? undefined : checkHeader(header, "Mcp-Name", name, true))
  );
}

function checkHeader(header: HeaderReader, shown: string, body: string, wraps: boolean): GatewayError | undefined {
  const raw = header(shown.toLowerCase());
  if (raw === undefined) return headerMismatch(shown, `header ${shown} is missing`);
  const value = wraps ? decodeHeader(raw) : withoutBlanks(raw);
  if (value === undefined) return headerMismatch(shown, `header ${shown} holds characters that it must not`);
  return value === body
    ? undefined
    : headerMismatch(shown, `header ${shown} says ${brief(value)} and the body says ${brief(body)}`);
}

/** The error of a request whose headers and body disagree. */
export function headerMismatch(header: string, message: string): GatewayError {
  return new GatewayError("headerMismatch", message, { data: { header } });
}

/** A value of the client's in a message, not too long. */
export function brief(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
