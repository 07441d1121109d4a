// Tools of the fixture server that the gateway's own tests call.
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { ResultSchema } from "@modelcontextprotocol/sdk/types.js";
import type { Result, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { asks, surveySteps } from "./fixture-asks.ts";
import { plainTools } from "./fixture-plain-tools.ts";
import { askAtOnce } from "./fixture-round-tools.ts";
import {
  countUp,
  defineTool,
  json,
  levelOf,
  numberArg,
  sendLog,
  sendProgress,
  stringArg,
  text,
} from "./fixture-world.ts";
import type { Call, FixtureTool, World } from "./fixture-world.ts";

const progressEveryMs = 50;

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

function announceTools(world: World): Promise<void[]> {
  return Promise.all([...world.sessions].map((session) => session.server.sendToolListChanged()));
}

const notifyingTools: readonly FixtureTool[] = [
  defineTool("session", "Names the session", ({ extra }) => text(extra.sessionId ?? `stdio-${process.pid}`)),
  defineTool("subscriptions", "Lists the subscribed URIs of every session that has some", ({ world }) =>
    json([...world.sessions].map(({ subscriptions }) => [...subscriptions]).filter((uris) => uris.length > 0)),
  ),
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
  ...asks.map(({ name, description, request }) =>
    defineTool(name, description, (call) => ask(call, request(call.args))),
  ),
  defineTool(
    "ask-all",
    "Asks for sampling, elicitation and roots at once and returns all answers",
    async ({ args, extra }) =>
      json(await askAtOnce(extra, Object.fromEntries(surveySteps.map(({ key, request }) => [key, request(args)])))),
  ),
  defineTool(
    "ask-then-slow",
    "Asks for a form, then is as slow as `slow`",
    async (call) => {
      await ask(call, asks[1]?.request(call.args) ?? { method: "roots/list" });
      return runSlow(call);
    },
    { ms: { type: "integer" }, nonce: { type: "string" } },
  ),
  defineTool(
    "survey",
    "Asks for elicitation, then sampling, then roots; counts the executions of a nonce",
    async ({ args, extra, world }) => {
      const nonce = stringArg(args, "nonce", "");
      const count = countUp(world, nonce);
      const answers: Record<string, unknown> = {};
      for (const { key, request } of surveySteps) answers[key] = await extra.sendRequest(request(args), ResultSchema);
      return json({ nonce, count, answers });
    },
    { nonce: { type: "string" } },
  ),
];

/** Every tool that the gateway's own tests call. */
export const gatewayTools: readonly FixtureTool[] = [...plainTools, ...notifyingTools, ...askingTools];
