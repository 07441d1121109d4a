// `mcpctl complete -- words`: what may stand in the place of the last word; shells call it. It starts and asks nobody.

import process from "node:process";
import { clientNames, explainedCodes, knownItems, loadDocuments, loadRaw } from "../lib/toolbox.ts";
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
  const files = filesOf(before);
  const flag = valueFlag(found, before.at(-1));
  if (flag) return valuesOf(flag.name, flag.description, files);
  if (last.startsWith("-"))
    return [
      ...Object.entries(found.args).flatMap(([key, { type }]) => (type === "positional" ? [] : [`--${key}`])),
      "--help",
    ];
  const given = before.slice(before.indexOf(name) + 1).filter((word, at, all) => {
    return !word.startsWith("-") && !valueFlag(found, all[at - 1]);
  });
  return positionals(name, given, last, files);
}

/** The flag that a word is, where it takes a value. */
function valueFlag({ args }: Command, word: string | undefined): { name: string; description: string } | undefined {
  const found = Object.entries(args).find(
    ([name, def]) => word === `--${name}` || ("alias" in def && word === `-${String(def.alias)}`),
  );
  return found?.[1].type === "string" ? { name: found[0], description: found[1].description ?? "" } : undefined;
}

/** Files that are named with -c; one that is code is not run for this. */
function filesOf(before: readonly string[]): readonly string[] {
  return before.flatMap((word, at) => {
    const inline = /^(?:--config=|-c=?)(.+)$/.exec(word)?.[1];
    const file = word === "-c" || word === "--config" ? before[at + 1] : inline;
    return file === undefined || isCode(file) ? [] : [file];
  });
}

function isCode(file: string): boolean {
  return /\.[cm]?[jt]s$/i.test(file);
}

/** A list of words in the description of a flag are its values. */
async function valuesOf(name: string, description: string, files: readonly string[]): Promise<readonly string[]> {
  if (name === "backend") return await serversOf(files);
  if (name === "for") return description.includes("backend=") ? ["ready", ...(await waitsFor(files))] : clientNames;
  if (name !== "output" && name !== "fail-on" && name !== "sort-by" && name !== "log-level" && name !== "to") return [];
  return description.match(/[a-z-]{3,}/g)?.filter((word) => word !== "left" && word !== "out") ?? [];
}

async function waitsFor(files: readonly string[]): Promise<readonly string[]> {
  return (await serversOf(files)).map((server) => `backend=${server}`);
}

const kinds = ["servers", "tools", "resources", "templates", "prompts", "all"];

async function positionals(
  name: string,
  given: readonly string[],
  last: string,
  files: readonly string[],
): Promise<readonly string[]> {
  switch (name) {
    case "list":
      if (given.length === 0) return [...kinds, ...(await targets(last, files))];
      return given.length === 1 && kinds.includes(given[0] ?? "") ? targets(last, files) : [];
    case "probe":
    case "bench":
    case "bench compare":
      return targets(last, files);
    case "lock":
      return knownItems(process.cwd(), "call", process.env);
    case "explain":
      return explainedCodes();
    case "call":
    case "get":
    case "read":
      return given.length === 0
        ? [...(await targets(last, files)), ...knownItems(process.cwd(), name, process.env)]
        : [];
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
async function targets(last: string, files: readonly string[]): Promise<readonly string[]> {
  const [, file] = /^(.+\.(?:ya?ml|toml|json[c5]?)):/is.exec(last) ?? [];
  if (file !== undefined) return (await serversOf([file])).map((server) => `${file}:${server}`);
  return last.includes("/") ? knownItems(process.cwd(), "call", process.env) : await serversOf(files);
}

async function serversOf(files: readonly string[]): Promise<readonly string[]> {
  const raw = await loadRaw({ cwd: process.cwd(), files, env: process.env });
  const backends: unknown = raw.root ? raw.value["backends"] : undefined;
  return typeof backends === "object" && backends !== null ? Object.keys(backends) : [];
}
