// A JSON-RPC server for MCP's legacy revisions by hand: a demo backend must not pay for the import of an SDK.

import { asGatewayError, GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import { isRecord } from "../core/text.ts";
import { allowsBatch, legacyCodec } from "../protocol/legacy.ts";
import { createLines, parseLine, type WriteLine } from "./demo-lines.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** One request on its way through a demo backend. */
export interface Call {
  /** Ends when the client cancels the request or goes away. */
  readonly scope: Scope;
  /** The negotiated revision. */
  readonly revision: string;
  /** Sends a progress notification if the client asked for them; `done` must grow from one to the next. */
  progress(done: number, total: number, message: string): void;
}

export type Method = (params: JsonObject, call: Call) => JsonObject | Promise<JsonObject>;

/** Sends a notification to the client. */
export type Notify = (method: string, params?: JsonObject) => void;

/** What a demo backend is: the answers of `initialize`, and a table of the methods that it adds to it and to `ping`. */
export interface DemoServer {
  readonly info: { readonly name: string; readonly title: string; readonly version: string };
  readonly capabilities: JsonObject;
  readonly instructions: string;
  readonly methods: ReadonlyMap<string, Method>;
}

/** Serves on the given streams until the input ends; calls that still wait are cancelled then. */
export async function serveDemo(
  create: (notify: Notify) => DemoServer,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<void> {
  const { write, run, flush } = createLines(input, output);
  {
    await using connection = new Connection(create, write);
    await run(connection);
  }
  await flush();
}

/** A string member of `params` that must be there. */
export function requireString(params: JsonObject, name: string): string {
  const value = params[name];
  if (typeof value === "string") return value;
  throw new GatewayError("invalidParams", `params.${name} must be a string, and is ${typeName(value)}`);
}

/** A value's JSON type, for messages. */
export function typeName(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return typeof value === "bigint" ? "a number" : `a ${typeof value}`;
}

type RequestId = string | number | bigint;

/** A message to send, or undefined where there is nothing to say. */
type Reply = string | undefined;

const isId = (value: unknown): value is RequestId =>
  typeof value === "string" || typeof value === "number" || typeof value === "bigint";

const rawJson = (id: RequestId): string => (typeof id === "bigint" ? String(id) : JSON.stringify(id));

class Connection implements AsyncDisposable {
  readonly #server: DemoServer;
  readonly #write: WriteLine;
  readonly #inFlight = new Map<string, Scope>();
  readonly #running = new Set<Promise<void>>();
  #revision = legacyCodec.negotiate("");

  constructor(create: (notify: Notify) => DemoServer, write: WriteLine) {
    this.#write = write;
    this.#server = create((method, params) => write(JSON.stringify({ jsonrpc: "2.0", method, params })));
  }

  line(text: string): void {
    try {
      const message = parseLine(text);
      this.#send(Array.isArray(message) ? this.#batch(message) : this.#receive(message));
    } catch (error) {
      this.#send(failure(undefined, error));
    }
  }

  overlong(limit: number): void {
    this.#send(failure(undefined, new GatewayError("tooLarge", `a message has more than ${limit} characters`)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const scope of [...this.#inFlight.values()]) scope.cancel(new Error("the client is gone"));
    await Promise.all(this.#running);
  }

  /** What is known at once is sent at once, so that answers keep the order of their requests. */
  #send(reply: Reply | Promise<Reply>): void {
    if (typeof reply === "string") this.#write(reply);
    if (!(reply instanceof Promise)) return;
    const sent = reply.then((text) => {
      if (text !== undefined) this.#write(text);
      this.#running.delete(sent);
    });
    this.#running.add(sent);
  }

  async #batch(messages: readonly unknown[]): Promise<Reply> {
    if (!allowsBatch(this.#revision)) {
      return failure(undefined, new GatewayError("invalidRequest", `revision ${this.#revision} has no batches`));
    }
    if (messages.length === 0) return failure(undefined, new GatewayError("invalidRequest", "the batch is empty"));
    const replies = await Promise.all(messages.map(async (message) => this.#receive(message, true)));
    const texts = replies.filter((reply) => reply !== undefined);
    return texts.length === 0 ? undefined : `[${texts.join(",")}]`;
  }

  #receive(message: unknown, batched = false): Reply | Promise<Reply> {
    if (!isRecord(message)) return refuse(undefined, "a message is a JSON object");
    const { jsonrpc, id, method, params } = message;
    // We send no requests, so there is no response to wait for; answering one would be answering an answer.
    if (method === undefined && ("result" in message || "error" in message)) return undefined;
    const known = isId(id) ? id : undefined;
    if (jsonrpc !== "2.0") return refuse(known, 'a message needs "jsonrpc": "2.0"');
    if (typeof method !== "string") return refuse(known, `method must be a string, and is ${typeName(method)}`);
    if (!("id" in message)) return this.#notified(method, params);
    if (known === undefined) return refuse(known, `id must be a string or an integer, and is ${typeName(id)}`);
    if (batched && method === "initialize") return refuse(known, "initialize may not be part of a batch");
    return this.#answer(known, method, params);
  }

  /** A notification has no answer, not even when it makes no sense. */
  #notified(method: string, params: unknown): undefined {
    if (method !== "notifications/cancelled" || !isRecord(params)) return;
    const { requestId, reason } = params;
    if (!isId(requestId)) return;
    const key = rawJson(requestId);
    const scope = this.#inFlight.get(key);
    this.#inFlight.delete(key);
    scope?.cancel(reason);
  }

  #answer(id: RequestId, method: string, params: unknown): Reply | Promise<Reply> {
    const key = rawJson(id);
    if (this.#inFlight.has(key)) return refuse(undefined, `id ${key} belongs to a request that is still running`);
    const scope = new Scope();
    this.#inFlight.set(key, scope);
    const settle = (reply: string): Reply => {
      // A cancelled call has left its id, which may be another call's by now.
      if (scope.cancelled) return undefined;
      this.#inFlight.delete(key);
      scope[Symbol.dispose]();
      return reply;
    };
    try {
      const result = this.#call(method, params ?? {}, scope);
      if (!(result instanceof Promise)) return settle(success(id, result));
      return result.then(
        (value) => settle(success(id, value)),
        (error: unknown) => settle(failure(id, error)),
      );
    } catch (error) {
      return settle(failure(id, error));
    }
  }

  #call(method: string, params: unknown, scope: Scope): JsonObject | Promise<JsonObject> {
    if (!isRecord(params)) {
      throw new GatewayError("invalidParams", `params of ${method} must be an object, and is ${typeName(params)}`);
    }
    if (method === "initialize") return this.#initialize(params);
    if (method === "ping") return {};
    const run = this.#server.methods.get(method);
    if (run) return run(params, { scope, revision: this.#revision, progress: this.#progress(params, scope) });
    const offered = ["initialize", "ping", ...this.#server.methods.keys()].join(", ");
    throw new GatewayError("unknownMethod", `${this.#server.info.name} has no method "${method}"; it has ${offered}`);
  }

  #initialize(params: JsonObject): JsonObject {
    this.#revision = legacyCodec.negotiate(requireString(params, "protocolVersion"));
    const { capabilities, info, instructions } = this.#server;
    return { protocolVersion: this.#revision, capabilities, serverInfo: info, instructions };
  }

  #progress(params: JsonObject, scope: Scope): Call["progress"] {
    const meta = params["_meta"];
    const token = isRecord(meta) ? meta["progressToken"] : undefined;
    if (token === undefined) return () => {};
    if (!isId(token)) {
      throw new GatewayError(
        "invalidParams",
        `progressToken must be a string or an integer, and is ${typeName(token)}`,
      );
    }
    const head = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${rawJson(token)},`;
    return (progress, total, message) => {
      if (!scope.cancelled) this.#write(`${head}${JSON.stringify({ progress, total, message }).slice(1)}}`);
    };
  }
}

const success = (id: RequestId, result: JsonObject): string =>
  `{"jsonrpc":"2.0","id":${rawJson(id)},"result":${JSON.stringify(result)}}`;

const refuse = (id: RequestId | undefined, message: string): string =>
  failure(id, new GatewayError("invalidRequest", message));

/** 2025-11-25, Basic, "Error Responses": where the id could not be read, the member is left out; null is no id in MCP. */
function failure(id: RequestId | undefined, error: unknown): string {
  const known = id === undefined ? "" : `"id":${rawJson(id)},`;
  return `{"jsonrpc":"2.0",${known}"error":${JSON.stringify(asGatewayError(error).toRpc())}}`;
}
