// A proxy on this machine before an HTTP server, which breaks on command as networks and servers do.

import type * as Http from "node:http";
import process from "node:process";
import { HttpPool, type HttpReply } from "../backend/pool.ts";
import { GatewayError } from "../core/errors.ts";
import { Scope, sleep } from "../core/scope.ts";
import type { FaultKind } from "./bench-faults.ts";

/** How much longer each call takes where the server is slow. */
const slowMs = 500;
const connectTimeoutMs = 5_000;
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "host",
  "content-length",
  "te",
  "upgrade",
]);

export class FaultProxy implements AsyncDisposable {
  readonly #origin: URL;
  readonly #pool: HttpPool;
  readonly #life = new Scope();
  /** Sessions that were seen, and those that the server is to have forgotten. */
  readonly #sessions = new Set<string>();
  readonly #forgotten = new Set<string>();
  #server: Http.Server | undefined;
  #port: number;
  #fault: FaultKind | undefined;
  /** Resolves when the fault is over; who is held up waits for it. */
  #over = Promise.withResolvers<void>();

  private constructor(origin: URL, port: number) {
    this.#origin = origin;
    this.#port = port;
    this.#pool = new HttpPool(origin, { connectTimeoutMs });
  }

  /** Listens at 127.0.0.1; port 0 takes a free one. */
  static async start(origin: URL, port = 0): Promise<FaultProxy> {
    const proxy = new FaultProxy(origin, port);
    await proxy.#listen();
    return proxy;
  }

  /** What stands for the origin. */
  get url(): string {
    const { pathname, search } = this.#origin;
    return `http://127.0.0.1:${this.#port}${pathname}${search}`;
  }

  async begin(kind: FaultKind): Promise<void> {
    this.#fault = kind;
    this.#over = Promise.withResolvers();
    if (kind === "session-loss") for (const id of this.#sessions) this.#forgotten.add(id);
    if (kind === "kill") await this.#close();
  }

  async end(): Promise<void> {
    const fault = this.#fault;
    this.#fault = undefined;
    this.#over.resolve();
    if (fault === "kill") await this.#listen();
  }

  async #listen(): Promise<void> {
    const { createServer } = process.getBuiltinModule("node:http");
    // The connection breaks: Bun sends an empty answer for a response that is destroyed before its head.
    const server = createServer((request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(new GatewayError("portInUse", error.message, { cause: error })));
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address !== null && typeof address === "object") this.#port = address.port;
    this.#server = server;
  }

  /** As a process that is killed: nobody listens, and every connection breaks. */
  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async #serve(request: Http.IncomingMessage, response: Http.ServerResponse): Promise<void> {
    using scope = new Scope(this.#life);
    response.on("close", () => scope.cancel(new Error("the client has gone")));
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const session = String(request.headers["mcp-session-id"] ?? "");
    if (this.#forgotten.has(session))
      return canned(response, 404, '{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"}}');
    const fault = this.#fault;
    switch (fault) {
      case "5xx":
        return canned(response, 503, '{"error":"planted"}');
      case "garbage":
        return canned(response, 200, "\u0000{{{ planted garbage");
      case "blackhole":
        await scope.race(this.#over.promise);
        return void request.socket.destroy();
      case "freeze":
        await scope.race(this.#over.promise);
        break;
      case "slow":
        await sleep(slowMs, scope);
        break;
      case "kill":
      case "reset":
      case "session-loss":
      case undefined:
        break;
    }
    const reply = await this.#forward(request, Buffer.concat(chunks), scope);
    // The call may have run: that is what makes a reset worse than a refusal.
    if (this.#fault === "reset") return void request.socket.destroy();
    if (this.#fault === "freeze" || this.#fault === "blackhole") await scope.race(this.#over.promise);
    await this.#relay(reply, response);
  }

  #forward(request: Http.IncomingMessage, body: Uint8Array, scope: Scope): Promise<HttpReply> {
    const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
      value === undefined || hopByHop.has(name) ? [] : [[name, [value].flat().join(", ")]],
    );
    const { url: path = "/" } = request;
    const method = request.method === "POST" || request.method === "DELETE" ? request.method : "GET";
    const more = method === "POST" ? { body } : {};
    return this.#pool.request({ method, path, headers, ...more }, scope);
  }

  async #relay(reply: HttpReply, response: Http.ServerResponse): Promise<void> {
    const session = reply.headers.get("mcp-session-id");
    if (session !== undefined) this.#sessions.add(session);
    const headers = [...reply.headers].filter(([name]) => !hopByHop.has(name));
    response.writeHead(reply.status, Object.fromEntries(headers));
    response.flushHeaders();
    for (let piece = await reply.body.read(); piece; piece = await reply.body.read())
      if (!response.write(piece)) await drained(response);
    response.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.cancel();
    this.#over.resolve();
    await this.#close();
    await this.#pool[Symbol.asyncDispose]();
  }
}

function canned(response: Http.ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}

function drained(response: Http.ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once("drain", resolve);
    response.once("close", resolve);
  });
}
