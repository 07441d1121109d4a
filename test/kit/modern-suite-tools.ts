// Tools of the modern fixture server that the official conformance suite calls by name, in either era.
import { setTimeout as pause } from "node:timers/promises";
import { CLIENT_CAPABILITIES_META_KEY, inputResponse } from "@modelcontextprotocol/server";
import type { RoundTool } from "./fixture-asks.ts";
import type { Result } from "@modelcontextprotocol/sdk/types.js";
import { askSampling, capitalQuestion, formOf, forms, roundTools } from "./fixture-asks.ts";
import { plainSuiteTools } from "./fixture-suite-tools.ts";
import { defineTool, recordOf, text } from "./fixture-world.ts";
import { announce, askFor, logTo, progressTo, responsesOf, stateOf } from "./modern-world.ts";
import type { ModernCall, ModernTool } from "./modern-world.ts";

/** Asks all questions in one round, with a state if there is to be one, and then says what it heard. */
function asking({ name, questions, sealed }: RoundTool): ModernTool {
  return defineTool(`test_input_required_result_${name}`, `Asks for: ${name}`, (call) => {
    const answers = responsesOf(call);
    const isDone = Object.keys(questions).every((key) => inputResponse(answers, key).kind !== "missing");
    if (!isDone || (sealed && !("step" in stateOf(call))))
      return askFor(call, questions, sealed ? { step: 1 } : undefined);
    return sealed ? text(`state-ok ${JSON.stringify(answers)}`) : heard(call);
  });
}

const heard = (call: ModernCall): Result => text(`Heard ${JSON.stringify(responsesOf(call))}`);

async function runRounds(call: ModernCall): Promise<Result> {
  const { step } = stateOf(call);
  const answers = responsesOf(call);
  if (step === 2 && "step2" in answers) return text(`Heard ${JSON.stringify({ ...stateOf(call), ...answers })}`);
  if (step === 1 && "step1" in answers)
    return askFor(call, { step2: formOf("Step 2: What is your favorite color?", "color") }, { ...answers, step: 2 });
  return askFor(call, { step1: formOf("Step 1: What is your name?", "name") }, { step: 1 });
}

/** Asks only what the client has declared; for other clients there is nothing to ask. */
function askWithin(call: ModernCall): Result | Promise<Result> {
  if (Object.keys(responsesOf(call)).length > 0) return heard(call);
  const declared = recordOf(recordOf(call.ctx.mcpReq.envelope)[CLIENT_CAPABILITIES_META_KEY]);
  const questions = {
    ...(declared["sampling"] !== undefined && { opinion: capitalQuestion }),
    ...(declared["elicitation"] !== undefined && { name: formOf("What is your name?", "name") }),
  };
  return Object.keys(questions).length === 0 ? text("nothing to ask") : askFor(call, questions);
}

const askingTools: readonly ModernTool[] = [
  ...roundTools.map(asking),
  defineTool("test_input_required_result_multi_round", "Asks in two rounds", runRounds),
  defineTool("test_input_required_result_capabilities", "Asks what the client can answer", askWithin),
  defineTool("test_missing_capability", "Asks a client's model that may not be there", (call) =>
    "opinion" in responsesOf(call) ? heard(call) : askFor(call, { opinion: capitalQuestion }),
  ),
];

/** Tools of the legacy scenarios, which reach this server through a bridge. */
const legacyTools: readonly ModernTool[] = [
  defineTool(
    "test_sampling",
    "Asks the client's model",
    (call) => {
      const view = inputResponse(responsesOf(call), "opinion");
      if (view.kind !== "sampling") return askFor(call, { opinion: askSampling(call.args) });
      const { content } = view.result;
      return text(`LLM response: ${"text" in content ? content.text : JSON.stringify(content)}`);
    },
    { prompt: { type: "string", description: "What to ask" } },
  ),
  ...forms.map(({ name, description, params }) =>
    defineTool<ModernCall>(
      name,
      description,
      (call) => {
        const view = inputResponse(responsesOf(call), "form");
        if (view.kind !== "elicit")
          return askFor(call, { form: { method: "elicitation/create", params: params(call.args) } });
        return text(`Elicitation completed: action=${view.action}, content=${JSON.stringify(view.content ?? {})}`);
      },
      { message: { type: "string", description: "What the user reads" } },
    ),
  ),
];

const streamTools: readonly ModernTool[] = [
  defineTool("test_tool_with_logging", "Logs three times while it runs", async (call) => {
    for (const message of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await logTo(call, "info", message);
      await pause(50);
    }
    return text("Logged three messages");
  }),
  defineTool("test_tool_with_progress", "Reports progress three times", async (call) => {
    for (const progress of [0, 50, 100]) {
      await progressTo(call, progress, 100);
      await pause(50);
    }
    return text("Reported progress three times");
  }),
  defineTool("test_logging_tool", "Logs if the request asks for logs", async (call) => {
    await logTo(call, "info", "the tool runs");
    return text("Logged");
  }),
  defineTool("test_streaming_elicitation", "Streams something before its result", async (call) => {
    await progressTo(call, 1, 1);
    return text("Streamed");
  }),
  defineTool("test_trigger_tool_change", "Adds or removes a tool", async ({ world }) => {
    toggle(
      world.tools,
      ({ tool }) => tool.name === "changed_tool",
      defineTool("changed_tool", "Comes and goes", () => text("")),
    );
    await announce(world, { kind: "tools_list_changed" });
    return text("Changed");
  }),
  defineTool("test_trigger_prompt_change", "Adds or removes a prompt", async ({ world }) => {
    toggle(world.prompts, ({ name }) => name === "changed_prompt", {
      name: "changed_prompt",
      description: "Comes and goes",
    });
    await announce(world, { kind: "prompts_list_changed" });
    return text("Changed");
  }),
];

function toggle<T>(list: T[], isIt: (item: T) => boolean, item: T): void {
  const index = list.findIndex(isIt);
  if (index === -1) list.push(item);
  else list.splice(index, 1);
}

/** Every tool that the suite's scenarios call, except those of the tasks extension. */
export const modernSuiteTools: readonly ModernTool[] = [
  ...plainSuiteTools,
  ...askingTools,
  ...legacyTools,
  ...streamTools,
];
