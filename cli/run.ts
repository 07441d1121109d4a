// Finds the command, runs it, and turns failures into messages and exit codes.

import type { ArgsDef, CommandDef, CommandMeta } from "citty";
import type { Flags } from "./command.ts";

/** A command: citty's definition for parsing and help, and what it does. */
export interface Command {
  readonly meta: CommandMeta;
  readonly args: ArgsDef;
  readonly examples: readonly string[];
  /** Resolves to the exit code. */
  readonly run: (flags: Flags) => Promise<number>;
}

interface Entry {
  readonly about: string;
  readonly load: () => Promise<{ readonly default: Command }>;
  /** Not shown in help. */
  readonly hidden?: boolean;
}

const commands: Readonly<Record<string, Entry>> = {
  serve: { about: "Serve many MCP servers behind one endpoint", load: () => import("./serve.ts") },
  validate: { about: "Check configs without starting anything", load: () => import("./validate.ts") },
  schema: { about: "Print the JSON Schema of the config", load: () => import("./schema.ts") },
  demo: { about: "Run one demo backend on stdin and stdout", load: () => import("./demo.ts"), hidden: true },
};

/** Set by the build; a checkout has no build. */
declare const MCPCTL_VERSION: string | undefined;
export const version: string = typeof MCPCTL_VERSION === "string" ? MCPCTL_VERSION : "0.1.0";

/** Runs a command line; resolves to the exit code of the process. */
export async function run(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first === "--version" || first === "-v" || first === "version") return printLine(version);
  if (first === undefined || first === "--help" || first === "-h" || first === "help") return help(rest[0]);
  try {
    const command = await find(first);
    const end = rest.indexOf("--");
    const own = end < 0 ? rest : rest.slice(0, end);
    if (own.includes("--help") || own.includes("-h")) return await help(first);
    const { parseFlags } = await import("./command.ts");
    return await command.run(parseFlags(command.args, rest));
  } catch (error) {
    return report(error);
  }
}

async function find(name: string): Promise<Command> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry) return (await entry.load()).default;
  const { GatewayError, suggest } = await import("../lib/index.ts");
  const near = suggest(name, shown());
  throw new GatewayError("usage", `unknown command ${JSON.stringify(name)}${near ? `; did you mean ${near}?` : ""}`);
}

function shown(): readonly string[] {
  return Object.keys(commands).filter((name) => !commands[name]?.hidden);
}

async function help(name: string | undefined): Promise<number> {
  const { renderUsage } = await import("citty");
  if (name !== undefined && Object.hasOwn(commands, name)) {
    const { meta, args, examples } = await find(name);
    const usage = await renderUsage({ meta, args }, { meta: { name: "mcpctl" } });
    return printLine(`${plain(usage).trim()}\n\nEXAMPLES\n\n${examples.map((example) => `  ${example}`).join("\n")}`);
  }
  const subCommands: Record<string, CommandDef> = {};
  for (const each of shown()) subCommands[each] = { meta: { name: each, description: commands[each]?.about ?? "" } };
  const meta = { name: "mcpctl", version, description: "Run, check and measure MCP servers" };
  return printLine(plain(await renderUsage({ meta, subCommands })).trim());
}

/** Help goes through pipes as often as to a terminal. */
function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;]*m/g, "");
}

async function printLine(text: string): Promise<number> {
  const { answer } = await import("./output.ts");
  answer(text);
  return 0;
}

async function report(error: unknown): Promise<number> {
  const [{ asGatewayError }, { say }] = await Promise.all([import("../lib/index.ts"), import("./output.ts")]);
  const failure = asGatewayError(error);
  say(`error[${failure.row.id}] ${failure.message}`);
  say(`  fix: ${failure.row.hint}`);
  if (failure.code === "internal" && failure.stack) say(failure.stack);
  return failure.row.exit;
}
