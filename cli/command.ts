// Strict parsing over citty's definitions: what a command does not have is an error with a suggestion.

import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import type { ArgsDef } from "citty";
import { GatewayError, suggest } from "../lib/index.ts";

export interface Flags {
  /** By flag name; repeated flags are lists. */
  readonly values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly positionals: readonly string[];
}

/** Flags that may be given more than once. */
const repeatable: ReadonlySet<string> = new Set(["config"]);

/** The flags and positionals of `argv`; throws `usage` for what `args` does not have. */
export function parseFlags(args: ArgsDef, argv: readonly string[]): Flags {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, def] of Object.entries(args)) {
    if (def.type === "positional") continue;
    const short = ["alias" in def && def.alias ? def.alias : []].flat().find((alias) => alias.length === 1);
    const type = def.type === "boolean" ? "boolean" : "string";
    options[name] = { type, multiple: repeatable.has(name), ...(short ? { short } : {}) };
  }
  const most = Object.values(args).filter(({ type }) => type === "positional").length;
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    const extra = positionals[most];
    if (extra !== undefined) throw new TypeError(`unexpected argument ${JSON.stringify(extra)}`);
    return { values: values as Flags["values"], positionals };
  } catch (error) {
    throw new GatewayError("usage", explain(error, Object.keys(options)), { cause: error });
  }
}

function explain(error: unknown, names: readonly string[]): string {
  const text = error instanceof Error ? error.message : String(error);
  const unknown = /unknown option '--?([^' =]+)/i.exec(text)?.[1];
  if (unknown === undefined) return text.split(". ", 1)[0] ?? text;
  const near = suggest(unknown, names);
  return `unknown flag --${unknown}${near ? `; did you mean --${near}?` : ""}`;
}

export function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags.values[name];
  return typeof value === "string" ? value : undefined;
}

export function listFlag(flags: Flags, name: string): readonly string[] {
  const value = flags.values[name];
  return Array.isArray(value) ? value : [];
}
