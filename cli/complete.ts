// `mcpctl complete -- words`: what may stand in the place of the last word; shells call it. It starts and asks nobody.

import process from "node:process";
import { knownItems, loadDocuments, loadRaw } from "../lib/toolbox.ts";
import type { Command } from "./command.ts";
import { print } from "./output.ts";

/** The commands that there are, and the one of a name. */
export interface Commands {
  readonly names: readonly string[];
  readonly find: (name: string) => Promise<Command | undefined>;
  /** Where the command stands on a command line; its length where there is none. */
  readonly at: (argv: readonly string[]) => number;
}

export async function complete(argv: readonly string[], commands: Commands): Promise<number> {
  const found = await candidates(argv.slice(argv.indexOf("--") + 1), commands);
  if (found.length > 0) await print(`${found.join("\n")}\n`);
  return 0;
}

async function candidates(words: readonly string[], commands: Commands): Promise<readonly string[]> {
  const last = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const name = before[commands.at(before)];
  const all =
    name === undefined ? [...commands.names, "--help", "--version"] : await within(name, before, last, commands);
  return [...new Set(all)].filter((each) => each.startsWith(last));
}

async function within(
  name: string,
  before: readonly string[],
  last: string,
  commands: Commands,
): Promise<readonly string[]> {
  if (name === "help") return commands.names;
  const found = await commands.find(name);
  if (!found) return [];
  const previous = before.at(-1) ?? "";
  const flag = Object.entries(found.args).find(
    ([key, def]) => previous === `--${key}` || ("alias" in def && previous === `-${String(def.alias)}`),
  );
  if (flag && flag[1].type === "string") return valuesOf(flag[0], flag[1].description ?? "");
  if (last.startsWith("-"))
    return [
      ...Object.entries(found.args).flatMap(([key, { type }]) => (type === "positional" ? [] : [`--${key}`])),
      "--help",
    ];
  const given = before.slice(before.indexOf(name) + 1).filter((word) => !word.startsWith("-"));
  return positionals(name, given, last);
}

/** A list of words in the description of a flag are its values. */
function valuesOf(name: string, description: string): readonly string[] {
  if (name !== "output" && name !== "fail-on" && name !== "sort-by" && name !== "log-level" && name !== "to") return [];
  return description.match(/[a-z-]{3,}/g)?.filter((word) => word !== "left" && word !== "out") ?? [];
}

const kinds = ["servers", "tools", "resources", "templates", "prompts", "all"];

async function positionals(name: string, given: readonly string[], last: string): Promise<readonly string[]> {
  switch (name) {
    case "list":
      return given.length === 0 ? [...kinds, ...(await targets(last))] : targets(last);
    case "probe":
      return targets(last);
    case "call":
    case "get":
    case "read":
      return given.length === 0 ? [...(await targets(last)), ...knownItems(process.cwd(), name, process.env)] : [];
    case "schema":
      return ["config", ...(await loadDocuments()).documentKinds];
    case "completion":
      return ["bash", "zsh", "fish", "powershell"];
    case "config":
      return given.length === 0 ? ["sources", "view", "import", "convert", "snippet"] : [];
    default:
      return [];
  }
}

/** Names of the config's servers; one that is begun with its items behind a slash has them from the last listing. */
async function targets(last: string): Promise<readonly string[]> {
  const raw = await loadRaw({ cwd: process.cwd(), files: [], env: process.env });
  const backends: unknown = raw.root ? raw.value["backends"] : undefined;
  const names = typeof backends === "object" && backends !== null ? Object.keys(backends) : [];
  return last.includes("/") ? knownItems(process.cwd(), "call", process.env) : names;
}
