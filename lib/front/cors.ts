// CORS: lets the pages of allowed origins, and no others, use the endpoint from a browser.

const methods = "GET, POST, DELETE, OPTIONS";
/** What clients send, where a preflight does not say it. */
const requestHeaders = "content-type, accept, authorization, mcp-session-id, mcp-protocol-version, last-event-id";
const preflightSeconds = "600";

/** The answer to a preflight; undefined for any other request. The origin must have been checked. */
export function preflight(request: Request): Response | undefined {
  const isPreflight =
    request.method === "OPTIONS" &&
    request.headers.has("origin") &&
    request.headers.has("access-control-request-method");
  if (!isPreflight) return undefined;
  const response = new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": methods,
      // Tokens alone: no value for a response may come from a request as it is.
      "access-control-allow-headers": tokensOf(request.headers.get("access-control-request-headers")) || requestHeaders,
      "access-control-max-age": preflightSeconds,
    },
  });
  // Chromium asks before a public page reaches a private address.
  if (request.headers.get("access-control-request-private-network") === "true")
    response.headers.set("access-control-allow-private-network", "true");
  return share(request, response);
}

/** The response with what a browser needs to show it to the page that asked; as it is where no page did. */
export function share(request: Request, response: Response): Response {
  const origin = request.headers.get("origin");
  if (origin === null) return response;
  response.headers.set("access-control-allow-origin", origin);
  response.headers.set("access-control-expose-headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After");
  response.headers.append("vary", "Origin");
  return response;
}

function tokensOf(list: string | null): string {
  const names = (list ?? "").split(",").map((name) => name.trim().toLowerCase());
  return names.filter((name) => /^[a-z0-9-]{1,100}$/.test(name)).join(", ");
}
