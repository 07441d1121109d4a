// Tools of the modern fixture server that the gateway's own tests call; the names are those of the 1.x fixture.
import { once } from "node:events";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import type { Result } from "@modelcontextprotocol/sdk/types.js";
import { asks, surveySteps } from "./fixture-asks.ts";
import { plainTools } from "./fixture-plain-tools.ts";
import { countUp, defineTool, json, levelOf, numberArg, stringArg, text } from "./fixture-world.ts";
import { announce, askFor, logTo, progressTo, responsesOf, stateOf } from "./modern-world.ts";
import type { ModernCall, ModernTool, ModernWorld } from "./modern-world.ts";

/** Where the tool `ui-clock` has its page. */
export const clockUri = "ui://fixture/clock";

const progressEveryMs = 50;
const endTimeoutMs = 20_000;

async function runSlow(call: ModernCall): Promise<Result> {
  const totalMs = numberArg(call.args, "ms", 100);
  const nonce = stringArg(call.args, "nonce", String(call.ctx.mcpReq.id));
  const { signal } = call.ctx.mcpReq;
  const note = (): void => {
    call.world.cancelled.push(nonce);
    call.world.events.emit("cancelled");
  };
  signal.addEventListener("abort", note);
  try {
    for (let doneMs = 0; doneMs < totalMs; doneMs += progressEveryMs) {
      await progressTo(call, doneMs, totalMs);
      await pause(Math.min(progressEveryMs, totalMs - doneMs), undefined, { signal });
    }
  } finally {
    // Over HTTP the SDK aborts every signal once its answer is out.
    signal.removeEventListener("abort", note);
  }
  return text(`done after ${totalMs} ms`);
}

/** With `atMost`, waits until streams have ended: that a client has left is noticed some time later. */
async function listSubscriptions({ args, world }: ModernCall): Promise<Result> {
  const signal = AbortSignal.timeout(endTimeoutMs);
  const atMost = numberArg(args, "atMost", Number.POSITIVE_INFINITY);
  while (world.listens.size > atMost && !signal.aborted)
    await once(world.events, "listens", { signal }).catch(() => {});
  return json([...world.listens.values()]);
}

async function changeTools(world: ModernWorld, change: () => string): Promise<Result> {
  const name = change();
  await announce(world, { kind: "tools_list_changed" });
  return text(name);
}

/** Asks one question a round; a nonce counts its rounds, and its execution once all answers are there. */
async function survey(call: ModernCall): Promise<Result> {
  const nonce = stringArg(call.args, "nonce", "");
  const rounds = countUp(call.world, `${nonce}/rounds`);
  const answers = { ...stateOf(call), ...responsesOf(call) };
  const next = surveySteps.find(({ key }) => !(key in answers));
  if (next !== undefined) return askFor(call, { [next.key]: next.request(call.args) }, answers);
  return json({ nonce, count: countUp(call.world, nonce), rounds, answers });
}

/** Asks all questions in one round. */
async function askAll(call: ModernCall): Promise<Result> {
  const answers = responsesOf(call);
  const open = surveySteps.filter(({ key }) => !(key in answers));
  if (open.length === 0) return json(answers);
  return askFor(call, Object.fromEntries(surveySteps.map(({ key, request }) => [key, request(call.args)])));
}

const asking: readonly ModernTool[] = [
  ...asks.map(({ name, description, request }) =>
    defineTool<ModernCall>(name, description, (call) => {
      const { answer } = responsesOf(call);
      return answer === undefined ? askFor(call, { answer: request(call.args) }) : json(answer);
    }),
  ),
  defineTool("ask-all", "Asks for sampling, elicitation and roots at once and returns all answers", askAll),
  defineTool("survey", "Asks for elicitation, then sampling, then roots; counts the executions of a nonce", survey, {
    nonce: { type: "string" },
  }),
];

const notifying: readonly ModernTool[] = [
  defineTool("slow", "Takes `ms`, reports progress every 50 ms, can be cancelled", runSlow, {
    ms: { type: "integer" },
    nonce: { type: "string" },
  }),
  defineTool(
    "log",
    "Sends a log message on the call's stream",
    async (call) => {
      await logTo(call, levelOf(stringArg(call.args, "level", "info")), stringArg(call.args, "text", ""));
      return text("logged");
    },
    { text: { type: "string" }, level: { type: "string" } },
  ),
  defineTool(
    "touch",
    "Tells everyone who listens to `uri` that it changed",
    async ({ args, world }) => {
      const uri = stringArg(args, "uri", "test://watched-resource");
      const listening = [...world.listens.values()].map((filter) => filter["resourceSubscriptions"]);
      const legacy = [...world.peers].filter(({ subscriptions }) => subscriptions.has(uri));
      const modern = listening.filter((uris) => Array.isArray(uris) && uris.includes(uri));
      await announce(world, { kind: "resource_updated", uri });
      return json({ uri, notified: modern.length + legacy.length });
    },
    { uri: { type: "string" } },
  ),
  defineTool(
    "subscriptions",
    "Lists the filter of every open listen stream, once at most `atMost` are open",
    listSubscriptions,
    { atMost: { type: "integer" } },
  ),
  defineTool(
    "grow",
    "Adds a tool",
    ({ args, world }) =>
      changeTools(world, () => {
        const name = stringArg(args, "name", `grown_${world.grown.length + 1}`);
        world.grown.push(name);
        world.tools.push(defineTool(name, "Added by grow", () => text(name)));
        return name;
      }),
    { name: { type: "string" } },
  ),
  defineTool("shrink", "Removes the tool that grow added last", ({ world }) =>
    changeTools(world, () => {
      const name = world.grown.pop();
      const index = world.tools.findLastIndex(({ tool }) => tool.name === name);
      if (index !== -1) world.tools.splice(index, 1);
      return name ?? "";
    }),
  ),
  defineTool("session", "Names the process: there are no sessions", () => text(`process-${process.pid}`)),
];

const structuredOutputs: readonly (readonly [type: string, schema: object, value: unknown])[] = [
  ["array", { type: "array", items: { type: "integer" } }, [1, 2, 3]],
  ["string", { type: "string" }, "plain"],
  ["number", { type: "number" }, 1.5],
  ["boolean", { type: "boolean" }, false],
  ["null", { type: "null" }, null],
];

/** Structured output of every JSON type; no tool of a legacy server may say so. */
const structured: readonly ModernTool[] = structuredOutputs.map(([type, outputSchema, structuredContent]) => {
  const { tool } = defineTool(`structured-${type}`, `Returns structured content of the type ${type}`, () => ({}));
  // The 1.x type library knows objects only, so the schema goes in past it.
  return {
    tool: Object.assign(tool, { outputSchema: Object(outputSchema) }),
    run: () => ({ ...json(structuredContent), structuredContent }),
  };
});

const app: ModernTool = defineTool(
  "ui-clock",
  "Tells the time, with a page that shows it",
  () => text("12:00"),
  {},
  {
    _meta: { ui: { resourceUri: clockUri } },
  },
);

/** A header name with a space in it, which a client must refuse. */
export const badHeaderTool: ModernTool = defineTool("bad-header", "Has an invalid annotation", () => text("ran"), {
  region: { type: "string", "x-mcp-header": "not a header" },
});

/** Every tool that the gateway's own tests call. */
export const modernGatewayTools: readonly ModernTool[] = [...plainTools, ...notifying, ...asking, ...structured, app];
