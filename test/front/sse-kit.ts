// A client over HTTP+SSE without an SDK, and a gateway that serves it on a socket.
import assert from "node:assert/strict";
import type { Plan } from "../../lib/config/plan.ts";
import { freeze } from "../../lib/config/plan.ts";
import { SseParser } from "../../lib/core/sse.ts";
import type { Gateway } from "../../lib/gateway.ts";
import { listen } from "../../lib/listen.ts";
import { type Answer, type Bench, type Changes, read, type Settings, startBench } from "./kit.ts";
import { type Message, record, within } from "./peer.ts";

export interface SseBench extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly peer: Bench["peer"];
  readonly plan: Plan;
  readonly port: number;
  url(path?: string): string;
  /** A client whose stream is open. */
  open(path?: string): Promise<SseTestClient>;
  /** One that has initialized too. */
  client(version?: string, capabilities?: Message): Promise<SseTestClient>;
}

export async function startSseBench(settings: Settings = {}): Promise<SseBench> {
  const bench = await startBench({ ...settings, plan: { front: { sse: true }, ...settings.plan } });
  const { gateway, peer } = bench;
  const listener = await listen({ host: "127.0.0.1", port: 0, handle: (request) => gateway.handle(request) });
  const url = (path = "/sse"): string => new URL(path, listener.url).href;
  const open = (path?: string): Promise<SseTestClient> => SseTestClient.open(url(path));
  return {
    gateway,
    peer,
    plan: gateway.plan,
    port: Number(listener.url.port),
    url,
    open,
    client: async (version, capabilities) => {
      const client = await open();
      await client.initialize(version, capabilities);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      await bench[Symbol.asyncDispose]();
      await listener.close(true);
    },
  };
}

export function withoutSse(plan: Plan): Plan {
  return freeze({ ...plan, front: { sse: false } });
}

export interface StreamEvent {
  readonly event: string | undefined;
  readonly text: string;
}

export class SseTestClient {
  readonly response: Response;
  /** Where the endpoint event says that messages go. */
  endpoint = "";
  /** Everything that came, comments too. */
  raw = "";
  readonly #url: string;
  readonly #reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read">;
  readonly #abort: AbortController;
  readonly #parser = new SseParser(2 ** 30);
  readonly #ready: StreamEvent[] = [];
  #lastId = 0;

  private constructor(url: string, response: Response, abort: AbortController) {
    assert.ok(response.body);
    this.#url = url;
    this.response = response;
    this.#abort = abort;
    this.#reader = response.body.getReader();
  }

  static async open(url: string): Promise<SseTestClient> {
    const abort = new AbortController();
    const headers = { accept: "text/event-stream" };
    const response = await within(fetch(url, { headers, signal: abort.signal }), "the head of the stream");
    assert.equal(response.headers.get("content-type"), "text/event-stream", String(response.status));
    const client = new SseTestClient(url, response, abort);
    const first = await client.next();
    assert.equal(first?.event, "endpoint");
    client.endpoint = first?.text ?? "";
    return client;
  }

  /** The next event; undefined at the end. */
  async next(): Promise<StreamEvent | undefined> {
    while (this.#ready.length === 0) if (!(await this.pull())) return undefined;
    return this.#ready.shift();
  }

  async message(): Promise<Message> {
    const event = await this.next();
    assert.equal(event?.event, "message");
    return record(JSON.parse(event?.text ?? ""));
  }

  /** Reads one chunk; false at the end. */
  async pull(): Promise<boolean> {
    const { value, done } = await within(this.#reader.read(), "the next event");
    if (done || !value) return false;
    this.raw += new TextDecoder().decode(value);
    for (const { event, data } of this.#parser.push(value))
      this.#ready.push({ event, text: new TextDecoder().decode(data) });
    return true;
  }

  /** All that is left, once the stream has ended. */
  async rest(): Promise<readonly StreamEvent[]> {
    const all: StreamEvent[] = [];
    for (let event = await this.next(); event; event = await this.next()) all.push(event);
    return all;
  }

  async post(body: string | object, changes: Changes = {}, to: string = this.endpoint): Promise<Answer> {
    const headers = new Headers({ "content-type": "application/json" });
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) headers.delete(name);
      else headers.set(name, value);
    }
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return read(await within(fetch(new URL(to, this.#url), { method: "POST", headers, body: text }), "a POST"));
  }

  /** Sends a request whose answer is the next message of the stream. */
  async request(method: string, params: Message = {}): Promise<Message> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = await this.post({ jsonrpc: "2.0", id, method, params });
    assert.deepEqual([answer.status, answer.text], [202, ""]);
    const reply = await this.message();
    assert.equal(reply["id"], id, JSON.stringify(reply));
    return reply;
  }

  async initialize(version: string = "2024-11-05", capabilities: Message = {}): Promise<Message> {
    const clientInfo = { name: "test", version: "1" };
    return record((await this.request("initialize", { protocolVersion: version, capabilities, clientInfo }))["result"]);
  }

  /** The client drops its stream. */
  drop(): void {
    this.#abort.abort();
  }
}
