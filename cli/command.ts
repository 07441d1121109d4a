// What a command is, and strict parsing over citty's definitions: what a command does not have is an error.

import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import type { ArgDef, ArgsDef, CommandMeta } from "citty";
import { GatewayError, suggest } from "../lib/index.ts";

/** A command: citty's definition for parsing and help, and what it does. */
export interface Command {
  readonly meta: CommandMeta;
  readonly args: ArgsDef;
  readonly examples: readonly string[];
  /** Resolves to the exit code. */
  readonly run: (flags: Flags) => Promise<number>;
}

export interface Flags {
  /** By flag name, every value that was given; a switch has the value "". */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly positionals: readonly string[];
}

/** Flags that may be given more than once. */
const repeatable: ReadonlySet<string> = new Set(["config"]);

/** The flags and positionals of `argv`; throws `usage` for what `args` does not have. */
export function parseFlags(args: ArgsDef, argv: readonly string[]): Flags {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, def] of Object.entries(args)) {
    if (def.type === "positional") continue;
    const short = shortOf(def);
    options[name] = { type: def.type === "boolean" ? "boolean" : "string", ...(short ? { short } : {}) };
  }
  // Not `strict`: its messages differ from runtime to runtime, and it lets the last of two values win in silence.
  const { tokens } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: false, tokens: true });
  const values = new Map<string, readonly string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const def = Object.hasOwn(options, token.name) ? args[token.name] : undefined;
    if (!def) throw new GatewayError("usage", unknownFlag(token.rawName, Object.keys(options)));
    const known = values.get(token.name) ?? [];
    if (known.length > 0 && !repeatable.has(token.name))
      throw new GatewayError("usage", `--${token.name} is given twice`);
    values.set(token.name, [...known, valueOf(token.name, def, token.value, token.inlineValue === true)]);
  }
  checkPositionals(args, positionals);
  return { values, positionals };
}

function shortOf(def: ArgDef): string | undefined {
  return ["alias" in def && def.alias ? def.alias : []].flat().find((alias) => alias.length === 1);
}

function unknownFlag(written: string, names: readonly string[]): string {
  const near = written.startsWith("--") ? suggest(written.slice(2), [...names, "help"]) : undefined;
  return `unknown flag ${written}${near ? `; did you mean --${near}?` : ""}`;
}

function valueOf(name: string, def: ArgDef, value: string | undefined, isInline: boolean): string {
  if (def.type === "boolean") {
    if (value !== undefined) throw new GatewayError("usage", `--${name} takes no value`);
    return "";
  }
  const hint = "valueHint" in def && def.valueHint ? def.valueHint : "value";
  if (value === undefined || value === "")
    throw new GatewayError("usage", `--${name} needs a value: --${name} <${hint}>`);
  // A forgotten value would swallow the flag behind it.
  if (!isInline && value.startsWith("-") && value !== "-") {
    throw new GatewayError(
      "usage",
      `--${name} needs a value, and ${value} looks like a flag; write --${name}=${value} if it is none`,
    );
  }
  return value;
}

function checkPositionals(args: ArgsDef, given: readonly string[]): void {
  const wanted = Object.entries(args).filter(([, { type }]) => type === "positional");
  const extra = given[wanted.length];
  if (extra !== undefined) throw new GatewayError("usage", `unexpected argument ${JSON.stringify(extra)}`);
  const missing = wanted.slice(given.length).find(([, { required }]) => required !== false);
  if (missing) throw new GatewayError("usage", `the argument <${missing[0].toUpperCase()}> is missing`);
}

export function hasFlag(flags: Flags, name: string): boolean {
  return flags.values.has(name);
}

export function textFlag(flags: Flags, name: string): string | undefined {
  return flags.values.get(name)?.[0];
}

export function listFlag(flags: Flags, name: string): readonly string[] {
  return flags.values.get(name) ?? [];
}
