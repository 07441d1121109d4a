// What the hand-written server answers, as raw text: no SDK and no schema touches these bytes.
import process from "node:process";

/** How the raw server misbehaves; see `raw-server.ts`. */
export interface RawOptions {
  readonly silent: boolean;
  readonly hangList: boolean;
  readonly garbage: boolean;
  readonly exitAfterInit: boolean;
  readonly pages: number;
  readonly loopCursor: boolean;
  readonly bigint: boolean;
  readonly version: string | undefined;
  readonly name: string;
  readonly delayMs: number;
  readonly tools: readonly string[];
  readonly instructions: string | undefined;
  /** The process that `--grandchild` started. */
  readonly grandchildPid: number | undefined;
}

/** What becomes of one received message. */
export type Outcome =
  /** Send this text. */
  | { readonly kind: "answer"; readonly text: string; readonly afterMs: number }
  /** It needs no answer: a notification or a response. */
  | { readonly kind: "accept" }
  /** It waits for an answer and gets none. */
  | { readonly kind: "hang" }
  /** End the process (stdio) or the connection (HTTP) without an answer. */
  | { readonly kind: "drop" }
  /** The handshake is complete and the server was asked to end after it. */
  | { readonly kind: "exit" };

/** The result of the tool `raw`, byte for byte: unknown fields, a vendor type, integers of 64 bits, odd spacing. */
export const rawResult: string =
  '{"x-before":{"big":9007199254740993},  "content":[{"type":"text","text":"raw \\u00e9\\ud83d\\ude00","x-extra":1.50},' +
  '{"type":"x-vendor/blob","z":1,"a":[18446744073709551615,-0.0,1e+2]}],"_meta":{"vendor.example/id":9007199254740993},"x-after":null}';

interface Received {
  readonly id: string | number | undefined;
  readonly method: string | undefined;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Decides what to do with one received message. */
export function outcomeOf(message: string, options: RawOptions): Outcome {
  const received = parse(message);
  if (received.method === "notifications/initialized" && options.exitAfterInit) return { kind: "exit" };
  if (received.id === undefined || received.method === undefined) return { kind: "accept" };
  const isInitialize = received.method === "initialize";
  if (isInitialize && options.silent) return { kind: "hang" };
  if (received.method === "tools/list" && options.hangList) return { kind: "hang" };
  const tool = received.method === "tools/call" ? received.params["name"] : undefined;
  if (tool === "hang") return { kind: "hang" };
  if (tool === "reset") return { kind: "drop" };
  const body = bodyOf(message, received, options);
  const text = `{"jsonrpc":"2.0","id":${JSON.stringify(received.id)},${body}}`;
  const { ms } = { ms: 0, ...recordOf(received.params["arguments"]) };
  const waits = tool === "wait" && typeof ms === "number" ? ms : 0;
  return { kind: "answer", text, afterMs: isInitialize ? 0 : options.delayMs + waits };
}

/** The method of a message, if it has one. */
export function methodOf(message: string): string | undefined {
  return parse(message).method;
}

/** The tool that a message calls, if it calls one. */
export function toolOf(message: string): unknown {
  const { method, params } = parse(message);
  return method === "tools/call" ? params["name"] : undefined;
}

function bodyOf(message: string, { method = "", params }: Received, options: RawOptions): string {
  switch (method) {
    case "initialize":
      return `"result":${initializeResult(params, options)}`;
    case "ping":
      return '"result":{}';
    case "tools/list":
      return listTools(params, options);
    case "tools/call":
      return callTool(message, params, options);
    default:
      return '"error":{"code":-32601,"message":"Method not found","data":{"x-raw":9007199254740993}}';
  }
}

function initializeResult(params: Received["params"], { version, name, instructions }: RawOptions): string {
  return JSON.stringify({
    protocolVersion: version ?? params["protocolVersion"],
    capabilities: { tools: { listChanged: true } },
    serverInfo: { name, version: "0.0.1" },
    instructions,
  });
}

function listTools(params: Received["params"], { pages, loopCursor, tools }: RawOptions): string {
  const cursor = params["cursor"];
  if (pages === 0) return `"result":{"tools":[${tools.map(toolJson).join(",")}]}`;
  const page = cursor === undefined ? 0 : Number(cursor);
  if (!Number.isInteger(page) || page < 0 || page >= pages) return '"error":{"code":-32602,"message":"Invalid cursor"}';
  const next = loopCursor ? 0 : page + 1;
  const nextCursor = next < pages ? `,"nextCursor":"${next}"` : "";
  return `"result":{"tools":[${toolJson(`page_${page}`)}]${nextCursor}}`;
}

function toolJson(name: string): string {
  return `{"name":${JSON.stringify(name)},"description":"Raw tool","inputSchema":{"type":"object"},"x-raw":9007199254740993}`;
}

function callTool(message: string, params: Received["params"], options: RawOptions): string {
  const name = params["name"];
  const args = recordOf(params["arguments"]);
  // The JSON text of an error, so that a test sees each byte of it again.
  if (name === "fail") return `"error":${String(args["error"])}`;
  if (name === "big") return textResult("x".repeat(Number(args["bytes"])));
  if (options.bigint || name === "raw") return `"result":${rawResult}`;
  if (name === "pid") return textResult(JSON.stringify({ pid: process.pid, grandchild: options.grandchildPid }));
  if (name === "size") return textResult(String(message.length));
  if (name === "wait" || name === "forget") return textResult("done");
  if (name === "echo" || String(name).startsWith("page_") || options.tools.includes(String(name)))
    return textResult(message);
  return `"error":{"code":-32602,"message":"Unknown tool: ${JSON.stringify(name)?.slice(1, -1) ?? ""}"}`;
}

function textResult(text: string): string {
  return `"result":{"content":[{"type":"text","text":${JSON.stringify(text)}}]}`;
}

function parse(message: string): Received {
  const value: unknown = JSON.parse(message);
  const fields = recordOf(value);
  const id = fields["id"];
  const method = fields["method"];
  return {
    id: typeof id === "string" || typeof id === "number" ? id : undefined,
    method: typeof method === "string" ? method : undefined,
    params: recordOf(fields["params"]),
  };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
