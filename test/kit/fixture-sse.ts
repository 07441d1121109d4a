// The fixture server's HTTP+SSE side, the transport of the first revision: GET /sse, POST /messages, and nothing else.
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { createSession } from "./fixture-session.ts";
import type { World } from "./fixture-world.ts";

/** Serves on 127.0.0.1; resolves to the URL of the streams once it listens. */
export async function serveSse(world: World, port: number): Promise<{ url: string }> {
  const transports = new Map<string, SSEServerTransport>();
  const server = createServer((request, response) => {
    serve(world, transports, request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the fixture server has no TCP address");
  return { url: `http://127.0.0.1:${address.port}/sse` };
}

async function serve(
  world: World,
  transports: Map<string, SSEServerTransport>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  if (request.method === "GET" && pathname === "/sse") {
    const transport = new SSEServerTransport("/messages", response);
    transports.set(transport.sessionId, transport);
    response.on("close", () => transports.delete(transport.sessionId));
    return createSession(world).server.connect(transport);
  }
  if (request.method !== "POST" || pathname !== "/messages") {
    // As express says it.
    response.writeHead(404, { "content-type": "text/html" }).end(`<pre>Cannot ${request.method} ${pathname}</pre>`);
    return;
  }
  const transport = transports.get(searchParams.get("sessionId") ?? "");
  if (transport) return transport.handlePostMessage(request, response);
  response.writeHead(400).end("No transport found for sessionId");
}
