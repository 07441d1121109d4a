// The fixture server's Streamable HTTP side: sessions, resumable streams and DNS rebinding protection on loopback.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { EventStore } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { createSession } from "./fixture-session.ts";
import type { World } from "./fixture-world.ts";

const maxEvents = 10_000;

/** Serves `/mcp` on 127.0.0.1; resolves to the URL once it listens. */
export async function serveHttp(world: World, port: number): Promise<{ server: Server; url: string }> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  let hosts: string[] = [];
  const server = createServer((request, response) => {
    serve(world, transports, hosts, request, response).catch((error: unknown) => {
      if (!response.headersSent) reject(response, 500, -32603, String(error));
    });
  });
  // A client that stood still for five seconds must not send on a connection that is closed just then.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the fixture server has no TCP address");
  hosts = [`127.0.0.1:${address.port}`, `localhost:${address.port}`];
  return { server, url: `http://127.0.0.1:${address.port}/mcp` };
}

async function serve(
  world: World,
  transports: Map<string, StreamableHTTPServerTransport>,
  hosts: string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.url?.split("?")[0] !== "/mcp") return reject(response, 404, -32600, "Not found");
  const id = request.headers["mcp-session-id"];
  if (typeof id === "string") {
    const transport = transports.get(id);
    if (transport === undefined) return reject(response, 404, -32001, "Session not found");
    return transport.handleRequest(request, response);
  }
  const transport = createTransport(transports, hosts);
  await createSession(world).server.connect(transport);
  await transport.handleRequest(request, response);
  if (transport.sessionId === undefined) await transport.close();
}

function createTransport(
  transports: Map<string, StreamableHTTPServerTransport>,
  hosts: string[],
): StreamableHTTPServerTransport {
  const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (id) => {
      transports.set(id, transport);
    },
    onsessionclosed: (id) => {
      transports.delete(id);
    },
    eventStore: createEventStore(),
    retryInterval: 100,
    enableDnsRebindingProtection: true,
    allowedHosts: hosts,
    allowedOrigins: hosts.map((host) => `http://${host}`),
  });
  return transport;
}

function reject(response: ServerResponse, status: number, code: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message } }));
}

/** Keeps the events of one session, so that a client can resume a stream after `Last-Event-ID`. */
function createEventStore(): EventStore {
  const events = new Map<string, { streamId: string; message: JSONRPCMessage }>();
  let next = 1;
  return {
    storeEvent: (streamId, message) => {
      const id = String(next++);
      events.set(id, { streamId, message });
      if (events.size > maxEvents) events.delete(String(next - 1 - maxEvents));
      return Promise.resolve(id);
    },
    getStreamIdForEventId: (id) => Promise.resolve(events.get(id)?.streamId),
    replayEventsAfter: async (lastId, { send }) => {
      const streamId = events.get(lastId)?.streamId ?? "";
      for (const [id, event] of events) {
        // The priming event of a stream is stored as an empty object and is no message.
        const isMessage = "jsonrpc" in event.message;
        if (Number(id) > Number(lastId) && event.streamId === streamId && isMessage) await send(id, event.message);
      }
      return streamId;
    },
  };
}
