// The hand-written server over Streamable HTTP, with the ways to misbehave that only HTTP has.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { methodOf, outcomeOf } from "./raw-answers.ts";
import type { RawOptions } from "./raw-answers.ts";

export interface RawHttpOptions extends RawOptions {
  readonly port: number;
  /** Requests that a session lives for; 0: for ever. */
  readonly sessionLoss: number;
  readonly sse: boolean;
  readonly noGet: boolean;
  readonly record: (message: string) => void;
}

/** Serves on 127.0.0.1 and resolves to the URL. */
export async function serveRawHttp(options: RawHttpOptions): Promise<string> {
  // Requests that each session has left.
  const sessions = new Map<string, number>();
  const server = createServer((request, response) => {
    serve(request, response, sessions, options).catch(() => response.destroy());
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
  sessions: Map<string, number>,
  options: RawHttpOptions,
): Promise<void> {
  const id = String(request.headers["mcp-session-id"] ?? "");
  if (request.method === "GET") return openStream(response, sessions.has(id), options);
  if (request.method === "DELETE") {
    sendStatus(response, sessions.delete(id) ? 200 : 404);
    return;
  }
  const body = await readBody(request);
  options.record(body);
  if (methodOf(body) === "initialize") {
    const fresh = randomUUID();
    sessions.set(fresh, options.sessionLoss === 0 ? Number.POSITIVE_INFINITY : options.sessionLoss);
    response.setHeader("mcp-session-id", fresh);
  } else if (!spend(sessions, id, methodOf(body) !== "notifications/initialized")) {
    sendStatus(response, id === "" ? 400 : 404);
    return;
  }
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

function openStream(response: ServerResponse, isKnown: boolean, { noGet }: RawHttpOptions): void {
  if (noGet) sendStatus(response, 405);
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
