// The modern fixture server over Streamable HTTP: the SDK's handler, what it cannot do, and legacy sessions if asked for.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { McpHttpHandler } from "@modelcontextprotocol/server";
import { recordOf } from "./fixture-world.ts";
import { answerByHand, listenedTasks, listenToTasks, readModern } from "./modern-by-hand.ts";
import type { Answer, ModernRequest } from "./modern-by-hand.ts";
import { createModernServer } from "./modern-session.ts";
import { TaskStore } from "./modern-tasks.ts";
import { forgetListen } from "./modern-world.ts";
import type { ModernWorld } from "./modern-world.ts";

/** Often, because Deno notices that a client has left when it writes to it. */
const keepAliveMs = 200;

type Sessions = Map<string, WebStandardStreamableHTTPServerTransport>;

/** Serves `/mcp` on 127.0.0.1; resolves to the URL once it listens. */
export async function serveModernHttp(world: ModernWorld, port: number): Promise<string> {
  const tasks = new TaskStore();
  const sessions: Sessions = new Map();
  const handler = createMcpHandler(({ era }) => createModernServer(world, era).mcp, {
    legacy: "reject",
    bus: world.bus,
    keepAliveMs,
  });
  const listener = toNodeHandler({ fetch: (request) => respond(world, tasks, sessions, handler, request) });
  const server = createServer((request, response) => {
    const { method = "GET", url = "/", headers } = request;
    const body = { [Symbol.asyncIterator]: () => request[Symbol.asyncIterator]() };
    listener({ method, url, headers, ...body }, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  });
  // A client that stood still for five seconds must not send on a connection that is closed just then.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the fixture server has no TCP address");
  return `http://127.0.0.1:${address.port}/mcp`;
}

async function respond(
  world: ModernWorld,
  tasks: TaskStore,
  sessions: Sessions,
  handler: McpHttpHandler,
  request: Request,
): Promise<Response> {
  const refused =
    hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins());
  if (refused !== undefined) return refused;
  if (new URL(request.url).pathname !== "/mcp") return new Response("Not found", { status: 404 });
  if (world.options.both && (await isLegacyRequest(request))) return respondLegacy(world, sessions, request);
  const modern = readModern(parse(await request.clone().text()));
  if (modern === undefined) return handler.fetch(request);
  const answer = answerByHand(world, tasks, modern);
  if (answer !== undefined) return respondByHand(request, modern, answer);
  const taskIds = listenedTasks(modern);
  if (taskIds !== undefined) return streamTasks(tasks, modern, taskIds, request.signal);
  if (modern.method === "subscriptions/listen") recordListen(world, request, modern);
  return handler.fetch(request);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function respondByHand({ headers }: Request, { id, method, name }: ModernRequest, answer: Answer): Response {
  if (headers.get("mcp-method") !== method || headers.get("mcp-name") !== name) {
    const error = { code: -32020, message: "Mcp-Method and Mcp-Name must repeat the body" };
    return Response.json({ jsonrpc: "2.0", id, error }, { status: 400 });
  }
  const status = "error" in answer && answer.error.code === -32021 ? 400 : 200;
  return Response.json({ jsonrpc: "2.0", id, ...answer }, { status });
}

/** The SDK's listen streams know nothing of tasks, so a stream for tasks carries nothing else. */
function streamTasks(
  tasks: TaskStore,
  { id }: ModernRequest,
  taskIds: readonly unknown[],
  signal: AbortSignal,
): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const stop = listenToTasks(tasks, id, taskIds, (message) =>
        controller.enqueue(encoder.encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`)),
      );
      signal.addEventListener("abort", stop);
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function recordListen(world: ModernWorld, request: Request, { params }: ModernRequest): void {
  const key = randomUUID();
  world.listens.set(key, recordOf(params["notifications"]));
  request.signal.addEventListener("abort", () => forgetListen(world, key));
}

async function respondLegacy(world: ModernWorld, sessions: Sessions, request: Request): Promise<Response> {
  const id = request.headers.get("mcp-session-id");
  if (id !== null) {
    const transport = sessions.get(id);
    if (transport !== undefined) return transport.handleRequest(request);
    return Response.json(
      { jsonrpc: "2.0", id: null, error: { code: -32001, message: "Session not found" } },
      { status: 404 },
    );
  }
  const { mcp, peer } = createModernServer(world, "legacy");
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (sessionId) => {
      sessions.set(sessionId, transport);
      world.peers.add(peer);
    },
    onsessionclosed: (sessionId) => {
      sessions.delete(sessionId);
      world.peers.delete(peer);
    },
  });
  await mcp.connect(transport);
  return transport.handleRequest(request);
}
