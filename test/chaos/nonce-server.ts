// An MCP server of either era that writes down each execution by its nonce, and misbehaves once for a call that asks for it:
// `nonce-server.ts stdio|http --era legacy|modern --record FILE [--port N] [--delay MS]`.
import { appendFileSync, closeSync, existsSync, openSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const { positionals, values } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    era: { type: "string", default: "legacy" },
    record: { type: "string" },
    port: { type: "string", default: "0" },
    /** Of each call. */
    delay: { type: "string", default: "0" },
  },
});
const isModern = values.era === "modern";
const { record = "" } = values;
const recordFd = record === "" ? undefined : openSync(record, "a");

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};

interface Request {
  readonly id: unknown;
  readonly method: string;
  readonly params: Fields;
}

/** What is to go wrong with this call: only for the first replica that sees it, and only once. */
function faultOf({ method, params }: Request): string {
  const { nonce, fault } = fieldsOf(params["arguments"]);
  if (method !== "tools/call" || typeof fault !== "string" || record === "") return "";
  try {
    closeSync(openSync(`${record}.fault.${String(nonce)}`, "wx"));
    return fault;
  } catch {
    return "";
  }
}

const tool = (name: string, annotations: object): object => ({
  name,
  inputSchema: { type: "object" },
  annotations,
});
const tools = [
  tool("read", { readOnlyHint: true }),
  tool("put", { idempotentHint: true }),
  tool("add", { destructiveHint: true }),
];
const info = { name: "nonce", version: "1" };
const infoKey = "io.modelcontextprotocol/serverInfo";

function resultOf(request: Request): Fields | undefined {
  const complete = isModern ? { resultType: "complete" } : {};
  switch (request.method) {
    case "initialize":
      if (isModern) return undefined;
      return { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: info };
    case "server/discover":
      if (!isModern) return undefined;
      return {
        ...complete,
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: {} },
        ttlMs: 0,
        cacheScope: "public",
        _meta: { [infoKey]: info },
      };
    case "ping":
      return {};
    case "tools/list":
      return { ...complete, tools, ...(isModern ? { ttlMs: 60_000, cacheScope: "public" } : {}) };
    case "tools/call":
      return { ...complete, content: [{ type: "text", text: String(process.pid) }] };
    default:
      return undefined;
  }
}

function replyTo(request: Request): string {
  const result = resultOf(request);
  const rest = result ? { result } : { error: { code: -32601, message: `no ${request.method}` } };
  return JSON.stringify({ jsonrpc: "2.0", id: request.id, ...rest });
}

/** The execution of a call: this is what must not happen twice. */
function execute({ method, params }: Request): void {
  if (method !== "tools/call" || recordFd === undefined) return;
  const { nonce } = fieldsOf(params["arguments"]);
  writeSync(recordFd, `${String(params["name"])} ${String(nonce)} ${process.pid}\n`);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
const delayOf = ({ params }: Request): number => Number(fieldsOf(params["arguments"])["delayMs"] ?? values.delay);

/** A call was taken back: by a word, or by the end of its stream. */
function takenBack(how: string): void {
  if (record !== "") appendFileSync(`${record}.ended`, `${how} ${process.pid}\n`);
}

/** As much progress as the call asks for. */
async function progress({ params }: Request, wire: Wire): Promise<void> {
  const { steps = 0, everyMs = 0 } = fieldsOf(params["arguments"]);
  const { progressToken } = fieldsOf(params["_meta"]);
  for (let step = 1; step <= Number(steps); step += 1) {
    await pause(Number(everyMs));
    const note = { progressToken, progress: step };
    wire.tell(JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params: note }));
  }
}

/** One wire: how an answer leaves it, and how it breaks. */
interface Wire {
  /** Something before the answer. */
  tell(message: string): void;
  answer(...messages: string[]): void;
  /** Ends without a word. */
  drop(): void;
  /** Ends in the middle of the answer. */
  half(message: string): void;
  throttle(): void;
  loseSession(): void;
}

async function handle(request: Request, wire: Wire): Promise<void> {
  const fault = faultOf(request);
  if (fault === "latency") await pause(300);
  if (fault === "resetBefore") return wire.drop();
  if (fault === "throttle") return wire.throttle();
  if (fault === "sessionLoss") return wire.loseSession();
  if (request.method === "tools/call") await progress(request, wire);
  const delayMs = request.method === "tools/call" ? delayOf(request) : 0;
  if (delayMs > 0) await pause(delayMs);
  execute(request);
  const reply = replyTo(request);
  switch (fault) {
    case "resetAfter":
      return wire.drop();
    case "halfClose":
      return wire.half(reply);
    case "garbage":
      return wire.answer(`{"jsonrpc":"2.0","id":${JSON.stringify(request.id)},"result":{`);
    case "wrongId":
      return wire.answer(JSON.stringify({ jsonrpc: "2.0", id: 987_654, result: {} }));
    case "duplicate":
      return wire.answer(reply, reply);
    case "internal":
      return wire.answer(
        JSON.stringify({ jsonrpc: "2.0", id: request.id, error: { code: -32603, message: "it broke" } }),
      );
    case "hang":
      return;
    case "kill":
      process.kill(process.pid, "SIGKILL");
      return;
    case "stop":
      process.kill(process.pid, "SIGSTOP");
      return wire.answer(reply);
    default:
      return wire.answer(reply);
  }
}

function parse(text: string): Request | undefined {
  const { id, method, params } = fieldsOf(JSON.parse(text));
  if (method === "notifications/cancelled") takenBack("told");
  return id === undefined || typeof method !== "string" ? undefined : { id, method, params: fieldsOf(params) };
}

function serveStdio(): void {
  const write = (text: string): void => void process.stdout.write(text);
  const wire: Wire = {
    tell: (message) => write(`${message}\n`),
    answer: (...messages) => write(messages.map((message) => `${message}\n`).join("")),
    drop: () => process.exit(1),
    half: (message) => {
      write(message.slice(0, message.length / 2));
      process.stdout.end(() => process.exit(0));
    },
    throttle: () => process.exit(1),
    loseSession: () => process.exit(1),
  };
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const request = parse(line);
    if (request) void handle(request, wire);
  });
  lines.on("close", () => process.exit(0));
}

const sessions = new Set<string>();
let lastSession = 0;

function answerHttp(request: IncomingMessage, response: ServerResponse, body: string): void {
  if (request.method !== "POST") return void response.writeHead(405).end();
  const message = parse(body);
  const session = String(request.headers["mcp-session-id"] ?? "");
  const isFirst = message?.method === "initialize" || message?.method === "server/discover" || isModern;
  if (!isFirst && !sessions.has(session)) return void response.writeHead(404).end();
  if (!message) return void response.writeHead(202).end();
  const headers: Record<string, string> = {};
  if (message.method === "initialize" && !isModern) {
    lastSession += 1;
    headers["mcp-session-id"] = `${process.pid}-${lastSession}`;
    sessions.add(headers["mcp-session-id"]);
  }
  const json = { ...headers, "content-type": "application/json" };
  const stream = { ...headers, "content-type": "text/event-stream" };
  response.on("close", () => response.writableEnded || takenBack("left"));
  void handle(message, {
    tell: (text) => {
      if (!response.headersSent) response.writeHead(200, stream);
      response.write(`data: ${text}\n\n`);
    },
    answer: (...messages) => {
      if (messages.length === 1 && !response.headersSent) return void response.writeHead(200, json).end(messages[0]);
      if (!response.headersSent) response.writeHead(200, stream);
      response.end(messages.map((each) => `data: ${each}\n\n`).join(""));
    },
    drop: () => request.socket.destroy(),
    half: (text) => {
      response.writeHead(200, { ...json, "content-length": String(text.length) });
      response.write(text.slice(0, text.length / 2), () => request.socket.destroy());
    },
    throttle: () => void response.writeHead(429, { "retry-after": "1" }).end(),
    loseSession: () => {
      sessions.clear();
      response.writeHead(404).end();
    },
  });
}

function serveHttp(): void {
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => void chunks.push(chunk));
    request.on("end", () => answerHttp(request, response, Buffer.concat(chunks).toString("utf8")));
  });
  server.keepAliveTimeout = 60_000;
  server.listen(Number(values.port), "127.0.0.1", () => {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    process.stdout.write(`listening http://127.0.0.1:${port}/mcp\n`);
  });
  // Whoever started it may be gone without a word.
  process.stdin.on("end", () => process.exit(0)).resume();
}

if (record !== "" && !existsSync(record)) throw new Error(`${record} is missing`);
if (positionals[0] === "http") serveHttp();
else serveStdio();
