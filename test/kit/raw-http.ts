// The hand-written server over Streamable HTTP, with the ways to misbehave that only HTTP has.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { methodOf, outcomeOf, toolOf } from "./raw-answers.ts";
import type { RawOptions } from "./raw-answers.ts";

export interface RawHttpOptions extends RawOptions {
  readonly port: number;
  /** Requests that a session lives for; 0: for ever. */
  readonly sessionLoss: number;
  readonly sse: boolean;
  readonly noGet: boolean;
  /** Status of every answer to a POST, with an HTML page; 0: none. */
  readonly status: number;
  readonly redirect: boolean;
  readonly cut: boolean;
  readonly record: (message: string) => void;
}

interface World {
  /** Requests that each session has left. */
  readonly sessions: Map<string, number>;
  /** Answers of streams that were cut, by event id. */
  readonly parked: Map<string, string>;
}

/** Serves on 127.0.0.1 and resolves to the URL. */
export async function serveRawHttp(options: RawHttpOptions): Promise<string> {
  const world: World = { sessions: new Map(), parked: new Map() };
  const server = createServer((request, response) => {
    serve(request, response, world, options).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(options.port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the raw server has no TCP address");
  return `http://127.0.0.1:${address.port}/mcp`;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  world: World,
  options: RawHttpOptions,
): Promise<void> {
  const { sessions } = world;
  const id = String(request.headers["mcp-session-id"] ?? "");
  if (options.redirect && request.url === "/mcp") {
    await readBody(request);
    response.writeHead(307, { location: "/mcp/" }).end();
    return;
  }
  if (request.method === "GET") return openStream(request, response, world, options);
  if (request.method === "DELETE") {
    sendStatus(response, sessions.delete(id) ? 200 : 404);
    return;
  }
  const body = await readBody(request);
  options.record(body);
  if (options.status !== 0) {
    const page = `<html><body><h1>Error ${options.status}</h1></body></html>`;
    response.writeHead(options.status, { "content-type": "text/html" }).end(page);
    return;
  }
  if (methodOf(body) === "initialize") {
    const fresh = randomUUID();
    sessions.set(fresh, options.sessionLoss === 0 ? Number.POSITIVE_INFINITY : options.sessionLoss);
    response.setHeader("mcp-session-id", fresh);
  } else if (!spend(sessions, id, methodOf(body) !== "notifications/initialized")) {
    sendStatus(response, id === "" ? 400 : 404);
    return;
  }
  if (toolOf(body) === "forget") sessions.clear();
  if (options.cut && toolOf(body) !== undefined) return cutStream(body, response, world, options);
  await answer(body, request, response, options);
}

/** Takes one request from a session's account; false if the session is unknown or used up. */
function spend(sessions: Map<string, number>, id: string, counts: boolean): boolean {
  const left = sessions.get(id);
  if (left === undefined) return false;
  if (left === 0) return !sessions.delete(id);
  if (counts) sessions.set(id, left - 1);
  return true;
}

async function answer(
  body: string,
  request: IncomingMessage,
  response: ServerResponse,
  options: RawHttpOptions,
): Promise<void> {
  const outcome = outcomeOf(body, options);
  if (outcome.kind === "drop") {
    request.socket.destroy();
    return;
  }
  if (outcome.kind === "exit") {
    response.writeHead(202).end(() => process.exit(0));
    return;
  }
  if (outcome.kind === "accept") {
    response.writeHead(202).end();
    return;
  }
  if (outcome.kind === "hang") return;
  if (outcome.afterMs > 0) await pause(outcome.afterMs);
  if (options.garbage) response.writeHead(200, { "content-type": "application/json" }).end("<html>no JSON</html>");
  else if (options.sse)
    response.writeHead(200, { "content-type": "text/event-stream" }).end(`event: message\ndata: ${outcome.text}\n\n`);
  else response.writeHead(200, { "content-type": "application/json" }).end(outcome.text);
}

/** Ends a call's stream before its answer, with an id to come back to. */
function cutStream(body: string, response: ServerResponse, { parked }: World, options: RawHttpOptions): void {
  const outcome = outcomeOf(body, options);
  const eventId = `cut-${randomUUID()}`;
  if (outcome.kind === "answer") parked.set(eventId, outcome.text);
  response.writeHead(200, { "content-type": "text/event-stream" }).end(`retry: 20\nid: ${eventId}\ndata:\n\n`);
}

function openStream(request: IncomingMessage, response: ServerResponse, world: World, { noGet }: RawHttpOptions): void {
  const parked = world.parked.get(String(request.headers["last-event-id"]));
  const isKnown = world.sessions.has(String(request.headers["mcp-session-id"]));
  if (parked !== undefined)
    response.writeHead(200, { "content-type": "text/event-stream" }).end(`id: after\ndata: ${parked}\n\n`);
  else if (noGet) sendStatus(response, 405);
  else if (!isKnown) sendStatus(response, 404);
  else response.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n");
}

function sendStatus(response: ServerResponse, status: number): void {
  const body = `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"HTTP ${status}"}}`;
  response.writeHead(status, { "content-type": "application/json" }).end(status === 200 ? "" : body);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}
