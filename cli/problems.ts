// What is wrong with a config, for people.

import process from "node:process";
import { formatProblem, type Loaded, type Problem } from "../lib/index.ts";
import type { FoundProblem } from "../lib/toolbox.ts";
import { fold, say } from "./output.ts";

/** Says every problem or warning of a config, and gives them back. */
export function sayProblems(loaded: Loaded): readonly Problem[] {
  const problems = loaded.kind === "ok" ? loaded.warnings : loaded.problems;
  for (const problem of problems) sayProblem(problem);
  if (problems.some(({ code }) => code === "E3114"))
    say("  fix: name a file with -c, or start with mcpctl serve --demo");
  return problems;
}

export function sayProblem(problem: FoundProblem): void {
  const { cause, fix } = problem;
  const reasons = [...(cause ? [`  cause: ${cause}`] : []), ...(fix ? [`  fix: ${fix}`] : [])];
  for (const line of [formatProblem(problem), ...reasons]) for (const part of fold(process.stderr, line)) say(part);
}
