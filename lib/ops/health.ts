// Asks a running gateway how it is, over its /health, as a container's health check does.

import { planDefaults } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import { isLoopback } from "../core/loopback.ts";
import { Scope } from "../core/scope.ts";
import { isRecord } from "../core/text.ts";
import { type BackendLine, backendLines, textOf } from "./lines.ts";

/** What a gateway says of itself; members that this version does not know are kept in `document`. */
export interface RemoteHealth {
  readonly url: string;
  /** True for `ok` and `degraded`: it serves what it can. */
  readonly healthy: boolean;
  readonly status: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly sessions: number;
  readonly inFlight: number;
  readonly backends: readonly BackendLine[];
  /** As it was received. */
  readonly document: Readonly<Record<string, unknown>>;
}

/**
 * The health of the gateway at `address`: `host:port`, a base URL, or an MCP endpoint; by default the default address.
 * Rejects with `unreachable` after `timeoutMs`, `unauthorized`, or `badProtocol` where something else answers.
 */
export async function checkHealth(
  address: string | undefined,
  timeoutMs: number,
  token?: string,
): Promise<RemoteHealth> {
  const url = gatewayUrl(address, "/health");
  const { status, document } = await getJson(url, timeoutMs, token);
  if (!document || typeof document["status"] !== "string" || !isRecord(document["backends"]))
    throw new GatewayError("badProtocol", `${url} answers HTTP ${status} and no health of a gateway`);
  const overall = textOf(document["status"]);
  return {
    url,
    healthy: overall === "ok" || overall === "degraded",
    status: overall,
    version: textOf(document["version"]),
    uptimeSeconds: numberOf(document["uptimeSeconds"]),
    sessions: numberOf(document["sessions"]),
    inFlight: numberOf(document["inFlight"]),
    backends: backendLines(document["backends"]),
    document,
  };
}

/** A path of the gateway at `address`, which may be that of an endpoint. */
export function gatewayUrl(address: string | undefined, path: string): string {
  const { host, port } = planDefaults.listen;
  const written = address ?? `${host}:${port}`;
  try {
    const url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(written) ? written : `http://${written}`);
    if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError("not http");
    url.pathname = `${url.pathname.replace(/\/(?:mcp(?:\/.*)?|health)?$/, "")}${path}`;
    url.search = "";
    url.hash = "";
    return url.href;
  } catch (error) {
    throw new GatewayError("usage", `${JSON.stringify(written)} is no address of a gateway`, { cause: error });
  }
}

/** What a gateway says at a path; rejects with `unreachable` after `timeoutMs`, and with `unauthorized`. */
export async function getJson(
  url: string,
  timeoutMs: number,
  token?: string,
): Promise<{ readonly status: number; readonly document: Readonly<Record<string, unknown>> | undefined }> {
  const { status, text } = await get(url, timeoutMs, token);
  if (status === 401 || status === 403)
    throw new GatewayError("unauthorized", `${url} refuses to tell (HTTP ${status})`);
  return { status, document: parseRecord(text) };
}

/** What shows a gateway who asks. */
export function credentialsOf(url: string, token: string | undefined): Readonly<Record<string, string>> {
  if (token === undefined || token === "") return {};
  const { protocol, hostname } = new URL(url);
  if (protocol !== "https:" && !isLoopback(hostname))
    throw new GatewayError(
      "usage",
      `the token is not sent to ${hostname} without TLS: anybody on the way could read it`,
    );
  return { authorization: `Bearer ${token}` };
}

async function get(
  url: string,
  timeoutMs: number,
  token: string | undefined,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = credentialsOf(url, token);
  const { ofetch } = await import("ofetch");
  const abort = new AbortController();
  // ofetch's own timeout ends with the head, and a gateway that hangs in the middle is no better.
  using scope = new Scope(undefined, timeoutMs, () => new Error(`no answer within ${timeoutMs} ms`));
  scope.onCancel((reason) => abort.abort(reason));
  try {
    const response = await ofetch.raw(url, {
      headers,
      // A check says how it is now; its caller repeats it.
      retry: 0,
      ignoreResponseError: true,
      responseType: "text",
      redirect: "manual",
      signal: abort.signal,
    });
    return { status: response.status, text: response._data ?? "" };
  } catch (error) {
    const why = scope.cancelled ? `did not answer within ${timeoutMs} ms` : `cannot be reached (${reasonOf(error)})`;
    throw new GatewayError("unreachable", `${url} ${why}`, { cause: error });
  }
}

/** The system's code where there is one; ofetch wraps what the runtime wraps. */
export function reasonOf(error: unknown): string {
  for (let each = error; each instanceof Error; each = each.cause) {
    if ("code" in each && typeof each.code === "string") return each.code;
    if (!(each.cause instanceof Error)) return each.message;
  }
  return String(error);
}

export function parseRecord(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
