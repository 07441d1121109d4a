// What an HTTP answer that is no success says: of the call, of the session, or of the server.

import { GatewayError } from "../core/errors.ts";
import { asRecord, decodeText } from "../core/text.ts";
import type { HttpReply } from "./pool.ts";
import { mediaType } from "./resume.ts";
import { readRetryAfter } from "./retry-after.ts";

/** What is read of a body that is no message. */
export const maxErrorBytes: number = 64 * 1024;

interface RpcError {
  readonly id: unknown;
  readonly code: unknown;
  readonly message: string;
}

export interface Refusal {
  readonly status: number;
  readonly body: Uint8Array;
  readonly text: string;
  /** The JSON-RPC error in the body; undefined where that is something else. */
  readonly error: RpcError | undefined;
  /** How long the server wants to be left alone, where it says so. */
  readonly retryAfterMs?: number | undefined;
  /** It wants to be asked later, and has done nothing: its error is no answer to the call then. */
  readonly isPutOff: boolean;
}

export async function readRefusal(reply: HttpReply): Promise<Refusal> {
  const { status } = reply;
  const body = await reply.body.bytes(maxErrorBytes).catch(() => new Uint8Array());
  const text = decodeText(body);
  const error = mediaType(reply) === "application/json" ? readError(text) : undefined;
  const retryAfterMs = readRetryAfter(reply.headers.get("retry-after"), Date.now());
  const isPutOff = retryAfterMs !== undefined && (status === 429 || status === 503);
  return { status, body, text, error, retryAfterMs, isPutOff };
}

function readError(text: string): RpcError | undefined {
  try {
    const { id, error } = asRecord(JSON.parse(text));
    const { code, message } = asRecord(error);
    return typeof code === "number" ? { id, code, message: String(message) } : undefined;
  } catch {
    return undefined;
  }
}

/** JSON-RPC codes that servers give to an unknown session. */
const sessionCodes: ReadonlySet<unknown> = new Set([-32000, -32001, -32600]);

/** Servers say "no such session" with 404, some with 400 and a text; an error under the call's own id is mostly its answer. */
export function isSessionError({ status, text, error }: Refusal, call: number | undefined): boolean {
  if (status !== 404 && !(status === 400 && /session/i.test(text))) return false;
  if (error === undefined || call === undefined || Number(error.id ?? NaN) !== call) return true;
  return sessionCodes.has(error.code) && (status === 404 || /session/i.test(error.message));
}

/** Whether an error is that of a legacy server which was asked for something before initialize, and did nothing. */
export function wantsHandshake(code: unknown, message: unknown): boolean {
  return sessionCodes.has(code) && typeof message === "string" && /session|initiali[sz]/i.test(message);
}

export function sessionLost(backend: string): GatewayError {
  const text = `backend "${backend}" does not know the session any more`;
  return new GatewayError("sessionLost", text, { backend, data: { sent: false } });
}

/** As for a session that is gone: nothing was executed, and another link to the same server is opened at once. */
export function eraChanged(backend: string): GatewayError {
  const text = `backend "${backend}" speaks another era of the protocol now`;
  return new GatewayError("sessionLost", text, { backend, data: { sent: false } });
}

/** The failure of a call that was refused with this status. */
export function refusedWith(
  backend: string,
  { status, retryAfterMs, error }: Pick<Refusal, "status" | "retryAfterMs" | "error">,
  where: string = "",
): GatewayError {
  const failure = (
    code: "badProtocol" | "unauthorized" | "unavailable",
    what: string,
    sent: boolean,
    more: Readonly<Record<string, unknown>> = {},
  ): GatewayError => new GatewayError(code, `backend "${backend}" ${what}`, { backend, data: { sent, ...more } });
  if (status === 401 || status === 403)
    return failure("unauthorized", `refused the credentials (HTTP ${status})`, false);
  const said = error === undefined ? "" : `: ${error.message}`;
  const what = `answered with HTTP ${status}${where}${said}`;
  // Told to come back later, nothing was begun; a bare 503 may come from a proxy that gave up on a server that works on it.
  const wish = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 429) return failure("unavailable", what, false, { ...wish, throttled: true });
  if (status === 503) return failure("unavailable", what, retryAfterMs === undefined, wish);
  return failure("badProtocol", what, status >= 500);
}
