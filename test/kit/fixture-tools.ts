// Tools of the fixture server that the gateway's own tests call.
import { once } from "node:events";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { ResultSchema } from "@modelcontextprotocol/sdk/types.js";
import type { Result, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { defineTool, json, levelOf, numberArg, sendLog, sendProgress, stringArg, text } from "./fixture-world.ts";
import type { Call, FixtureTool, World } from "./fixture-world.ts";

/** Thrown to answer a call with exactly this JSON-RPC error; `McpError` would put its own words before the message. */
class AnswerError extends Error {
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

const progressEveryMs = 50;
const cancelTimeoutMs = 3000;

async function runSlow(call: Call): Promise<Result> {
  const totalMs = numberArg(call.args, "ms", 100);
  const nonce = stringArg(call.args, "nonce", String(call.extra.requestId));
  const { signal } = call.extra;
  signal.addEventListener("abort", () => {
    call.world.cancelled.push(nonce);
    call.world.events.emit("cancelled");
  });
  for (let doneMs = 0; doneMs < totalMs; doneMs += progressEveryMs) {
    await sendProgress(call, doneMs, totalMs);
    await pause(Math.min(progressEveryMs, totalMs - doneMs), undefined, { signal });
  }
  return text(`done after ${totalMs} ms`);
}

/** Lists the cancelled nonces; with `nonce`, waits until it is among them, because a cancellation has no answer. */
async function listCancelled({ args, world }: Call): Promise<Result> {
  const signal = AbortSignal.timeout(cancelTimeoutMs);
  const isMissing = (): boolean => "nonce" in args && !world.cancelled.includes(String(args["nonce"]));
  while (isMissing() && !signal.aborted) await once(world.events, "cancelled", { signal }).catch(() => {});
  return json(world.cancelled);
}

/** Sends a request to the client and answers with what came back, be it a result or an error, as JSON text. */
async function ask(call: Call, request: ServerRequest): Promise<Result> {
  try {
    return json(await call.extra.sendRequest(request, ResultSchema));
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    const message = error.message.replace(/^MCP error -?\d+: /, "");
    return json({ error: { code: error.code, message, data: "data" in error ? error.data : undefined } });
  }
}

function countRun(call: Call): Result {
  const nonce = stringArg(call.args, "nonce", "");
  const count = (call.world.counts.get(nonce) ?? 0) + 1;
  call.world.counts.set(nonce, count);
  return json({ nonce, count });
}

function announceTools(world: World): Promise<void[]> {
  return Promise.all([...world.sessions].map((session) => session.server.sendToolListChanged()));
}

const dataTools: readonly FixtureTool[] = [
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
  defineTool("cancelled", "Lists the nonces of cancelled calls, once `nonce` is one of them", listCancelled, {
    nonce: { type: "string" },
  }),
  defineTool("pid", "Returns the process id", () => text(String(process.pid))),
  defineTool("session", "Names the session", ({ extra }) => text(extra.sessionId ?? `stdio-${process.pid}`)),
  defineTool("crash", "Ends the process without an answer", () => process.exit(1)),
];

const notifyingTools: readonly FixtureTool[] = [
  defineTool("slow", "Takes `ms`, reports progress every 50 ms, can be cancelled", runSlow, {
    ms: { type: "integer" },
    nonce: { type: "string" },
  }),
  defineTool(
    "log",
    "Sends a log message, on the call's stream unless `standalone`",
    async (call) => {
      const level = levelOf(stringArg(call.args, "level", "info"));
      const data = stringArg(call.args, "text", "");
      if (call.args["standalone"] === true) await call.session.server.sendLoggingMessage({ level, data });
      else await sendLog(call, level, data);
      return text("logged");
    },
    { text: { type: "string" }, level: { type: "string" }, standalone: { type: "boolean" } },
  ),
  defineTool(
    "touch",
    "Tells every subscriber of `uri` that it changed",
    async ({ args, world }) => {
      const uri = stringArg(args, "uri", "test://watched-resource");
      const subscribers = [...world.sessions].filter((session) => session.subscriptions.has(uri));
      await Promise.all(subscribers.map((session) => session.server.sendResourceUpdated({ uri })));
      return json({ uri, notified: subscribers.length });
    },
    { uri: { type: "string" } },
  ),
  defineTool(
    "grow",
    "Adds a tool",
    async ({ args, world }) => {
      const name = stringArg(args, "name", `grown_${world.grown.length + 1}`);
      world.grown.push(name);
      world.tools.push(defineTool(name, "Added by grow", () => text(name)));
      await announceTools(world);
      return text(name);
    },
    { name: { type: "string" } },
  ),
  defineTool("shrink", "Removes the tool that grow added last", async ({ world }) => {
    const name = world.grown.pop();
    const index = world.tools.findLastIndex(({ tool }) => tool.name === name);
    if (index !== -1) world.tools.splice(index, 1);
    await announceTools(world);
    return text(name ?? "");
  }),
];

const askingTools: readonly FixtureTool[] = [
  defineTool("ask-sampling", "Returns the client's answer to sampling/createMessage", (call) =>
    ask(call, {
      method: "sampling/createMessage",
      params: {
        messages: [{ role: "user", content: { type: "text", text: stringArg(call.args, "prompt", "hello") } }],
        maxTokens: 100,
      },
    }),
  ),
  defineTool("ask-elicitation", "Returns the client's answer to a form elicitation", (call) =>
    ask(call, {
      method: "elicitation/create",
      params: {
        mode: "form",
        message: stringArg(call.args, "message", "Your name?"),
        requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
      },
    }),
  ),
  defineTool("ask-elicitation-url", "Returns the client's answer to a URL elicitation", (call) =>
    ask(call, {
      method: "elicitation/create",
      params: {
        mode: "url",
        message: stringArg(call.args, "message", "Please sign in"),
        url: stringArg(call.args, "url", "https://example.com/sign-in"),
        elicitationId: stringArg(call.args, "elicitationId", "elicitation-1"),
      },
    }),
  ),
  defineTool("ask-roots", "Returns the client's answer to roots/list", (call) => ask(call, { method: "roots/list" })),
];

/** Every tool that the gateway's own tests call. */
export const gatewayTools: readonly FixtureTool[] = [...dataTools, ...notifyingTools, ...askingTools];
