// Requests of the modern era without an SDK: the body with its `_meta`, and the headers that repeat it.
import { Buffer } from "node:buffer";
import type { HeaderChanges } from "./raw-client.ts";

/** The revision that requests name unless told otherwise. */
const revision = "2026-07-28";

/** What may differ from a plain request. */
export interface ModernRequestOptions {
  readonly id?: string | number;
  readonly version?: string;
  readonly capabilities?: object;
  /** `null` leaves it out. */
  readonly clientInfo?: object | null;
  readonly logLevel?: string;
  readonly progressToken?: string | number;
  /** More keys of `_meta`; a key set to `undefined` is left out. */
  readonly meta?: Readonly<Record<string, unknown>>;
  /** Arguments to be mirrored, by the name in their `x-mcp-header`. */
  readonly paramHeaders?: Readonly<Record<string, string | number | boolean>>;
  /** The last word on headers; `undefined` leaves one out. */
  readonly headers?: HeaderChanges;
}

/** A body and its headers, as `RawClient.post` takes them. */
export interface ModernRequestParts {
  readonly body: {
    readonly jsonrpc: "2.0";
    readonly id: string | number;
    readonly method: string;
    readonly params: object;
  };
  readonly headers: HeaderChanges;
}

/** Builds a request of the modern era. */
export function modernRequest(
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  options: ModernRequestOptions = {},
): ModernRequestParts {
  const { id = 1, version = revision, paramHeaders = {}, headers = {} } = options;
  const name = nameOf(method, params);
  const mirrored = Object.entries(paramHeaders).map(([key, value]) => [`mcp-param-${key}`, headerValue(String(value))]);
  return {
    body: { jsonrpc: "2.0", id, method, params: { ...params, _meta: metaOf(version, options) } },
    headers: {
      "mcp-protocol-version": version,
      "mcp-method": method,
      ...(name !== undefined && { "mcp-name": headerValue(name) }),
      ...Object.fromEntries(mirrored),
      ...headers,
    },
  };
}

/** One line for a server on stdin. */
export function modernLine(
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  options: ModernRequestOptions = {},
): string {
  return `${JSON.stringify(modernRequest(method, params, options).body)}\n`;
}

function metaOf(version: string, options: ModernRequestOptions): object {
  const { capabilities = {}, clientInfo = { name: "raw-client", version: "1.0.0" }, logLevel, progressToken } = options;
  return {
    "io.modelcontextprotocol/protocolVersion": version,
    ...(clientInfo !== null && { "io.modelcontextprotocol/clientInfo": clientInfo }),
    "io.modelcontextprotocol/clientCapabilities": capabilities,
    ...(logLevel !== undefined && { "io.modelcontextprotocol/logLevel": logLevel }),
    ...(progressToken !== undefined && { progressToken }),
    ...options.meta,
  };
}

const nameKeys: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

function nameOf(method: string, params: Readonly<Record<string, unknown>>): string | undefined {
  const name = params[nameKeys[method] ?? ""];
  return typeof name === "string" ? name : undefined;
}

/** The value as a header carries it. 2026-07-28, Streamable HTTP, "Value Encoding". */
export function headerValue(value: string): string {
  const isPlain = /^[\x20-\x7e\t]*$/.test(value) && value === value.trim() && !/^=\?base64\?.*\?=$/s.test(value);
  return isPlain ? value : `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`;
}
