// CORS: lets the pages of allowed origins, and no others, use the endpoint from a browser.

import type { HttpReply, HttpRequest } from "./exchange.ts";
import { emptyReply } from "./reply.ts";

const methods = "GET, POST, DELETE, OPTIONS";
/** What clients send, where a preflight does not say it. */
const requestHeaders = "content-type, accept, authorization, mcp-session-id, mcp-protocol-version, last-event-id";
const preflightSeconds = "600";

/** The answer to a preflight; undefined for any other request. The origin must have been checked. */
export function preflight(request: HttpRequest): HttpReply | undefined {
  const isPreflight =
    request.method === "OPTIONS" &&
    request.header("origin") !== undefined &&
    request.header("access-control-request-method") !== undefined;
  if (!isPreflight) return undefined;
  // Chromium asks before a public page reaches a private address.
  const isPrivate = request.header("access-control-request-private-network") === "true";
  const reply = emptyReply(204, {
    "access-control-allow-methods": methods,
    // Tokens alone: no value for a response may come from a request as it is.
    "access-control-allow-headers": tokensOf(request.header("access-control-request-headers")) || requestHeaders,
    "access-control-max-age": preflightSeconds,
    ...(isPrivate ? { "access-control-allow-private-network": "true" } : {}),
  });
  return share(request, reply);
}

/** The reply with what a browser needs to show it to the page that asked; as it is where no page did. */
export function share(request: HttpRequest, reply: HttpReply): HttpReply {
  const origin = request.header("origin");
  if (origin === undefined) return reply;
  const headers = {
    ...reply.headers,
    "access-control-allow-origin": origin,
    "access-control-expose-headers": "Mcp-Session-Id, WWW-Authenticate, Retry-After",
    vary: "Origin",
  };
  return { ...reply, headers };
}

function tokensOf(list: string | undefined): string {
  const names = (list ?? "").split(",").map((name) => name.trim().toLowerCase());
  return names.filter((name) => /^[a-z0-9-]{1,100}$/.test(name)).join(", ");
}
