// What a command is, and strict parsing over citty's definitions: what a command does not have is an error.

import type { ArgDef, ArgsDef, CommandMeta } from "citty";
import { GatewayError, parseDuration, suggest } from "../lib/index.ts";
import { type Kinds, readWords } from "./words.ts";

/** A command: citty's definition for parsing and help, and what it does. */
export interface Command {
  readonly meta: CommandMeta;
  readonly args: ArgsDef;
  readonly examples: readonly string[];
  /** What stands behind `--` is a command line of its own, and not an argument. */
  readonly takesCommand?: boolean;
  /** The last positional may be given any number of times. */
  readonly variadic?: boolean;
  /** Flags whose value may be left out, and what it looks like. */
  readonly optional?: Readonly<Record<string, RegExp>>;
  /** Resolves to the exit code. */
  readonly run: (flags: Flags) => Promise<number>;
}

export interface Flags {
  /** By flag name, every value that was given; a switch has the value "". */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly positionals: readonly string[];
  /** What stood behind `--`, where the command takes that; untouched. */
  readonly command?: readonly string[] | undefined;
}

/** Flags that may be given more than once. */
const repeatable: ReadonlySet<string> = new Set([
  "config",
  "trust",
  "only",
  "for",
  "name",
  "threshold",
  "report",
  "fault",
  "part",
  "group",
  "scope",
]);

type Shape = Pick<Command, "takesCommand" | "variadic" | "optional">;

/** The flags and positionals of `argv`; throws `usage` for what `args` does not have. */
export function parseFlags(args: ArgsDef, argv: readonly string[], shape: Shape = {}): Flags {
  const end = shape.takesCommand === true ? argv.indexOf("--") : -1;
  if (end < 0) return parseWords(args, argv, shape);
  return { ...parseWords(args, argv.slice(0, end), shape), command: argv.slice(end + 1) };
}

function parseWords(args: ArgsDef, written: readonly string[], { variadic = false, optional = {} }: Shape): Flags {
  const argv = joinOptional(written, optional);
  const options: Record<string, Kinds[string]> = {};
  for (const [name, def] of Object.entries(args)) {
    if (def.type === "positional") continue;
    const short = shortOf(def);
    options[name] = { type: def.type === "boolean" ? "boolean" : "string", ...(short ? { short } : {}) };
  }
  const values = new Map<string, readonly string[]>();
  const positionals: string[] = [];
  for (const token of readWords(argv, options)) {
    if (token.kind === "positional") {
      positionals.push(token.value);
      continue;
    }
    const def = Object.hasOwn(options, token.name) ? args[token.name] : undefined;
    if (!def) throw new GatewayError("usage", unknownFlag(token.rawName, Object.keys(options)));
    const known = values.get(token.name) ?? [];
    if (known.length > 0 && !repeatable.has(token.name))
      throw new GatewayError("usage", `--${token.name} is given twice`);
    const isOptional = Object.hasOwn(optional, token.name) && token.value === "";
    const value = isOptional ? "" : valueOf(token.name, def, token.value, token.isInline);
    values.set(token.name, [...known, value]);
  }
  checkPositionals(args, positionals, variadic);
  return { values, positionals };
}

/** `--page 2` is `--page=2`, and `--page tools` is `--page= tools`. */
function joinOptional(argv: readonly string[], optional: Readonly<Record<string, RegExp>>): string[] {
  const out: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? "";
    if (word === "--") return [...out, ...argv.slice(at)];
    const pattern =
      word.startsWith("--") && Object.hasOwn(optional, word.slice(2)) ? optional[word.slice(2)] : undefined;
    const next = argv[at + 1];
    if (!pattern) out.push(word);
    else if (next !== undefined && pattern.test(next)) {
      out.push(`${word}=${next}`);
      at += 1;
    } else out.push(`${word}=`);
  }
  return out;
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

function checkPositionals(args: ArgsDef, given: readonly string[], variadic: boolean): void {
  const wanted = Object.entries(args).filter(([, { type }]) => type === "positional");
  const extra = given[wanted.length];
  if (extra !== undefined && !variadic) throw new GatewayError("usage", `unexpected argument ${JSON.stringify(extra)}`);
  const missing = wanted.slice(given.length).find(([, { required }]) => required !== false);
  if (missing) throw new GatewayError("usage", `the argument <${missing[0].toUpperCase()}> is missing`);
}

export function hasFlag(flags: Flags, name: string): boolean {
  return flags.values.has(name);
}

export function textFlag(flags: Flags, name: string): string | undefined {
  return flags.values.get(name)?.[0];
}

/** Milliseconds; `usage` where it is no duration. */
export function durationFlag(flags: Flags, name: string): number | undefined {
  const written = textFlag(flags, name);
  if (written === undefined) return undefined;
  const ms = parseDuration(written) ?? 0;
  if (ms > 0) return ms;
  throw new GatewayError("usage", `--${name} must be a duration like 5s, not ${JSON.stringify(written)}`);
}

/** A whole number from `min` on; `usage` where it is none. */
export function numberFlag(flags: Flags, name: string, min = 1): number | undefined {
  const written = textFlag(flags, name);
  if (written === undefined) return undefined;
  if (/^\d{1,9}$/.test(written) && Number(written) >= min) return Number(written);
  throw new GatewayError("usage", `--${name} must be a whole number from ${min} on, not ${JSON.stringify(written)}`);
}

/** One of these words; `usage` for another, with what was meant. */
export function wordFlag<const Word extends string>(
  flags: Flags,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const written = textFlag(flags, name);
  if (written === undefined) return undefined;
  const word = words.find((each) => each === written);
  if (word !== undefined) return word;
  const near = suggest(written, words);
  const meant = near === undefined ? "" : `; did you mean ${near}?`;
  throw new GatewayError(
    "usage",
    `--${name} must be one of ${words.join(", ")}, not ${JSON.stringify(written)}${meant}`,
  );
}

export function listFlag(flags: Flags, name: string): readonly string[] {
  return flags.values.get(name) ?? [];
}
