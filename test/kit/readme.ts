// The tables of the README, each between two comments that name it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./process.ts";

export type Rows = readonly (readonly string[])[];

/** The rows of a table, without its head. */
export function readmeRows(name: string): Rows {
  const readme = readFileSync(join(projectRoot, "README.md"), "utf8");
  const text = new RegExp(`<!-- ${name}:start -->\n([^]*?)<!-- ${name}:end -->`).exec(readme)?.[1];
  if (text === undefined) throw new Error(`the README has no table "${name}"`);
  const lines = text.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}
