// A backend inside the test: an MCP server over HTTP whose every answer the test gives itself.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

export type Message = Readonly<Record<string, unknown>>;

/** Something that was awaited for this long does not come. */
const patienceMs = 60_000;

/** Values that arrive one by one, and those who wait for them. */
export class Queue<T> {
  readonly #values: T[] = [];
  readonly #waiting: ((value: T) => void)[] = [];

  get size(): number {
    return this.#values.length;
  }

  push(value: T): void {
    const waiter = this.#waiting.shift();
    if (waiter) waiter(value);
    else this.#values.push(value);
  }

  next(what: string): Promise<T> {
    if (this.#values.length > 0) return Promise.resolve(this.#values.splice(0, 1)[0] as T);
    return within(new Promise<T>((resolve) => this.#waiting.push(resolve)), what);
  }
}

/** The promise's value, or a failure that says what was awaited. */
export async function within<T>(promise: Promise<T>, what: string, ms: number = patienceMs): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A tools/call that reached the backend and waits for what the test makes of it. */
export class PeerCall {
  readonly message: Message;
  readonly params: Message;
  /** The upstream session that it came in. */
  readonly session: unknown;
  readonly #response: ServerResponse;
  readonly #dropped: Promise<void>;

  constructor(message: Message, response: ServerResponse, session: unknown) {
    this.message = message;
    this.session = session;
    this.params = record(message["params"]);
    this.#response = response;
    this.#dropped = new Promise((resolve) => response.on("close", () => resolve()));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
  }

  /** Resolves when the gateway gives the call up. */
  dropped(): Promise<void> {
    return within(this.#dropped, "the end of the upstream call");
  }

  send(message: Message): void {
    void this.offer(message);
  }

  /** Resolves when the gateway has taken the message. */
  offer(message: Message): Promise<true> {
    const text = `data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;
    return new Promise((resolve) => {
      if (this.#response.write(text)) resolve(true);
      else this.#response.once("drain", () => resolve(true));
    });
  }

  progress(progress: number): void {
    const progressToken = record(this.params["_meta"])["progressToken"];
    this.send({ method: "notifications/progress", params: { progressToken, progress } });
  }

  reply(text: string): void {
    this.send({ id: this.message["id"], result: { content: [{ type: "text", text }] } });
    this.#response.end();
  }
}

export class Peer implements AsyncDisposable {
  readonly url: string;
  readonly calls: Queue<PeerCall> = new Queue();
  /** Notifications and answers of the gateway. */
  readonly heard: Queue<Message> = new Queue();
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  readonly #listening = Promise.withResolvers<void>();
  readonly #pings = new Map<unknown, () => void>();
  #lastId = 0;

  constructor(server: Server, port: number) {
    this.url = `http://127.0.0.1:${port}/mcp`;
    this.#server = server;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      // The gateway may cut what it sends; that is the test's subject, not its failure.
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  /** The next tools/call. */
  call(): Promise<PeerCall> {
    return this.calls.next("a tools/call at the backend");
  }

  /** Says something on the GET stream of the gateway, and waits until the gateway has taken it in. */
  async notify(method: string, params: Message = {}): Promise<void> {
    await within(this.#listening.promise, "the gateway's GET stream");
    this.#lastId += 1;
    const answered = Promise.withResolvers<void>();
    this.#pings.set(this.#lastId, answered.resolve);
    const messages = [
      { jsonrpc: "2.0", method, params },
      { jsonrpc: "2.0", id: this.#lastId, method: "ping" },
    ];
    for (const stream of this.#streams)
      stream.write(messages.map((message) => `data: ${JSON.stringify(message)}\n\n`).join(""));
    await within(answered.promise, "the gateway's answer to a ping");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n");
      this.#streams.add(response);
      response.on("close", () => this.#streams.delete(response));
      return this.#listening.resolve();
    }
    if (request.method !== "POST") return void response.writeHead(200).end();
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(chunk);
    const message = record(JSON.parse(Buffer.concat(chunks).toString()));
    if (message["method"] === "tools/call")
      return this.calls.push(new PeerCall(message, response, request.headers["mcp-session-id"]));
    if (message["id"] === undefined || message["method"] === undefined) {
      const pinged = message["method"] === undefined ? this.#pings.get(message["id"]) : undefined;
      if (pinged) pinged();
      else this.heard.push(message);
      return void response.writeHead(202).end();
    }
    const headers = { "content-type": "application/json", "mcp-session-id": randomUUID() };
    response
      .writeHead(200, headers)
      .end(JSON.stringify({ jsonrpc: "2.0", id: message["id"], result: resultOf(message) }));
  }
}

function resultOf({ method, params }: Message): Message {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: record(params)["protocolVersion"],
        capabilities: { tools: { listChanged: true }, logging: {}, resources: { subscribe: true } },
        serverInfo: { name: "peer", version: "1.0.0" },
      };
    case "tools/list":
      return { tools: [{ name: "work", inputSchema: { type: "object" } }] };
    case "resources/list":
      return { resources: [] };
    case "resources/templates/list":
      return { resourceTemplates: [] };
    default:
      return {};
  }
}

export function record(value: unknown): Message {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

export async function startPeer(): Promise<Peer> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the peer has no TCP address");
  return new Peer(server, address.port);
}
