// A gateway inside the test, and a client that speaks to it through `Gateway.handle`, without sockets of its own.
import assert from "node:assert/strict";
import type { Limits } from "../../lib/config/limits.ts";
import { backendDefaults, defaultPlan, freeze, type Plan, type Timeouts } from "../../lib/config/plan.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { SseParser } from "../../lib/core/sse.ts";
import type { Supervisor } from "../../lib/crew.ts";
import { Gateway } from "../../lib/gateway.ts";
import { exchange } from "./exchange.ts";
import { type Message, type Peer, record, startPeer, within } from "./peer.ts";

export interface Settings {
  readonly timeouts?: Partial<Timeouts>;
  readonly limits?: Partial<Limits>;
  readonly plan?: Partial<Plan>;
  /** URLs of the backends by name; by default one peer called `peer`. */
  readonly backends?: Readonly<Record<string, string>>;
  /** Where it is one of several workers. */
  readonly supervisor?: Supervisor;
}

export interface Bench extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly peer: Peer;
  readonly logged: readonly string[];
  client(version?: string): Promise<FrontClient>;
}

/** A gateway with a backend that is up. */
export async function startBench(settings: Settings = {}): Promise<Bench> {
  const peer = await startPeer();
  const logged: string[] = [];
  const gateway = await createGateway(settings, settings.backends ?? { peer: peer.url }, logged);
  await gateway.settled(5_000);
  return {
    gateway,
    peer,
    logged,
    client: async (version) => {
      const client = new FrontClient(gateway);
      await client.initialize(version);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await peer[Symbol.asyncDispose]();
    },
  };
}

export async function createGateway(
  settings: Settings,
  urls: Readonly<Record<string, string>>,
  logged: string[] = [],
): Promise<Gateway> {
  const backends = Object.entries(urls).map(([name, url]) => ({
    ...backendDefaults,
    name: name as BackendName,
    replicas: [{ kind: "http" as const, url, headers: {} }],
  }));
  const base = defaultPlan(backends);
  const plan = freeze({
    ...base,
    ...settings.plan,
    limits: { ...base.limits, ...settings.limits },
    timeouts: { ...base.timeouts, drainMs: 200, ...settings.timeouts },
  });
  const observer = {
    log: (level: string, source: string, text: string): void => void logged.push(`${level} ${source}: ${text}`),
  };
  return await Gateway.open({ plan, version: "0.0.0", observer, supervisor: settings.supervisor });
}

export type Changes = Readonly<Record<string, string | undefined>>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as a JSON object, empty where it is none. */
  readonly json: Message;
}

const address = "http://127.0.0.1:7337";

export class FrontClient {
  readonly gateway: Gateway;
  path = "/mcp";
  sessionId: string | undefined;
  version: string | undefined;
  /** What it shows with each request. */
  token: string | undefined;
  #lastId = 0;

  constructor(gateway: Gateway) {
    this.gateway = gateway;
  }

  async initialize(version: string = "2025-11-25", capabilities: Message = {}): Promise<Message> {
    const params = { protocolVersion: version, capabilities, clientInfo: { name: "test", version: "1" } };
    const answer = await this.post({ jsonrpc: "2.0", id: "init", method: "initialize", params });
    assert.equal(answer.status, 200, answer.text);
    this.sessionId = answer.headers.get("mcp-session-id") ?? undefined;
    this.version = version;
    return record(answer.json["result"]);
  }

  send(
    method: string,
    body?: string | Uint8Array<ArrayBuffer> | object,
    changes: Changes = {},
    signal?: AbortSignal,
    base: string = address,
  ): Promise<Response> {
    const headers = new Headers({ accept: "application/json, text/event-stream", "content-type": "application/json" });
    if (this.sessionId !== undefined) headers.set("mcp-session-id", this.sessionId);
    if (this.version !== undefined) headers.set("mcp-protocol-version", this.version);
    if (this.token !== undefined) headers.set("authorization", `Bearer ${this.token}`);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) headers.delete(name);
      else headers.set(name, value);
    }
    const bytes =
      body === undefined || typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
    const request = new Request(base + this.path, {
      method,
      headers,
      ...(bytes !== undefined && { body: bytes }),
      ...(signal && { signal }),
    });
    return within(
      exchange((incoming) => this.gateway.handle(incoming), request),
      `the head of the answer to ${method}`,
    );
  }

  async post(body: string | Uint8Array<ArrayBuffer> | object, changes: Changes = {}): Promise<Answer> {
    return read(await this.send("POST", body, changes));
  }

  /** Calls the tool of the backend; resolves with the head of the answer. */
  call(id: string | number = this.#nextId(), signal?: AbortSignal, changes: Changes = {}): Promise<Response> {
    return this.send("POST", callMessage(id), changes, signal);
  }

  notify(method: string, params: Message = {}): Promise<Answer> {
    return this.post({ jsonrpc: "2.0", method, params });
  }

  async listen(lastEventId?: string): Promise<Events> {
    return new Events(await this.send("GET", undefined, { accept: "text/event-stream", "last-event-id": lastEventId }));
  }

  async delete(): Promise<Answer> {
    return read(await this.send("DELETE"));
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

export function callMessage(id: string | number, method: string = "tools/call"): Message {
  const params = { name: "peer__work", arguments: {}, _meta: { progressToken: `t${id}` } };
  return { jsonrpc: "2.0", id, method, params };
}

export async function read(response: Response): Promise<Answer> {
  const text = await within(response.text(), "the end of the answer");
  let json: Message = {};
  try {
    json = record(JSON.parse(text));
  } catch {
    // No JSON: `json` stays empty.
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** The code of the JSON-RPC error that was answered. */
export function codeOf({ json }: Answer): unknown {
  return record(json["error"])["code"];
}

/** What a test compares of one event. */
export interface Heard {
  readonly id: string | undefined;
  readonly retryMs: number | undefined;
  readonly message: Message | undefined;
  readonly text: string;
}

/** The events of a stream as they arrive. */
export class Events {
  readonly response: Response;
  readonly #reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;
  readonly #parser = new SseParser(2 ** 30);
  readonly #ready: Heard[] = [];
  /** Everything that came, comments too. */
  raw = "";

  constructor(response: Response) {
    assert.equal(response.headers.get("content-type"), "text/event-stream", `status ${response.status}`);
    assert.ok(response.body);
    this.response = response;
    this.#reader = response.body.getReader();
  }

  /** The next event; undefined at the end. */
  async next(): Promise<Heard | undefined> {
    while (this.#ready.length === 0) if (!(await this.pull())) return undefined;
    return this.#ready.shift();
  }

  /** The next event that holds a message. */
  async message(): Promise<Message> {
    for (;;) {
      const event = await this.next();
      if (!event) throw new Error("the stream ended");
      if (event.message) return event.message;
    }
  }

  /** All that is left, once the stream has ended. */
  async rest(): Promise<readonly Heard[]> {
    const all: Heard[] = [];
    for (let event = await this.next(); event; event = await this.next()) all.push(event);
    return all;
  }

  /** The messages that are left, once the stream has ended. */
  async messages(): Promise<readonly Message[]> {
    const all: Message[] = [];
    for (const { message } of await this.rest()) if (message) all.push(message);
    return all;
  }

  /** Reads one chunk; false at the end. */
  async pull(): Promise<boolean> {
    const { value, done } = await within(this.#reader.read(), "the next event");
    if (done || !value) return false;
    this.raw += new TextDecoder().decode(value);
    for (const { id, retryMs, data } of this.#parser.push(value)) {
      const text = data ? new TextDecoder().decode(data) : "";
      this.#ready.push({ id, retryMs, text, message: text === "" ? undefined : record(JSON.parse(text)) });
    }
    return true;
  }

  /** The client drops the connection. */
  drop(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** Text of the result of a tool call. */
export function resultText(message: Message): unknown {
  const content = record(message["result"])["content"];
  return Array.isArray(content) ? record(content[0])["text"] : undefined;
}

/** Value of a progress notification. */
export function progressOf(message: Message): unknown {
  return record(message["params"])["progress"];
}
