// `mcpctl validate`: reports every mistake of the config, and starts nothing.

import process from "node:process";
import { loadPlan } from "../lib/index.ts";
import { type Command, listFlag } from "./command.ts";
import { answer } from "./output.ts";
import { sayProblems } from "./problems.ts";

const command: Command = {
  meta: { name: "validate", description: "Check configs without starting anything" },
  args: {
    config: {
      type: "string",
      alias: "c",
      description: "Config file; may be repeated, later ones win",
      valueHint: "file",
    },
  },
  examples: ["mcpctl validate", "mcpctl validate -c mcpctl.yaml -c local.yaml"],
  async run(flags) {
    const loaded = await loadPlan({ cwd: process.cwd(), files: listFlag(flags, "config"), env: process.env });
    const problems = sayProblems(loaded);
    // Nothing was checked where nothing could be read.
    if (loaded.kind === "invalid") return problems.every(({ code }) => unread.has(code)) ? 3 : 1;
    const { length } = loaded.plan.backends;
    await answer(`${loaded.files.join(", ")}: valid, ${length} backend${length === 1 ? "" : "s"}`);
    return 0;
  },
};

export default command;

/** There is no config, more than one, or a file that cannot be read. */
const unread: ReadonlySet<string> = new Set(["E3108", "E3114", "E3115"]);
