// Tools of the 1.x fixture server for the suite's modern scenarios, which reach it through a bridge.
import { ResultSchema } from "@modelcontextprotocol/sdk/types.js";
import type { Result, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { capitalQuestion, formOf, roundTools } from "./fixture-asks.ts";
import { defineTool, json, sendLog, sendProgress, text } from "./fixture-world.ts";
import type { Call, Extra, FixtureTool, World } from "./fixture-world.ts";

/** Asks all questions at once and waits for all answers. */
export async function askAtOnce(
  extra: Extra,
  questions: Readonly<Record<string, ServerRequest>>,
): Promise<Readonly<Record<string, Result>>> {
  const answers = Object.entries(questions).map(async ([key, request]): Promise<[string, Result]> => [
    key,
    await extra.sendRequest(request, ResultSchema),
  ]);
  return Object.fromEntries(await Promise.all(answers));
}

async function runRounds({ extra }: Call): Promise<Result> {
  const first = await askAtOnce(extra, { step1: formOf("Step 1: What is your name?", "name") });
  const second = await askAtOnce(extra, { step2: formOf("Step 2: What is your favorite color?", "color") });
  return json({ ...first, ...second });
}

/** One after the other: whether a call that fails has asked its client before must not be a matter of time. */
async function askWithin({ extra, session }: Call): Promise<Result> {
  const declared = session.server.getClientCapabilities();
  const name = { name: formOf("What is your name?", "name") };
  const named = declared?.elicitation === undefined ? {} : await askAtOnce(extra, name);
  const rated = declared?.sampling === undefined ? {} : await askAtOnce(extra, { opinion: capitalQuestion });
  return json({ ...named, ...rated });
}

function toggleTool({ tools }: World): void {
  const index = tools.findIndex(({ tool }) => tool.name === "changed_tool");
  if (index === -1) tools.push(defineTool("changed_tool", "Comes and goes", () => text("")));
  else tools.splice(index, 1);
}

/** The modern scenarios' tools, as a legacy server can have them. */
export const legacyRoundTools: readonly FixtureTool[] = [
  ...roundTools.map(({ name, questions, sealed }) =>
    defineTool(`test_input_required_result_${name}`, `Asks for: ${name}`, async ({ extra }) => {
      const answers = await askAtOnce(extra, questions);
      return text(`${sealed ? "state-ok" : "Heard"} ${JSON.stringify(answers)}`);
    }),
  ),
  defineTool("test_input_required_result_multi_round", "Asks in two rounds", runRounds),
  defineTool("test_input_required_result_capabilities", "Asks what the client can answer", askWithin),
  defineTool("test_missing_capability", "Asks a client's model that may not be there", async ({ extra }) =>
    json(await askAtOnce(extra, { opinion: capitalQuestion })),
  ),
  defineTool("test_logging_tool", "Logs if the session asks for logs", async (call) => {
    await sendLog(call, "info", "the tool runs");
    return text("Logged");
  }),
  defineTool("test_streaming_elicitation", "Streams something before its result", async (call) => {
    await sendProgress(call, 1, 1);
    return text("Streamed");
  }),
  defineTool("test_trigger_tool_change", "Adds or removes a tool", async ({ world }) => {
    toggleTool(world);
    await Promise.all([...world.sessions].map(({ server }) => server.sendToolListChanged()));
    return text("Changed");
  }),
  defineTool("test_trigger_prompt_change", "Adds or removes a prompt", async ({ world }) => {
    if (world.prompts.pop() === undefined)
      world.prompts.push({ name: "changed_prompt", description: "Comes and goes" });
    await Promise.all([...world.sessions].map(({ server }) => server.sendPromptListChanged()));
    return text("Changed");
  }),
];
