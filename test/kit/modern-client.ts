// The SDK 2.x client with every handler that a server may ask for, and a record of what the server sent.
import { Client, LOG_LEVEL_META_KEY, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type {
  CallToolResult,
  ClientCapabilities,
  ListRootsResult,
  LoggingLevel,
  McpSubscription,
  ProtocolEra,
  SubscriptionFilter,
  Transport,
  VersionNegotiationMode,
} from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import type { Asked, Target } from "./client.ts";
import { createNotices } from "./notices.ts";
import type { Notice, Notified } from "./notices.ts";
import { projectRoot } from "./process.ts";

/** The revision that a client of the modern era is held to. */
export const modernRevision = "2026-07-28";

export interface ModernClientOptions {
  readonly name?: string;
  /** `modern` accepts nothing else, `auto` finds out, `legacy` never asks; by default `modern`. */
  readonly era?: "modern" | "legacy" | "auto";
  /** The only revision that this client speaks; by default all of the SDK's. */
  readonly revision?: string;
  /** Capabilities to declare; by default all of them. */
  readonly capabilities?: ClientCapabilities;
  /** What this client's model says. */
  readonly modelText?: string;
  /** What this client's user fills in. */
  readonly formContent?: Record<string, string | number | boolean | string[]>;
  /** What this client's user does with an address; nothing by default. */
  readonly openUrl?: (url: string) => Promise<void>;
  readonly roots?: ListRootsResult["roots"];
  /** How many rounds of input a call may take; by default the SDK's. */
  readonly maxRounds?: number;
  /** How long the probe for the era may take. */
  readonly probeTimeoutMs?: number;
}

/** What one call may ask for. */
export interface CallOptions {
  readonly logLevel?: LoggingLevel;
  readonly progressToken?: string | number;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** A connected client; `await using` closes it. */
export interface ModernTestClient extends AsyncDisposable {
  readonly client: Client;
  readonly transport: Transport;
  /** The era that was agreed on. */
  readonly era: ProtocolEra;
  /** Notifications in the order of arrival, those of listen streams too. */
  readonly notifications: readonly Notice[];
  /** Requests of the server in the order of arrival: in both eras they reach the same handlers. */
  readonly asked: readonly Asked[];
  /** Calls a tool; asked questions are answered until it is done. */
  call(name: string, args?: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<CallToolResult>;
  /** Calls a tool and gives its first text. */
  callText(name: string, args?: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<string>;
  /** Opens a listen stream; resolves when it is acknowledged. */
  listen(filter: SubscriptionFilter): Promise<McpSubscription>;
  /** Waits until a notification (also an earlier one) satisfies the condition. */
  readonly notified: Notified;
}

const allCapabilities: ClientCapabilities = {
  sampling: {},
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
};

/** Connects a client. */
export async function connectModern(target: Target, options: ModernClientOptions = {}): Promise<ModernTestClient> {
  const capabilities = options.capabilities ?? allCapabilities;
  const { probeTimeoutMs: timeoutMs, maxRounds, revision } = options;
  const client = new Client(
    { name: options.name ?? "modern-test-client", version: "1.0.0" },
    {
      capabilities,
      versionNegotiation: { mode: modeOf(options), ...(timeoutMs !== undefined && { probe: { timeoutMs } }) },
      ...(maxRounds !== undefined && { inputRequired: { maxRounds } }),
      ...(revision !== undefined && { supportedProtocolVersions: [revision] }),
    },
  );
  const asked: Asked[] = [];
  answerRequests(client, capabilities, options, asked);
  const transport = createTransport(target);
  // At the transport, before the client is: no handler can hide a notification, and none comes too early.
  const notices = createNotices();
  transport.onmessage = (message): void => notices.take(message);
  await client.connect(transport);
  const call: ModernTestClient["call"] = (name, args = {}, { signal, timeoutMs: timeout, ...more } = {}) =>
    client.callTool(
      { name, arguments: { ...args }, _meta: metaOf(more) },
      { ...(signal && { signal }), ...(timeout !== undefined && { timeout }) },
    );
  return {
    client,
    transport,
    era: client.getProtocolEra() ?? "legacy",
    asked,
    notifications: notices.all,
    notified: notices.notified,
    call,
    callText: async (name, args, more) => textIn(await call(name, args, more)),
    listen: (filter) => client.listen(filter),
    [Symbol.asyncDispose]: () => closeClient(client, transport),
  };
}

/** The first text block of a result. */
export function textIn({ content }: CallToolResult): string {
  const [first] = content;
  if (first?.type === "text") return first.text;
  throw new Error(`no text in ${JSON.stringify(content)}`);
}

function modeOf({ era = "modern" }: ModernClientOptions): VersionNegotiationMode {
  return era === "modern" ? { pin: modernRevision } : era;
}

function metaOf({ logLevel, progressToken, meta }: CallOptions): Record<string, unknown> {
  return {
    ...meta,
    ...(logLevel !== undefined && { [LOG_LEVEL_META_KEY]: logLevel }),
    ...(progressToken !== undefined && { progressToken }),
  };
}

async function closeClient(client: Client, transport: Transport): Promise<void> {
  if (transport instanceof StreamableHTTPClientTransport) await transport.terminateSession().catch(() => {});
  await client.close();
}

function createTransport(target: Target): Transport {
  if ("url" in target) {
    const { headers = {} } = target;
    const requestInit = { headers: { ...headers } };
    return new StreamableHTTPClientTransport(new URL(target.url), { requestInit, fetch: fetchHeld });
  }
  const [command, args] = target.command;
  return new StdioClientTransport({
    command,
    args: [...args],
    cwd: projectRoot,
    env: { ...target.env },
    stderr: "pipe",
  });
}

/** Fetch whose body ends with its signal for certain: Deno forgets the signal when it collects the request. */
async function fetchHeld(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init);
  const { signal } = init;
  if (response.body === null || signal === undefined || signal === null) return response;
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  const drop = (): void => {
    reader.cancel().catch(() => {});
  };
  if (signal.aborted) drop();
  signal.addEventListener("abort", drop, { once: true });
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}

function answerRequests(
  client: Client,
  declared: ClientCapabilities,
  options: ModernClientOptions,
  asked: Asked[],
): void {
  if (declared.sampling)
    client.setRequestHandler("sampling/createMessage", ({ method, params }) => {
      asked.push({ method, params });
      const text = options.modelText ?? "An answer of the test model";
      return { role: "assistant", model: "test-model", stopReason: "endTurn", content: { type: "text", text } };
    });
  if (declared.elicitation)
    client.setRequestHandler("elicitation/create", async ({ method, params }) => {
      asked.push({ method, params });
      if (params.mode === "url") {
        await options.openUrl?.(params.url);
        return { action: "accept" };
      }
      return { action: "accept", content: options.formContent ?? { name: "Ada" } };
    });
  if (declared.roots)
    client.setRequestHandler("roots/list", ({ method, params }) => {
      asked.push({ method, params });
      return { roots: options.roots ?? [{ uri: "file:///tmp/root", name: "root" }] };
    });
}
