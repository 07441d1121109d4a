// A config as it is written: files found, translated and merged, with references in place and every value's origin known.

import { isAbsolute, resolve } from "node:path";
import { adapt } from "./foreign.ts";
import { type LoadOptions, findFiles } from "./load.ts";
import { translate } from "./dialects.ts";
import { type FilePlace, type Path, type Problem, filePlace } from "./problems.ts";
import { readSource } from "./source.ts";
import { type Mapping, type Node, mergeTrees, toValue } from "./tree.ts";

export interface RawConfig {
  readonly root: Node;
  /** Plain values; references are texts. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly files: readonly string[];
  readonly problems: readonly Problem[];
}

/** Undefined where a file cannot be read or parsed; `problems` says why. */
export async function loadRaw(
  options: LoadOptions,
): Promise<RawConfig | { readonly root: undefined; readonly problems: readonly Problem[] }> {
  const cwd = resolve(options.cwd);
  const named = options.files.map((file) => (isAbsolute(file) ? file : resolve(cwd, file)));
  const found = named.length > 0 ? { files: named, problems: [] } : await findFiles(cwd);
  if (found.problems.length > 0) return { root: undefined, problems: found.problems };
  const read = await Promise.all(found.files.map((file) => readSource(file, cwd)));
  const faults = read.flatMap(({ problems }) => problems);
  const trees = read.flatMap(({ root }) => root ?? []);
  if (faults.length > 0 || trees.length === 0) return { root: undefined, problems: faults };
  const translated = trees.map((tree) => translate(adapt(tree)));
  const root = translated.map((one) => one.root).reduce(mergeTrees);
  const value = toValue(root);
  const problems = translated.flatMap((one) => one.problems);
  return { root, value: isRecord(value) ? value : {}, files: found.files, problems };
}

/** Every single value of a config, where it is, and what it says. */
export interface Origin {
  readonly path: Path;
  readonly value: unknown;
  readonly place: FilePlace;
}

export function originsOf(root: Node): readonly Origin[] {
  const origins: Origin[] = [];
  const walk = (node: Node, path: Path): void => {
    if (node.kind === "scalar") origins.push({ path, value: node.value, place: filePlace(node.place) });
    else if (node.kind === "list") for (const [index, item] of node.items.entries()) walk(item, [...path, index]);
    else walkMap(node, path);
  };
  const walkMap = (node: Mapping, path: Path): void => {
    for (const [key, entry] of node.entries) walk(entry.node, [...path, key]);
  };
  walk(root, []);
  return origins;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
