// `mcpctl get`: gets one prompt.

import { GatewayError } from "../lib/index.ts";
import { findItem, readArguments } from "../lib/toolbox.ts";
import { type Command, textFlag } from "./command.ts";
import { callFlags, invoke } from "./invoking.ts";

const command: Command = {
  meta: { name: "get", description: "Get a prompt" },
  args: {
    target: { type: "positional", description: "name/prompt, or a URL and a prompt; then arguments", required: false },
    ...callFlags,
    args: { type: "string", description: "Arguments as JSON, or @file; words override them", valueHint: "json" },
  },
  examples: ["mcpctl get text/summarize text=@letter.txt", "mcpctl get https://example.com/mcp review -o json"],
  takesCommand: true,
  variadic: true,
  run: (flags) =>
    invoke(flags, "PromptResult", async ({ item, words }, peer, bound) => {
      const prompt = await findItem(peer, "prompts", item, bound);
      const values = readArguments(words, textFlag(flags, "args"), undefined);
      const missing = neededOf(prompt).filter((name) => values[name] === undefined);
      if (missing.length > 0)
        throw new GatewayError("badArguments", `${item ?? ""} needs ${missing.map((name) => `${name}=…`).join(" ")}`);
      return { method: "prompts/get", params: { name: item, arguments: values } };
    }),
};

export default command;

function neededOf(prompt: Readonly<Record<string, unknown>>): readonly string[] {
  const list: unknown = prompt["arguments"];
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: unknown) => {
    if (typeof each !== "object" || each === null || Reflect.get(each, "required") !== true) return [];
    const name: unknown = Reflect.get(each, "name");
    return typeof name === "string" ? [name] : [];
  });
}
