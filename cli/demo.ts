// `mcpctl demo <name> [replica]`: one backend of the demo, as a child process of `serve --demo`.

import process from "node:process";
import { demoNames, runDemo } from "../lib/demo.ts";
import { GatewayError } from "../lib/index.ts";
import type { Command } from "./command.ts";

const command: Command = {
  meta: { name: "demo", description: "Run one demo backend on stdin and stdout" },
  args: {
    name: { type: "positional", description: demoNames.join(", "), required: true },
    replica: { type: "positional", description: "What the replica calls itself", required: false },
  },
  examples: ["mcpctl demo text"],
  async run({ positionals: [name = "", replica = "only"] }) {
    const known = demoNames.find((each) => each === name);
    if (!known)
      throw new GatewayError(
        "usage",
        `there is no demo backend ${JSON.stringify(name)}; there are ${demoNames.join(", ")}`,
      );
    await runDemo(known, replica, process.stdin, process.stdout);
    return 0;
  },
};

export default command;
