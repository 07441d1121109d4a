// From flags to the servers that a command is about: finds the config, says what is wrong with it.

import process from "node:process";
import { formatProblem } from "../lib/index.ts";
import { invalidConfig, parseTarget, resolveTargets, type Target } from "../lib/toolbox.ts";
import { type Flags, listFlag, textFlag } from "./command.ts";
import { say } from "./output.ts";
import { askTrust } from "./trust.ts";

/** The servers that a command line means. `starts`: the command will connect to them, which a found config must be trusted for. */
export async function targetsOf(
  flags: Flags,
  written: string | undefined,
  starts: boolean,
  isQuiet: boolean = false,
): Promise<readonly Target[]> {
  const spec = parseTarget(written, flags.command);
  const options = { cwd: process.cwd(), env: process.env, files: listFlag(flags, "config") };
  const resolved = await resolveTargets(spec, options);
  if (resolved.kind === "invalid") throw invalidConfig(resolved.problems);
  // Who has just been told of them needs no second telling, and a script reads errors there.
  const format = textFlag(flags, "output");
  if (!isQuiet && format !== "json" && format !== "ndjson")
    for (const warning of resolved.warnings) say(formatProblem(warning));
  const { targets, discovered } = resolved;
  if (starts && discovered.length > 0) await askTrust(discovered, targets, listFlag(flags, "trust"));
  return targets;
}
