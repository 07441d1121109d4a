// `mcpctl schema`: the JSON Schema of the config, for editors, and of the documents that commands print.

import { configJsonSchema, GatewayError, suggest } from "../lib/index.ts";
import { loadDocuments } from "../lib/toolbox.ts";
import type { Command } from "./command.ts";
import { answer } from "./output.ts";

const command: Command = {
  meta: { name: "schema", description: "Print the JSON Schema of the config, or of an answer" },
  args: {
    kind: { type: "positional", description: "config, or the kind of a document; config if left out", required: false },
  },
  examples: ["mcpctl schema > mcpctl.schema.json", "mcpctl schema ItemList"],
  async run({ positionals: [kind = "config"] }) {
    if (kind === "config") {
      await answer(JSON.stringify(await configJsonSchema(), undefined, 2));
      return 0;
    }
    const { documentKinds, documentSchema } = await loadDocuments();
    const schema = documentSchema(kind);
    if (!schema) {
      const near = suggest(kind, documentKinds);
      const meant = near === undefined ? `there are config, ${documentKinds.join(", ")}` : `did you mean ${near}?`;
      throw new GatewayError("usage", `there is no schema of ${JSON.stringify(kind)}; ${meant}`);
    }
    await answer(JSON.stringify(schema, undefined, 2));
    return 0;
  },
};

export default command;
