// `mcpctl read`: reads one resource; in a pipe, exactly its bytes.

import { GatewayError } from "../lib/index.ts";
import type { Command } from "./command.ts";
import { callFlags, invoke } from "./invoking.ts";

const command: Command = {
  meta: { name: "read", description: "Read a resource" },
  args: {
    target: { type: "positional", description: "name/URI, or a URL and the URI", required: false },
    ...callFlags,
  },
  examples: [
    "mcpctl read notes/note://mcpctl/tools",
    "mcpctl read https://example.com/mcp file:///logo.png > logo.png",
  ],
  takesCommand: true,
  variadic: true,
  run: (flags) =>
    invoke(flags, "ResourceResult", async ({ item, words }) => {
      if (item === undefined) throw new GatewayError("usage", "no URI is named; mcpctl list resources shows them");
      if (words.length > 0) throw new GatewayError("usage", `unexpected argument ${JSON.stringify(words[0])}`);
      return { method: "resources/read", params: { uri: item } };
    }),
};

export default command;
