// A server of either era inside the test, which counts what is held open at it: streams, and subscriptions to each resource.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { recordOf } from "./fixture-world.ts";

type Json = Readonly<Record<string, unknown>>;

const tag = "io.modelcontextprotocol/subscriptionId";
const capabilities = { resources: { subscribe: true, listChanged: true } };

/** A stream that a client holds open, and the resources that it hears of. */
interface Held {
  readonly response: ServerResponse;
  readonly uris: Set<string>;
  readonly id: unknown;
}

export class CountingServer implements AsyncDisposable {
  readonly #era: "legacy" | "modern";
  /** Of the resources that there are. */
  names: readonly string[];
  /** How often they were asked for. */
  listed = 0;
  /** Of the modern era: it declares what it does not do. */
  refusesListen = false;
  readonly #streams = new Set<Held>();
  /** Legacy sessions and what each has subscribed to. */
  readonly #sessions = new Map<string, Set<string>>();
  #server: Server | undefined;
  #port = 0;
  /** How often each resource was subscribed to in all. */
  readonly subscribed: Map<string, number> = new Map();

  private constructor(era: "legacy" | "modern", names: readonly string[]) {
    this.#era = era;
    this.names = names;
  }

  static async start(era: "legacy" | "modern", names: readonly string[]): Promise<CountingServer> {
    const server = new CountingServer(era, names);
    await server.open();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/mcp`;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Subscriptions that are held right now, by resource. */
  get held(): ReadonlyMap<string, number> {
    const sets = this.#era === "legacy" ? [...this.#sessions.values()] : [...this.#streams].map(({ uris }) => uris);
    const counts = new Map<string, number>();
    for (const uri of sets.flatMap((uris) => [...uris])) counts.set(uri, (counts.get(uri) ?? 0) + 1);
    return counts;
  }

  /** Listens; the second time at the port of the first. */
  async open(): Promise<void> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no TCP address");
    this.#port = address.port;
    this.#server = server;
  }

  /** Ends as a process that is killed: every connection breaks, and nothing is remembered. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    this.#server?.closeAllConnections();
    await closed;
    this.#sessions.clear();
    this.#streams.clear();
    this.subscribed.clear();
  }

  /** Ends the streams, as a proxy does; all else goes on. */
  cut(): void {
    for (const { response } of this.#streams) response.destroy();
    this.#streams.clear();
  }

  /** Tells every subscriber that a resource changed. */
  touch(uri: string): void {
    for (const { response, uris, id } of this.#streams) {
      const wants = this.#era === "modern" ? uris.has(uri) : (this.held.get(uri) ?? 0) > 0;
      const meta = this.#era === "modern" ? { _meta: { [tag]: id } } : {};
      if (wants)
        send(response, { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri, ...meta } });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server?.listening === true) await this.kill();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = String(request.headers["mcp-session-id"] ?? "");
    const isForgotten = this.#era === "legacy" && session !== "" && !this.#sessions.has(session);
    if (isForgotten) return void response.writeHead(404).end();
    if (request.method === "GET") return this.#hold(response, new Set(), undefined);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    if (request.method === "DELETE") this.#sessions.delete(session);
    if (request.method !== "POST") return void response.writeHead(200).end();
    const message = recordOf(JSON.parse(Buffer.concat(chunks).toString()));
    const { id, method } = message;
    if (id === undefined) return void response.writeHead(202).end();
    const params = recordOf(message["params"] ?? {});
    if (this.#era === "modern" && method === "subscriptions/listen" && !this.refusesListen)
      return this.#listen(response, id, params);
    const result = this.#era === "modern" ? this.#modern(method) : this.#legacy(method, params, session);
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (method === "initialize" && result) headers["mcp-session-id"] = this.#newSession();
    const member = result ? { result } : { error: { code: -32601, message: "unknown method" } };
    response.writeHead(result || this.#era === "legacy" ? 200 : 404, headers);
    response.end(JSON.stringify({ jsonrpc: "2.0", id, ...member }));
  }

  #newSession(): string {
    const id = randomUUID();
    this.#sessions.set(id, new Set());
    return id;
  }

  #legacy(method: unknown, params: Json, session: string): object | undefined {
    const uri = String(params["uri"]);
    switch (method) {
      case "initialize":
        return { protocolVersion: "2025-11-25", capabilities, serverInfo: { name: "counting", version: "1" } };
      case "resources/subscribe":
        this.#sessions.get(session)?.add(uri);
        this.#count(uri);
        return {};
      case "resources/unsubscribe":
        this.#sessions.get(session)?.delete(uri);
        return {};
      default:
        return this.#listing(method);
    }
  }

  #modern(method: unknown): object | undefined {
    const common = { resultType: "complete", ttlMs: 0, cacheScope: "private" };
    if (method === "server/discover") return { ...common, supportedVersions: ["2026-07-28"], capabilities };
    const listing = this.#listing(method);
    return listing && { ...common, ...listing };
  }

  #listing(method: unknown): object | undefined {
    if (method === "ping") return {};
    if (method === "resources/templates/list") return { resourceTemplates: [] };
    if (method !== "resources/list") return undefined;
    this.listed += 1;
    return { resources: this.names.map((uri) => ({ uri, name: uri })) };
  }

  #listen(response: ServerResponse, id: unknown, params: Json): void {
    const notifications = recordOf(params["notifications"] ?? {});
    const uris = notifications["resourceSubscriptions"];
    const wanted = new Set(Array.isArray(uris) ? uris.map(String) : []);
    for (const uri of wanted) this.#count(uri);
    this.#hold(response, wanted, id);
    const ack = { _meta: { [tag]: id }, notifications };
    send(response, { jsonrpc: "2.0", method: "notifications/subscriptions/acknowledged", params: ack });
  }

  #count(uri: string): void {
    this.subscribed.set(uri, (this.subscribed.get(uri) ?? 0) + 1);
  }

  #hold(response: ServerResponse, uris: Set<string>, id: unknown): void {
    const held: Held = { response, uris, id };
    this.#streams.add(held);
    response.on("close", () => this.#streams.delete(held));
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  }
}

function send(response: ServerResponse, message: object): void {
  response.write(`data: ${JSON.stringify(message)}\n\n`);
}
