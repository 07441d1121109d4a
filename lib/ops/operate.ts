// Operates a running gateway: watches its messages, lets it drain, upgrades it; all of it is answered line by line.

import { GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import { credentialsOf, gatewayUrl, parseRecord, reasonOf } from "./health.ts";

/** Which gateway, who asks, and for how long. */
export interface Operated {
  /** The default address if left out. */
  readonly address: string | undefined;
  readonly token: string | undefined;
  /** Until the gateway has begun to answer. */
  readonly answerMs: number;
  readonly scope: Scope;
}

export type Line = Readonly<Record<string, unknown>>;

const denied = [401, 403];
const notFound = 404;
const wrongRequest = 400;
/** What a gateway answers with where it is operated. */
const linesType = "application/x-ndjson";

/** What a gateway sees, line by line, until the scope ends or the gateway does; `started` is called when it has begun. */
export async function tailGateway(
  operated: Operated,
  filter: URLSearchParams,
  started: () => void,
  show: (line: Line, text: string) => void | Promise<void>,
): Promise<void> {
  await eachLine(operated, "GET", `/admin/tail?${filter.toString()}`, started, show);
}

export interface Drained {
  readonly drained: boolean;
  /** Calls that were not over in time. */
  readonly inFlight: number;
}

/** Lets a gateway take no new calls; resolves when those in flight are over, or after `waitMs`. */
export async function drainGateway(
  operated: Operated,
  { waitMs, exit }: { readonly waitMs: number; readonly exit: boolean },
  told: (inFlight: number) => void,
): Promise<Drained> {
  let last: Drained | undefined;
  const path = `/admin/drain?wait=${waitMs}${exit ? "&exit=1" : ""}`;
  await eachLine(
    operated,
    "POST",
    path,
    () => {},
    ({ drained, inFlight }) => {
      const left = typeof inFlight === "number" ? inFlight : 0;
      if (typeof drained === "boolean") last = { drained, inFlight: left };
      else told(left);
    },
  );
  if (last) return last;
  throw new GatewayError("lost", `${gatewayUrl(operated.address, "")} closed before its calls were over`);
}

/** An upgrade of a gateway with several workers. */
interface Upgrade {
  readonly round: number;
  readonly state: string;
  /** Workers that are new. */
  readonly fresh: number;
  readonly count: number;
  readonly why: string | undefined;
}

/** Has all workers of a gateway exchanged for new ones, or with a round, says how far that is. */
export async function upgradeGateway(operated: Operated, round?: number): Promise<Upgrade> {
  let last: Upgrade | undefined;
  const [method, path] =
    round === undefined ? (["POST", "/admin/upgrade"] as const) : (["GET", `/admin/upgrade?round=${round}`] as const);
  await eachLine(
    operated,
    method,
    path,
    () => {},
    ({ state, why, ...counts }) => {
      last = {
        round: Number(counts["round"]),
        state: String(state),
        fresh: Number(counts["fresh"]),
        count: Number(counts["count"]),
        why: typeof why === "string" ? why : undefined,
      };
    },
  );
  if (last) return last;
  throw new GatewayError("lost", `${gatewayUrl(operated.address, "")} closed before it said how far the upgrade is`);
}

async function eachLine(
  operated: Operated,
  method: "GET" | "POST",
  path: string,
  started: () => void,
  show: (line: Line, text: string) => void | Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const stop = operated.scope.onCancel((reason) => abort.abort(reason));
  try {
    const body = await open(operated, method, path, abort);
    started();
    for await (const text of textLines(body)) {
      const line = parseRecord(text);
      if (line) await show(line, text);
      if (operated.scope.cancelled) return;
    }
  } catch (error) {
    if (operated.scope.cancelled) return;
    if (error instanceof GatewayError) throw error;
    throw new GatewayError("unreachable", `${gatewayUrl(operated.address, "")} is gone (${reasonOf(error)})`, {
      cause: error,
    });
  } finally {
    stop();
    abort.abort();
  }
}

async function open(
  { address, token, answerMs, scope }: Operated,
  method: "GET" | "POST",
  path: string,
  abort: AbortController,
): Promise<ReadableStream<Uint8Array>> {
  const [bare = "", query = ""] = path.split("?");
  const base = gatewayUrl(address, bare);
  const url = query === "" ? base : `${base}?${query}`;
  const { ofetch } = await import("ofetch");
  using patience = new Scope(scope, answerMs);
  patience.onCancel((reason) => abort.abort(reason));
  try {
    const options = { retry: 0, ignoreResponseError: true, redirect: "manual", signal: abort.signal } as const;
    const response = await ofetch.raw(url, {
      ...options,
      method,
      headers: credentialsOf(url, token),
      responseType: "stream",
    });
    const { status } = response;
    const isOurs = response.headers.get("content-type")?.startsWith(linesType) === true;
    if (status === 200 && response.body && isOurs) return response.body;
    if (status === 200) throw new GatewayError("badProtocol", `${base} is no gateway that can be operated`);
    throw refusal(base, status, await response.text());
  } catch (error) {
    if (error instanceof GatewayError || scope.cancelled) throw error;
    const why = patience.cancelled ? `did not answer within ${answerMs} ms` : `cannot be reached (${reasonOf(error)})`;
    throw new GatewayError("unreachable", `${base} ${why}`, { cause: error });
  }
}

/** The gateway says itself why. */
function refusal(url: string, status: number, text: string): GatewayError {
  const said: unknown = parseRecord(text)?.["error"];
  const message = typeof said === "object" && said !== null && "message" in said ? String(said.message) : "";
  if (denied.includes(status))
    return new GatewayError(status === 403 ? "notOperator" : "unauthorized", message || `${url} refuses (${status})`);
  if (status === notFound) return new GatewayError("badProtocol", `${url} is no gateway that can be operated`);
  if (status === wrongRequest && message !== "") return new GatewayError("usage", message);
  return new GatewayError("badProtocol", `${url} answers HTTP ${status}${message === "" ? "" : `: ${message}`}`);
}

async function* textLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((part) => part !== "");
  }
}
