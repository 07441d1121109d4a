// A backend whose tools fail in every way there is, and remembers what it was sent; and what a gateway says of itself.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { Gateway } from "../../lib/gateway.ts";
import { FrontClient, read } from "../front/kit.ts";
import { type Message, Queue, record } from "../front/peer.ts";

const answer = (response: ServerResponse, body: Message, status = 200): void =>
  void response
    .writeHead(status, { "content-type": "application/json", "mcp-session-id": "s1" })
    .end(JSON.stringify({ jsonrpc: "2.0", ...body }));

const tools = ["ok", "fail", "wrong", "own", "slow", "drop", "ask"].map((name) => ({
  name,
  inputSchema: { type: "object" },
  annotations: { readOnlyHint: true },
}));

export interface Heard {
  readonly headers: IncomingHttpHeaders;
  readonly message: Message;
}

export class FaultyServer implements AsyncDisposable {
  readonly heard: Heard[] = [];
  /** Calls of `slow`: each answers when it is told to. */
  readonly slow: Queue<() => void> = new Queue();
  readonly #server: Server;
  #asked: () => void = () => {};
  url = "";
  /** What it lists. */
  tools: readonly Message[] = tools;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Uint8Array[] = [];
      request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      request.on("end", () => this.#serve(request.method, request.headers, Buffer.concat(chunks).toString(), response));
    });
  }

  static async start(port = 0): Promise<FaultyServer> {
    const server = new FaultyServer();
    await new Promise<void>((resolve) => {
      server.#server.listen(port, "127.0.0.1", resolve);
    });
    const address = server.#server.address();
    assert.ok(address && typeof address === "object");
    server.url = `http://127.0.0.1:${address.port}/mcp`;
    return server;
  }

  /** What it was sent of a method. */
  of(method: string): readonly Heard[] {
    return this.heard.filter(({ message }) => message["method"] === method);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(method: string | undefined, headers: IncomingHttpHeaders, body: string, response: ServerResponse): void {
    if (method === "GET") return void response.writeHead(405).end();
    if (method !== "POST") return void response.writeHead(200).end();
    const message = record(JSON.parse(body));
    this.heard.push({ headers, message });
    const { id } = message;
    if (message["method"] === undefined) this.#asked();
    if (id === undefined || message["method"] === undefined) return void response.writeHead(202).end();
    const params = record(message["params"]);
    if (message["method"] === "tools/call") return this.#call(String(params["name"]), id, response);
    const result = message["method"] === "tools/list" ? { tools: this.tools } : resultOf(message["method"], params);
    if (!result) return answer(response, { id, error: { code: -32601, message: "unknown" } });
    answer(response, { id, result });
  }

  #call(tool: string, id: unknown, response: ServerResponse): void {
    const said = (text: string, more: Message = {}): void =>
      answer(response, { id, result: { content: [{ type: "text", text }], ...more } });
    switch (tool) {
      case "fail":
        return said("it failed", { isError: true });
      case "wrong":
        return answer(response, { id, error: { code: -32602, message: "wrong arguments" } });
      case "own":
        return answer(response, { id, error: { code: 77, message: "its own code" } });
      case "slow":
        return this.slow.push(() => said("late"));
      case "drop":
        return void response.destroy();
      case "ask": {
        const params = { message: "well?", requestedSchema: { type: "object", properties: {} } };
        const ask = { jsonrpc: "2.0", id: "q1", method: "elicitation/create", params };
        response.writeHead(200, { "content-type": "text/event-stream", "mcp-session-id": "s1" });
        response.write(`data: ${JSON.stringify(ask)}\n\n`);
        this.#asked = () =>
          response.end(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result: { content: [] } })}\n\n`);
        return;
      }
      default:
        return said("well");
    }
  }
}

function resultOf(method: unknown, params: Message): Message | undefined {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: params["protocolVersion"],
        capabilities: { tools: {}, resources: { subscribe: true } },
        serverInfo: { name: "faulty", version: "1" },
      };
    case "resources/list":
      return { resources: [{ uri: "test://a", name: "a" }] };
    case "resources/templates/list":
      return { resourceTemplates: [] };
    case "resources/read":
      return { contents: [{ uri: params["uri"], text: "a" }], ttlMs: 60_000, cacheScope: "public" };
    case "ping":
    case "resources/subscribe":
      return {};
    default:
      return undefined;
  }
}

/** Samples by name and labels, as they are written. */
export type Samples = ReadonlyMap<string, number>;

export function parseMetrics(text: string): Samples {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const [, name = "", value = ""] = /^(\S+?(?:\{.*?\})?) (\S+)(?: # .*)?$/.exec(line) ?? [];
    assert.notEqual(name, "", line);
    assert.ok(!samples.has(name), `${name} twice`);
    samples.set(name, Number(value));
  }
  return samples;
}

/** The family that a sample belongs to. */
export function familyOf(sample: string): string {
  return sample.replace(/\{.*$/, "").replace(/_(?:bucket|sum|count)$/, "");
}

/** The sum of all samples of this name whose labels have these values. */
export function sumOf(samples: Samples, name: string, labels: Readonly<Record<string, string>> = {}): number {
  let sum = 0;
  for (const [key, value] of samples) {
    const has = Object.entries(labels).every(([label, text]) => key.includes(`${label}="${text}"`));
    if (key.replace(/\{.*$/, "") === name && has) sum += value;
  }
  return sum;
}

/** What `/metrics` says. */
export async function scrape(gateway: Gateway, accept: string = "*/*"): Promise<string> {
  const client = new FrontClient(gateway);
  client.path = "/metrics";
  const answer = await read(await client.send("GET", undefined, { accept }));
  assert.equal(answer.status, 200, answer.text);
  return answer.text;
}

export async function metricsOf(gateway: Gateway): Promise<Samples> {
  return parseMetrics(await scrape(gateway));
}

/** A call of a tool. */
export function tool(name: string, id: number, args: object = {}): object {
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } };
}
