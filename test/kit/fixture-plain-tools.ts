// Tools that both fixture servers offer: what they do needs neither a client nor an SDK.
import { once } from "node:events";
import process from "node:process";
import type { Result } from "@modelcontextprotocol/sdk/types.js";
import { countUp, defineTool, json, numberArg, stringArg, text } from "./fixture-world.ts";
import type { PlainCall, PlainTool } from "./fixture-world.ts";

/** Thrown to answer a call with exactly this JSON-RPC error; `McpError` would put its own words before the message. */
export class AnswerError extends Error {
  readonly code: number;
  readonly data: unknown;
  constructor(code: number, message: string, data: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** True if the error is meant to leave as a JSON-RPC error, not as a result with `isError`. */
export function isAnswerError(error: unknown): error is AnswerError {
  return error instanceof AnswerError;
}

/** An integer that no double can hold, written as it stands when the result is serialised. */
const bigInteger = rawJson("9007199254740993");

/** `JSON.rawJSON`, which the runtimes have and the type library does not. */
function rawJson(literal: string): unknown {
  const make: unknown = Reflect.get(JSON, "rawJSON");
  if (typeof make !== "function") throw new Error("this runtime has no JSON.rawJSON");
  return make(literal);
}

const cancelTimeoutMs = 20_000;

/** Lists the cancelled nonces; with `nonce`, waits until it is among them, because a cancellation has no answer. */
async function listCancelled({ args, world }: PlainCall): Promise<Result> {
  const signal = AbortSignal.timeout(cancelTimeoutMs);
  const isMissing = (): boolean => "nonce" in args && !world.cancelled.includes(String(args["nonce"]));
  while (isMissing() && !signal.aborted) await once(world.events, "cancelled", { signal }).catch(() => {});
  return json(world.cancelled);
}

function countRun({ args, world }: PlainCall): Result {
  const nonce = stringArg(args, "nonce", "");
  return json({ nonce, count: countUp(world, nonce) });
}

/** Tools without a client in them, in the order of the listing. */
export const plainTools: readonly PlainTool[] = [
  defineTool(
    "echo",
    "Returns its arguments",
    ({ args }) => ({ ...json(args), structuredContent: args }),
    {},
    {
      annotations: { readOnlyHint: true },
    },
  ),
  defineTool("big", "Returns a text of `bytes` bytes", ({ args }) => text("x".repeat(numberArg(args, "bytes", 0))), {
    bytes: { type: "integer" },
  }),
  defineTool(
    "raw",
    "Returns unknown fields, a vendor content type and an integer of 64 bits",
    () => ({
      "x-before": { kept: true, big: bigInteger },
      content: [
        { type: "text", text: "raw", "x-extra": [1, 2, 3] },
        { type: "x-vendor/blob", payload: { n: bigInteger }, z: 1, a: 2 },
      ],
      _meta: { "vendor.example/trace": { id: bigInteger } },
      "x-after": null,
    }),
    {},
  ),
  defineTool("fail", "Answers with the JSON-RPC error it was given", ({ args }) => {
    throw new AnswerError(numberArg(args, "code", -32000), stringArg(args, "message", "failed"), args["data"]);
  }),
  defineTool("count", "Counts the executions of a nonce", countRun, { nonce: { type: "string" } }),
  defineTool(
    "count-idempotent",
    "Counts the executions of a nonce and may be repeated",
    countRun,
    { nonce: { type: "string" } },
    { annotations: { idempotentHint: true } },
  ),
  defineTool("counts", "Returns every count without changing one", ({ world }) =>
    json(Object.fromEntries(world.counts)),
  ),
  defineTool("cancelled", "Lists the nonces of cancelled calls, once `nonce` is one of them", listCancelled, {
    nonce: { type: "string" },
  }),
  defineTool(
    "header-params",
    "Returns its arguments, three of which are to be mirrored into headers",
    ({ args }) => json(args),
    {
      region: { type: "string", "x-mcp-header": "Region" },
      priority: { type: "integer", "x-mcp-header": "Priority" },
      urgent: { type: "boolean", "x-mcp-header": "Urgent" },
      note: { type: "string" },
    },
  ),
  defineTool("pid", "Returns the process id", () => text(String(process.pid))),
  defineTool("crash", "Ends the process without an answer", () => process.exit(1)),
];
