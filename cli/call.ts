// `mcpctl call`: calls one tool, with arguments that its schema gives their types.

import { findItem, loadArgumentChecks, readArguments } from "../lib/toolbox.ts";
import { type Command, hasFlag, textFlag } from "./command.ts";
import { callFlags, invoke } from "./invoking.ts";

const command: Command = {
  meta: { name: "call", description: "Call a tool" },
  args: {
    target: { type: "positional", description: "name/tool, or a URL and a tool; then arguments", required: false },
    ...callFlags,
    args: { type: "string", description: "Arguments as JSON, or @file; words override them", valueHint: "json" },
    "no-validate": { type: "boolean", description: "Send arguments that do not fit the schema, too" },
  },
  examples: [
    "mcpctl call weather/forecast city=Oslo days=3",
    "mcpctl call files/write path=a.txt content=@a.txt overwrite:=true",
    'mcpctl call https://example.com/mcp search --args \'{"q":"mcp"}\' -o json',
    "mcpctl call echo message=hi -- npx -y @modelcontextprotocol/server-everything",
  ],
  takesCommand: true,
  variadic: true,
  run: (flags) =>
    invoke(flags, "CallResult", async ({ item, words }, peer, bound) => {
      const tool = await findItem(peer, "tools", item, bound);
      const values = readArguments(words, textFlag(flags, "args"), tool["inputSchema"]);
      if (!hasFlag(flags, "no-validate"))
        await (await loadArgumentChecks()).checkArguments(item ?? "", values, tool["inputSchema"]);
      return { method: "tools/call", params: { name: item, arguments: values } };
    }),
};

export default command;
