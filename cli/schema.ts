// `mcpctl schema`: the JSON Schema of the config, for editors.

import { configJsonSchema } from "../lib/index.ts";
import { answer } from "./output.ts";
import type { Command } from "./command.ts";

const command: Command = {
  meta: { name: "schema", description: "Print the JSON Schema of the config" },
  args: {},
  examples: ["mcpctl schema > mcpctl.schema.json"],
  async run() {
    await answer(JSON.stringify(await configJsonSchema(), undefined, 2));
    return 0;
  },
};

export default command;
