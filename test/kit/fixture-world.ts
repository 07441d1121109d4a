// State of the fixture MCP server that its sessions share, and the shape of one of its tools.
import type { EventEmitter } from "node:events";
import type { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import type {
  LoggingLevel,
  Prompt,
  Result,
  ServerNotification,
  ServerRequest,
  Tool,
} from "@modelcontextprotocol/sdk/types.js";

/** Arguments of one tool call, as they were parsed. */
export type Arguments = Readonly<Record<string, unknown>>;

/** What the SDK hands to a request handler: signal, progress token, and sends that stay on the request's stream. */
export type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** One connection to the fixture: an HTTP session, or the process's stdin and stdout. */
export interface Session {
  readonly server: Server;
  readonly subscriptions: Set<string>;
  level: LoggingLevel;
}

/** What a fixture process counts, whichever SDK line serves it. */
export interface Counters {
  /** Executions by nonce (`count`). */
  readonly counts: Map<string, number>;
  /** Nonces of cancelled `slow` calls, in order of cancellation. */
  readonly cancelled: string[];
  /** Emits `cancelled` whenever `cancelled` grows. */
  readonly events: EventEmitter;
}

/** What all sessions of one fixture process share. */
export interface World extends Counters {
  readonly sessions: Set<Session>;
  readonly tools: FixtureTool[];
  /** Those that come and go. */
  readonly prompts: Prompt[];
  /** Names that `grow` added, oldest first. */
  readonly grown: string[];
}

/** What a tool may use that needs neither client nor SDK. */
export interface PlainCall {
  readonly args: Arguments;
  readonly world: Counters;
}

/** What a tool may use while it runs. */
export interface Call extends PlainCall {
  readonly extra: Extra;
  readonly session: Session;
  readonly world: World;
}

/** A tool: what `tools/list` says about it, and what a call does. */
export interface FixtureTool<C = Call> {
  readonly tool: Tool;
  readonly run: (call: C) => Result | Promise<Result>;
}

/** A tool that both fixture servers offer as it is. */
export type PlainTool = FixtureTool<PlainCall>;

const levels: readonly LoggingLevel[] = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
];

/** A tool definition with the parts that nearly all of them share. */
export function defineTool<C = Call>(
  name: string,
  description: string,
  run: FixtureTool<C>["run"],
  properties: Record<string, object> = {},
  more: Partial<Tool> = {},
): FixtureTool<C> {
  return { tool: { name, description, inputSchema: { type: "object", properties }, ...more }, run };
}

/** A result with one text block. */
export function text(value: string): Result {
  return { content: [{ type: "text", text: value }] };
}

/** A result with one text block that holds JSON. */
export function json(value: unknown): Result {
  return text(JSON.stringify(value));
}

/** The string argument `name`, or `fallback`. */
export function stringArg(args: Arguments, name: string, fallback: string): string {
  const value = args[name];
  return typeof value === "string" ? value : fallback;
}

/** The value as a record; empty if it is none. */
export function recordOf(value: unknown): Arguments {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

/** Adds one to the count called `key` and gives the new one. */
export function countUp({ counts }: Counters, key: string): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}

/** The numeric argument `name`, or `fallback`. */
export function numberArg(args: Arguments, name: string, fallback: number): number {
  const value = args[name];
  return typeof value === "number" ? value : fallback;
}

/** The level called `value`, or `info`. */
export function levelOf(value: string): LoggingLevel {
  return levels.find((level) => level === value) ?? "info";
}

/** Sends a log message on the stream of the request that caused it, unless the session asked for less. */
export async function sendLog(call: Call, level: LoggingLevel, data: string): Promise<void> {
  if (levels.indexOf(level) < levels.indexOf(call.session.level)) return;
  await call.extra.sendNotification({ method: "notifications/message", params: { level, logger: "fixture", data } });
}

/** Sends progress on the request's stream if the caller asked for it. */
export async function sendProgress(call: Call, progress: number, total: number): Promise<void> {
  const progressToken = call.extra._meta?.progressToken;
  if (progressToken === undefined) return;
  await call.extra.sendNotification({
    method: "notifications/progress",
    params: { progressToken, progress, total, message: `${progress} of ${total}` },
  });
}
