// A config that is a script: runs it, because its name was given, and makes a tree of what it exports.

import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { loadConfig } from "c12";
import { type Problem, type Source, problemOf } from "./problems.ts";
import { type Node, type View, buildTree } from "./tree.ts";

/** The tree of a script's default export, or of what it returns where it is a function. */
export async function runModule(source: Source): Promise<{ root: Node | undefined; problems: readonly Problem[] }> {
  try {
    const { config } = await loadConfig({
      cwd: dirname(source.file),
      configFile: source.file,
      // Everything that would look for, download or run something else is off.
      rcFile: false,
      globalRc: false,
      dotenv: false,
      extend: false,
      giget: false,
      packageJson: false,
      envName: false,
      resolve: async () => ({ config: await importDefault(source.file), configFile: source.file }),
      // Nothing is merged here: the default merger would join arrays and lose the order of keys.
      merger: (...layers) => layers.find((layer) => layer !== undefined) ?? {},
    });
    return buildTree<unknown>(config, view, source);
  } catch (error) {
    // The script's own words, as it is the user's program that failed.
    const reason = error instanceof Error ? error.message : String(error);
    return { root: undefined, problems: [problemOf("badModule", source.label, `the script failed: ${reason}`)] };
  }
}

async function importDefault(file: string): Promise<Record<string, unknown>> {
  // Modules are kept for ever under their name; the time of the last change makes a new one for a reload. Bun looks at a
  // query behind a path only, and a path with special characters means different things to the runtimes.
  const { mtimeMs } = await stat(file);
  const name = /^\/[\w./@+-]*$/.test(file) ? file : pathToFileURL(file).href;
  const loaded: unknown = await import(`${name}?changed=${mtimeMs}`);
  const exported = isObject(loaded) ? loaded["default"] : undefined;
  const config: unknown = typeof exported === "function" ? await exported() : exported;
  if (!isObject(config) || Array.isArray(config)) throw new TypeError("it must export an object as its default");
  return config;
}

function view(value: unknown): View<unknown> {
  if (Array.isArray(value)) return { kind: "list", items: value, offset: 0 };
  if (!isObject(value)) return { kind: "scalar", value, offset: 0, end: 0 };
  const pairs = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return { kind: "map", pairs: pairs.map(([key, inner]) => ({ key, offset: 0, value: inner })), offset: 0 };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
