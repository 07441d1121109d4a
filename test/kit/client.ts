// The SDK 1.x client with every handler that a server may ask for, and a record of what the server sent.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type {
  ClientCapabilities,
  CreateMessageResult,
  ElicitResult,
  ListRootsResult,
  Result,
} from "@modelcontextprotocol/sdk/types.js";
import { createNotices } from "./notices.ts";
import type { Notice, Notified } from "./notices.ts";
import { projectRoot } from "./process.ts";

/** The URL of a stream of the old HTTP+SSE. */
export interface SseTarget {
  readonly sse: string;
}

/** Where the server is: a URL, or a command that serves on stdin and stdout. */
export type Target =
  | { readonly url: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly command: readonly [string, readonly string[]]; readonly env?: Readonly<Record<string, string>> };

export interface ClientOptions {
  readonly name?: string;
  /** Capabilities to declare; by default all of them. */
  readonly capabilities?: ClientCapabilities;
  /** What this client's model says. */
  readonly modelText?: string;
  /** What this client's user fills in. */
  readonly formContent?: NonNullable<ElicitResult["content"]>;
  readonly roots?: ListRootsResult["roots"];
}

/** One thing that the server asked of this client. */
export interface Asked {
  readonly method: string;
  readonly params: unknown;
}

/** A connected client; `await using` closes it. */
export interface TestClient extends AsyncDisposable {
  readonly client: Client;
  readonly transport: Transport;
  /** Notifications in the order of arrival; progress too, also when a call listens for it. */
  readonly notifications: readonly Notice[];
  /** Requests of the server in the order of arrival. */
  readonly asked: readonly Asked[];
  /** Calls a tool; the result is not checked against a schema. */
  call(
    name: string,
    args?: Readonly<Record<string, unknown>>,
    meta?: Readonly<Record<string, unknown>>,
  ): Promise<Result>;
  /** Calls a tool and gives its first text. */
  callText(name: string, args?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Waits until a notification (also an earlier one) satisfies the condition. */
  readonly notified: Notified;
}

const allCapabilities: ClientCapabilities = {
  sampling: {},
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
};

/** Connects a client. */
export async function connectClient(target: Target | SseTarget, options: ClientOptions = {}): Promise<TestClient> {
  const capabilities = options.capabilities ?? allCapabilities;
  const client = new Client({ name: options.name ?? "test-client", version: "1.0.0" }, { capabilities });
  const asked: Asked[] = [];
  answerRequests(client, capabilities, options, asked);
  const transport = createTransport(target);
  // At the transport, before the client is: no handler can hide a notification, and none comes too early.
  const notices = createNotices();
  transport.onmessage = (message): void => notices.take(message);
  await client.connect(transport);
  const call: TestClient["call"] = (name, args = {}, meta) =>
    client.request(
      { method: "tools/call", params: { name, arguments: args, ...(meta && { _meta: meta }) } },
      ResultSchema,
    );
  return {
    client,
    transport,
    asked,
    notifications: notices.all,
    notified: notices.notified,
    call,
    callText: async (name, args) => textOf(await call(name, args)),
    [Symbol.asyncDispose]: () => closeClient(client, transport),
  };
}

/** The first text block of a result. */
export function textOf(result: Result): string {
  const content: unknown = result["content"];
  const first: unknown = Array.isArray(content) ? content[0] : undefined;
  if (typeof first === "object" && first !== null && "text" in first) return String(first.text);
  throw new Error(`no text in ${JSON.stringify(result)}`);
}

async function closeClient(client: Client, transport: Transport): Promise<void> {
  if (transport instanceof StreamableHTTPClientTransport) await transport.terminateSession().catch(() => {});
  await client.close();
}

function createTransport(target: Target | SseTarget): Transport {
  if ("url" in target) {
    const { headers = {} } = target;
    return new StreamableHTTPClientTransport(new URL(target.url), { requestInit: { headers: { ...headers } } });
  }
  if ("sse" in target) return new SSEClientTransport(new URL(target.sse));
  const [command, args] = target.command;
  return new StdioClientTransport({
    command,
    args: [...args],
    cwd: projectRoot,
    env: { ...target.env },
    stderr: "pipe",
  });
}

function answerRequests(client: Client, declared: ClientCapabilities, options: ClientOptions, asked: Asked[]): void {
  if (declared.sampling)
    client.setRequestHandler(CreateMessageRequestSchema, ({ method, params }): CreateMessageResult => {
      asked.push({ method, params });
      const text = options.modelText ?? "An answer of the test model";
      return { role: "assistant", model: "test-model", stopReason: "endTurn", content: { type: "text", text } };
    });
  if (declared.elicitation)
    client.setRequestHandler(ElicitRequestSchema, ({ method, params }): ElicitResult => {
      asked.push({ method, params });
      if (params.mode === "url") return { action: "accept" };
      return { action: "accept", content: options.formContent ?? { name: "Ada" } };
    });
  if (declared.roots)
    client.setRequestHandler(ListRootsRequestSchema, ({ method, params }): ListRootsResult => {
      asked.push({ method, params });
      return { roots: options.roots ?? [{ uri: "file:///tmp/root", name: "root" }] };
    });
}
