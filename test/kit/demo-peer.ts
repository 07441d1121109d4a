// A client of one demo backend over streams in memory: raw lines in, every message checked against the SDK's schema.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { CallToolResultSchema, JSONRPCMessageSchema } from "@modelcontextprotocol/sdk/types.js";
import { type DemoName, runDemo } from "../../lib/ops/demo.ts";

export type Message = Readonly<Record<string, unknown>>;

const isMessage = (value: unknown): value is Message =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A member that must be an object. */
export function member(value: unknown, ...path: readonly (string | number)[]): Message {
  let at: unknown = value;
  for (const name of path) {
    at = Array.isArray(at) && typeof name === "number" ? at[name] : isMessage(at) ? at[String(name)] : undefined;
  }
  assert.ok(isMessage(at), `${path.join(".")} is an object in ${JSON.stringify(value)}`);
  return at;
}

export class DemoPeer implements AsyncDisposable {
  readonly #input = new PassThrough();
  readonly #output = new PassThrough();
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<string, (message: Message) => void>();
  #buffer = "";
  #nextId = 1;
  /** Lines as they came. */
  readonly lines: string[] = [];
  /** Messages that the SDK's schema refuses. */
  readonly invalid: unknown[] = [];
  /** What came without an id, in order. */
  readonly notified: Message[] = [];

  constructor(name: DemoName, replica = "a") {
    this.#output.setEncoding("utf8");
    this.#output.on("data", (text: string) => this.#read(text));
    this.#ended = runDemo(name, replica, this.#input, this.#output);
  }

  #read(text: string): void {
    const lines = (this.#buffer + text).split("\n");
    this.#buffer = lines.pop() ?? "";
    for (const line of lines) {
      this.lines.push(line);
      const parsed: unknown = JSON.parse(line);
      for (const message of Array.isArray(parsed) ? parsed : [parsed]) this.#take(message);
    }
  }

  #take(message: unknown): void {
    if (!JSONRPCMessageSchema.safeParse(message).success) this.invalid.push(message);
    assert.ok(isMessage(message));
    const id = JSON.stringify(message["id"]);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting) waiting(message);
    else this.notified.push(message);
  }

  /** Writes text as it is; the caller adds the line break. */
  write(text: string | Uint8Array): void {
    this.#input.write(text);
  }

  notify(method: string, params?: unknown): void {
    this.write(`${JSON.stringify({ jsonrpc: "2.0", method, params })}\n`);
  }

  /** The message that answers an id. */
  answer(id: string | number): Promise<Message> {
    return new Promise((resolve) => this.#waiting.set(JSON.stringify(id), resolve));
  }

  send(method: string, params?: unknown, id: string | number = this.#nextId++): Promise<Message> {
    const answered = this.answer(id);
    this.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    return answered;
  }

  async result(method: string, params?: unknown): Promise<Message> {
    return member(await this.send(method, params), "result");
  }

  async error(method: string, params?: unknown): Promise<Message> {
    return member(await this.send(method, params), "error");
  }

  call(name: string, args?: unknown, meta?: unknown): Promise<Message> {
    return this.result("tools/call", { name, arguments: args, _meta: meta });
  }

  initialize(protocolVersion: string): Promise<Message> {
    const clientInfo = { name: "test", version: "1" };
    return this.result("initialize", { protocolVersion, capabilities: {}, clientInfo });
  }

  /** Ends the input and waits for the backend to end. */
  async end(): Promise<void> {
    this.#input.end();
    await this.#ended;
    assert.deepEqual(this.invalid, []);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

/** The text of a result that must be an error that the model can mend. */
export function mistakeText(result: Message): string {
  const { isError, content } = CallToolResultSchema.parse(result);
  assert.equal(isError, true);
  return content.map((item) => (item.type === "text" ? item.text : "")).join(" ");
}

/** The structured part of a result, which the text must repeat. */
export function structuredOf(result: Message): Message {
  const { isError, content } = CallToolResultSchema.parse(result);
  assert.notEqual(isError, true, JSON.stringify(result));
  const [first] = content;
  assert.ok(first?.type === "text");
  assert.deepEqual(JSON.parse(first.text), result["structuredContent"]);
  return member(result, "structuredContent");
}
