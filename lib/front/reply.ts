// The forms of HTTP answer that the front gives.

import type { Scanned } from "../core/envelope.ts";
import { asGatewayError, type ErrorCode, GatewayError } from "../core/errors.ts";
import type { Observer } from "../core/observer.ts";
import { errorMessage } from "../core/rpc.ts";
import { encodeText } from "../core/text.ts";
import type { EventBody, Headers, HttpReply } from "./exchange.ts";

const overload = 503;
/** One object for all, so that its bytes are made once. */
export const jsonHeaders: Headers = { "content-type": "application/json" };
const eventHeaders: Headers = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  // nginx would hold events back otherwise.
  "x-accel-buffering": "no",
};

/** Messages as they are. */
export function jsonReply(body: Uint8Array, headers?: Headers, status: number = 200): HttpReply {
  return { status, headers: headers ? { ...jsonHeaders, ...headers } : jsonHeaders, body };
}

export function textReply(text: string, headers: Headers, status: number = 200): HttpReply {
  return { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers }, body: encodeText(text) };
}

export function emptyReply(status: number, headers: Headers = {}): HttpReply {
  return { status, headers, body: undefined };
}

/** An error as JSON-RPC, with the HTTP status that its code has. */
export function errorReply(error: GatewayError, id: Uint8Array | undefined, headers: Headers = {}): HttpReply {
  const later: Headers = error.row.http === overload ? { "retry-after": "1" } : {};
  // RFC 9110, 15.5.6: what is allowed is named; modern clients have nothing but POST.
  const allowed: Headers = error.code === "methodNotAllowed" ? { allow: "POST" } : {};
  return jsonReply(errorMessage(id, error), { ...later, ...allowed, ...headers }, error.row.http);
}

/** The answer to a request that failed; what should not happen is written down. */
export function refusalReply(observer: Observer, error: unknown, id: Uint8Array | undefined): HttpReply {
  const failure = asGatewayError(error);
  if (failure.code === "internal") observer.log("error", "gateway", failure.message, { error: failure });
  return errorReply(failure, id);
}

/** What is wrong with bytes that are no request. */
export function notHttp(what: string, isFull: boolean): GatewayError {
  return new GatewayError(isFull ? "headTooLarge" : "badHttp", `the request is not valid HTTP/1.1: ${what}`);
}

const malformedCodes: Readonly<Record<string, ErrorCode>> = {
  utf8: "parse",
  json: "parse",
  depth: "parse",
  shape: "invalidRequest",
};

/** What is wrong with a message. */
export function malformed({ reason, message, id }: Extract<Scanned, { kind: "malformed" }>): HttpReply {
  return errorReply(new GatewayError(malformedCodes[reason] ?? "parse", message), id);
}

/** The reply to a call for which the client needs a better token (RFC 6750, section 3.1), or patience. */
export function challengeReply(body: Uint8Array, failure: GatewayError): HttpReply {
  const { code, row, data, message } = failure;
  if (code !== "insufficientScope") return jsonReply(body, limitHeaders(code, data), row.http);
  const scope = typeof data["scope"] === "string" ? data["scope"] : "";
  const challenge = `Bearer error="insufficient_scope", scope="${quoted(scope)}", error_description="${quoted(message)}"`;
  return jsonReply(body, { "www-authenticate": challenge }, row.http);
}

/** When to come back, and what the limit is (RFC 9110, section 10.2.3; draft-ietf-httpapi-ratelimit-headers). */
function limitHeaders(
  code: ErrorCode,
  { retryAfterMs, limit, windowMs, remaining = 0 }: GatewayError["data"],
): Headers {
  const seconds = Math.max(1, Math.ceil(Number(retryAfterMs) / 1000));
  const later = { "retry-after": String(seconds) };
  const name = limitNames[code];
  if (name === undefined) return later;
  const policy = windowMs === undefined ? 'qu="concurrent-requests"' : `w=${Number(windowMs) / 1000}`;
  return {
    ...later,
    "ratelimit-policy": `"${name}";q=${String(limit)};${policy}`,
    ratelimit: `"${name}";r=${String(remaining)};t=${seconds}`,
  };
}

const limitNames: Readonly<Partial<Record<ErrorCode, string>>> = {
  rateLimited: "calls",
  tooManyCalls: "concurrency",
  quotaSpent: "day",
};

/** What may stand between quotes in a header. */
export function quoted(text: string): string {
  return text.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, (char) => encodeURIComponent(char.toWellFormed()));
}

/** An event stream. */
export function streamReply(body: EventBody): HttpReply {
  return { status: 200, headers: eventHeaders, body };
}

/** The same; `open` gets the sink, and returns what to do when the client is gone. */
export function eventReply(open: EventBody["open"]): HttpReply {
  return streamReply({ open });
}

export function isEvents(body: HttpReply["body"]): body is EventBody {
  return body !== undefined && !(body instanceof Uint8Array);
}
