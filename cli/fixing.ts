// `mcpctl validate --fix`: repairs files in place and shows what was changed.

import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { GatewayError, type Loaded } from "../lib/index.ts";
import { fixText } from "../lib/toolbox.ts";
import { paintFor, plain, print } from "./output.ts";

/** True where something was repaired. */
export async function fixFiles(loaded: Loaded): Promise<boolean> {
  const problems = loaded.kind === "ok" ? loaded.warnings : loaded.problems;
  const files = [...new Set(problems.filter(({ line }) => line > 0).map(({ file }) => file))];
  let changed = false;
  for (const file of files) {
    const path = resolve(process.cwd(), file);
    const text = readFileSync(path, "utf8");
    const own = problems.filter((problem) => problem.file === file);
    const fixed = fixText(text, own);
    if (fixed.done.length === 0) continue;
    try {
      writeFileSync(path, fixed.text);
    } catch (error) {
      throw new GatewayError("output", `${file} cannot be written`, { cause: error });
    }
    changed = true;
    const lines = [`--- ${file}`, `+++ ${file}`, ...fixed.diff].map(paintLine);
    await print(`${lines.join("\n")}\n`);
  }
  return changed;
}

function paintLine(line: string): string {
  const color = line.startsWith("-") ? "red" : line.startsWith("+") ? "green" : "dim";
  return paintFor(process.stdout, plain(line), color);
}
