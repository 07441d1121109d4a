// A legacy server in this process that a test holds by its strings: it answers, holds what comes, is away
// behind a balancer, or is there and fails.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { recordOf } from "../e2e/kit.ts";

export type Mood = "well" | "frozen" | "away" | "broken";

interface Request {
  readonly id: unknown;
  readonly method: string;
  readonly tool: string;
  readonly answer: () => void;
  /** Breaks the connection. */
  readonly drop: () => void;
}

const tools = [
  { name: "read", inputSchema: { type: "object" }, annotations: { readOnlyHint: true } },
  { name: "put", inputSchema: { type: "object" }, annotations: { idempotentHint: true } },
  { name: "add", inputSchema: { type: "object" } },
];

export class Puppet implements AsyncDisposable {
  readonly name: string;
  /** What came while it was frozen. */
  held: Request[] = [];
  /** Everything that was asked for, by tool or method, of JSON-RPC or of HTTP. */
  readonly asked: string[] = [];
  /** Messages that came while it was away or broken, and looks at it. */
  missed = 0;
  looks = 0;
  /** So many calls of tools are put off first, by an error of JSON-RPC. */
  busy = 0;
  /** What it answers to the question whether it wants calls. */
  healthStatus = 200;
  #mood: Mood;
  readonly #server = createServer((request, response) => this.#take(request, response));

  private constructor(name: string, mood: Mood) {
    this.name = name;
    this.#mood = mood;
  }

  static async start(name: string, mood: Mood = "well"): Promise<Puppet> {
    const puppet = new Puppet(name, mood);
    await new Promise<void>((resolve) => void puppet.#server.listen(0, "127.0.0.1", resolve));
    return puppet;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/mcp`;
  }

  become(mood: Mood): void {
    this.#mood = mood;
    if (mood === "well") for (const { answer } of this.held.splice(0)) answer();
  }

  /** Of what it holds, those of this tool or method. */
  holds(what: string): readonly Request[] {
    return this.held.filter(({ tool, method }) => tool === what || method === what);
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => void chunks.push(chunk));
    request.on("end", () => {
      if (this.#mood === "away" || this.#mood === "broken") {
        if (request.method === "POST") this.missed += 1;
        else this.looks += 1;
        const status = this.#mood === "away" ? 502 : request.method === "POST" ? 500 : 405;
        return void response.writeHead(status).end();
      }
      if (request.url === "/healthz") {
        this.asked.push("health");
        return void response.writeHead(this.healthStatus).end();
      }
      if (request.method !== "POST") {
        this.asked.push(request.method ?? "");
        return void response.writeHead(405).end();
      }
      const { id, method, params } = recordOf(JSON.parse(Buffer.concat(chunks).toString("utf8")));
      if (id === undefined) return void response.writeHead(202).end();
      const { name } = recordOf(params);
      const tool = typeof name === "string" ? name : "";
      const result = this.#resultOf(String(method));
      const body = JSON.stringify({ jsonrpc: "2.0", id, ...(result ? { result } : { error: { code: -32601 } }) });
      const answer = (): void => void response.writeHead(200, { "content-type": "application/json" }).end(body);
      this.asked.push(tool === "" ? String(method) : tool);
      if (tool !== "" && this.busy > 0) {
        this.busy -= 1;
        const error = { code: -32000, message: "Too many requests" };
        const headers = { "content-type": "application/json", "retry-after": "1" };
        return void response.writeHead(429, headers).end(JSON.stringify({ jsonrpc: "2.0", id, error }));
      }
      if (this.#mood === "well") return answer();
      this.held.push({ id, method: String(method), tool, answer, drop: () => void request.socket.destroy() });
    });
  }

  #resultOf(method: string): object | undefined {
    const serverInfo = { name: this.name, version: "1" };
    const results: Readonly<Record<string, object>> = {
      initialize: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo },
      ping: {},
      "tools/list": { tools },
      "tools/call": { content: [{ type: "text", text: this.name }] },
    };
    return results[method];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => void this.#server.close(resolve));
  }
}
