// Finds config files and turns them into a plan, or into everything that is wrong with them. Never throws for bad input.

import { statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import process from "node:process";
import type { Plan } from "./plan.ts";
import { type FilePlace, type Problem, placeKey, problemOf } from "./problems.ts";
import type { Node } from "./tree.ts";

export { formatProblem } from "./problems.ts";
export type { FilePlace, Problem } from "./problems.ts";

export interface LoadOptions {
  readonly cwd: string;
  /** Named files, later ones override earlier ones: maps are merged, everything else is replaced. Empty = look in `cwd`. */
  readonly files: readonly string[];
  /** For `${VAR}`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Also what is allowed and unwise. */
  readonly lint?: boolean;
}

export type Loaded =
  | {
      readonly kind: "ok";
      readonly plan: Plan;
      /** Everything that was read, absolute. */
      readonly files: readonly string[];
      readonly warnings: readonly Problem[];
      /** Where each backend is written. */
      readonly places: ReadonlyMap<string, FilePlace>;
    }
  | { readonly kind: "invalid"; readonly problems: readonly Problem[]; readonly files: readonly string[] };

const ownNames = ["yaml", "yml", "toml", "json", "jsonc", "json5"].map((extension) => `mcpctl.${extension}`);
const otherNames = [".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json", "claude_desktop_config.json"];

const maxProblems = 100;

/** The plan of the named files, or of the config in the working directory. */
export async function loadPlan(options: LoadOptions): Promise<Loaded> {
  const cwd = resolve(options.cwd);
  const named = options.files.map((file) => (isAbsolute(file) ? file : resolve(cwd, file)));
  const found = named.length > 0 ? { files: named, problems: [] } : await findFiles(cwd);
  if (found.problems.length > 0) return { kind: "invalid", ...found };
  return loadFiles(found.files, cwd, options);
}

/** The config of a folder, or why there is none that can be read. */
export async function findFiles(
  cwd: string,
): Promise<{ readonly files: readonly string[]; readonly problems: readonly Problem[] }> {
  const files = discover(cwd);
  if (files.length === 0) {
    const message = `no config found; looked in ${cwd} for ${[...ownNames, ...otherNames].join(", ")}`;
    return { files, problems: [problemOf("configNotFound", "", message)] };
  }
  if (files.length === 1) return { files, problems: [] };
  const message = `more than one config: ${files.map((file) => file.slice(cwd.length + 1)).join(", ")}; keep one, or name files with -c`;
  return { files, problems: [problemOf("ambiguous", "", message)] };
}

/** The JSON Schema of a config file. */
export async function configJsonSchema(): Promise<object> {
  const { createJsonSchema } = await import("./schema.ts");
  return createJsonSchema();
}

// No scripts here: code runs only because its name was given. A file of ours wins over those of other clients, and two of ours are a question for the user.
function discover(cwd: string): readonly string[] {
  const own = existing(cwd, ownNames);
  return own.length > 0 ? own : existing(cwd, otherNames).slice(0, 1);
}

function existing(cwd: string, names: readonly string[]): readonly string[] {
  return names
    .map((name) => join(cwd, name))
    .filter((path) => {
      try {
        return statSync(path).isFile();
      } catch {
        return false;
      }
    });
}

async function loadFiles(files: readonly string[], cwd: string, options: LoadOptions): Promise<Loaded> {
  const { readSource } = await import("./source.ts");
  const read = await Promise.all(files.map((file) => readSource(file, cwd)));
  const faults = read.flatMap(({ problems }) => problems);
  const trees = read.flatMap(({ root }) => root ?? []);
  // What a parser could not read would make half of the other complaints untrue.
  if (faults.length > 0)
    return { kind: "invalid", problems: arrange(faults, [...new Set(faults.map(({ file }) => file))]), files };
  return assemble(trees, files, options);
}

async function assemble(trees: readonly Node[], files: readonly string[], options: LoadOptions): Promise<Loaded> {
  const { env, lint = false } = options;
  const [
    { translate, editorVariables, applyEnvFiles },
    { backendPlaces, mergeTrees },
    { replaceVariables },
    { checkConfig, splitDisabled },
    { adapt },
  ] = await Promise.all([
    import("./dialects.ts"),
    import("./tree.ts"),
    import("./variables.ts"),
    import("./check.ts"),
    import("./foreign.ts"),
  ]);
  const translated = trees.map((tree) => translate(adapt(tree)));
  const merged = translated.map(({ root }) => root).reduce(mergeTrees);
  const home = env["HOME"] ?? env["USERPROFILE"] ?? process.getBuiltinModule("node:os").homedir();
  const replaced = replaceVariables(merged, env, editorVariables(home));
  const { root: awake, disabled, paths } = splitDisabled(replaced.root);
  const completed = await applyEnvFiles(awake);
  const checked = await checkConfig(completed.root, disabled);
  // A text with an open reference is one mistake, not two; and a disabled backend may lack its secrets.
  const open = replaced.problems.filter((problem) => !paths.has(textPlace(problem)));
  const known = new Set(open.map(textPlace));
  const hints = lint ? (await import("./lint.ts")).lintConfig(merged, completed.root, env) : [];
  const problems = [
    ...hints,
    ...translated.flatMap((one) => one.problems),
    ...open,
    ...completed.problems,
    ...checked.problems.filter((problem) => !known.has(textPlace(problem))),
  ];
  const labels = trees.map(({ place }) => place.source.label);
  const all = [...files, ...completed.files];
  if (checked.config === undefined || problems.some(({ severity }) => severity === "error")) {
    return { kind: "invalid", problems: arrange(problems, labels), files: all };
  }
  const { compilePlan } = await import("./compile.ts");
  return {
    kind: "ok",
    plan: compilePlan(checked.config, completed.root),
    files: all,
    warnings: arrange(problems, labels),
    places: backendPlaces(completed.root),
  };
}

/** What is the same for all problems of one value, wherever inside it they point. */
function textPlace({ file, path }: Problem): string {
  return placeKey(file, path);
}

// In the order of reading, and so many of one kind of slip that nobody needs more.
function arrange(problems: readonly Problem[], files: readonly string[]): readonly Problem[] {
  return problems
    .toSorted((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column)
    .slice(0, maxProblems);
}
