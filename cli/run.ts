// Finds the command, runs it, and turns failures into messages and exit codes.

import type { Command } from "./command.ts";
import { answer, say } from "./output.ts";
import { version } from "./version.ts";

interface Entry {
  readonly about: string;
  readonly load: () => Promise<{ readonly default: Command }>;
  /** Not shown in help. */
  readonly hidden?: boolean;
}

const commands: Readonly<Record<string, Entry>> = {
  serve: { about: "Serve many MCP servers behind one endpoint", load: () => import("./serve.ts") },
  validate: { about: "Check configs without starting anything", load: () => import("./validate.ts") },
  health: { about: "Ask a running gateway how it and its backends are", load: () => import("./health.ts") },
  schema: { about: "Print the JSON Schema of the config", load: () => import("./schema.ts") },
  demo: { about: "Run one demo backend on stdin and stdout", load: () => import("./demo.ts"), hidden: true },
};

const shown: readonly string[] = Object.keys(commands).filter((name) => !commands[name]?.hidden);

/** Runs a command line; resolves to the exit code of the process. */
export async function run(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  try {
    if (first === "--version" || first === "-v" || first === "version") return await print(version);
    if (first === undefined || first === "--help" || first === "-h" || first === "help") return await help(rest[0]);
    const command = await find(first);
    if (asksHelp(rest)) return await help(first);
    const { parseFlags } = await import("./command.ts");
    return await command.run(parseFlags(command.args, rest));
  } catch (error) {
    return report(error, first !== undefined && Object.hasOwn(commands, first) ? `${first} ` : "");
  }
}

/** What stands behind `--` is no flag. */
function asksHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const flags = end < 0 ? argv : argv.slice(0, end);
  return flags.includes("--help") || flags.includes("-h");
}

async function find(name: string): Promise<Command> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry) return (await entry.load()).default;
  const { GatewayError, suggest } = await import("../lib/index.ts");
  const isFlag = name.startsWith("-");
  const near = isFlag ? suggest(name, ["--help", "--version"]) : suggest(name, shown);
  throw new GatewayError(
    "usage",
    `unknown ${isFlag ? "flag" : "command"} ${JSON.stringify(name)}${near ? `; did you mean ${near}?` : ""}`,
  );
}

async function help(name: string | undefined): Promise<number> {
  const { commandHelp, rootHelp } = await import("./help.ts");
  if (name !== undefined) return print(await commandHelp(await find(name)));
  return print(await rootHelp(Object.fromEntries(shown.map((each) => [each, commands[each]?.about ?? ""]))));
}

async function print(text: string): Promise<number> {
  await answer(text);
  return 0;
}

async function report(error: unknown, command: string): Promise<number> {
  const { asGatewayError } = await import("../lib/index.ts");
  const failure = asGatewayError(error);
  const { id, hint, exit } = failure.row;
  say(failure.message, { text: `error[${id}] `, color: "red" });
  say(`  fix: ${failure.code === "usage" ? `see mcpctl ${command}--help` : hint}`);
  if (failure.code === "internal" && failure.stack) say(failure.stack);
  return exit;
}
