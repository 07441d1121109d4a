// `mcpctl validate`: reports every mistake of the config, and starts nothing.

import process from "node:process";
import { formatProblem, loadPlan } from "../lib/index.ts";
import { listFlag } from "./command.ts";
import { answer, say } from "./output.ts";
import type { Command } from "./run.ts";

const command: Command = {
  meta: { name: "validate", description: "Check configs without starting anything" },
  args: {
    config: { type: "string", alias: "c", description: "Config file; may be repeated, later ones win", valueHint: "file" },
  },
  examples: ["mcpctl validate", "mcpctl validate -c mcpctl.yaml -c local.yaml"],
  async run(flags) {
    const loaded = await loadPlan({ cwd: process.cwd(), files: listFlag(flags, "config"), env: process.env });
    const problems = loaded.kind === "ok" ? loaded.warnings : loaded.problems;
    for (const problem of problems) say(formatProblem(problem));
    if (loaded.kind === "invalid") return 1;
    const count = loaded.plan.backends.length;
    answer(`${loaded.files.join(", ")}: valid, ${count} backend${count === 1 ? "" : "s"}`);
    return 0;
  },
};

export default command;
