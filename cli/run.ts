// Finds the command, runs it, and turns failures into messages and exit codes.

import type { Command } from "./command.ts";
import { answer, say } from "./output.ts";
import { compileAsUsual } from "../lib/tiers.ts";
import { version } from "./version.ts";

interface Entry {
  readonly about: string;
  readonly load: () => Promise<{ readonly default: Command }>;
  /** Not shown in help. */
  readonly hidden?: boolean;
}

const commands: Readonly<Record<string, Entry>> = {
  serve: { about: "Serve many MCP servers behind one endpoint", load: () => import("./serve.ts") },
  probe: { about: "See how servers are, from the network to their lists", load: () => import("./probe.ts") },
  list: { about: "List servers, tools, resources, templates or prompts", load: () => import("./list.ts") },
  call: { about: "Call a tool", load: () => import("./call.ts") },
  get: { about: "Get a prompt", load: () => import("./get.ts") },
  read: { about: "Read a resource", load: () => import("./read.ts") },
  bench: { about: "Measure a server under load", load: () => import("./bench.ts") },
  "bench compare": {
    about: "Measure two servers side by side",
    load: () => import("./bench-compare.ts"),
  },
  "bench failover": {
    about: "Break parts of a system under load, and count what is lost",
    load: () => import("./bench-failover.ts"),
  },
  "bench fixture": {
    about: "Run a server that counts what it executes",
    load: () => import("./bench-fixture.ts"),
  },
  auth: { about: "Make keys, say who may use what, and sign in to backends", load: () => import("./auth.ts") },
  audit: { about: "Check that an audit log is as it was written", load: () => import("./audit.ts") },
  validate: { about: "Check configs without starting anything", load: () => import("./validate.ts") },
  lock: { about: "Keep what tools are, and see what changed", load: () => import("./lock.ts") },
  config: { about: "Show, import and convert configs", load: () => import("./config.ts") },
  status: { about: "Show how a running gateway and its backends are", load: () => import("./status.ts") },
  wait: { about: "Wait until a running gateway or a backend is ready", load: () => import("./wait.ts") },
  tail: { about: "Show the messages of a running gateway as they come", load: () => import("./tail.ts") },
  drain: { about: "Let a running gateway finish its calls and take no new ones", load: () => import("./drain.ts") },
  health: { about: "Ask a running gateway how it and its backends are", load: () => import("./health.ts") },
  why: { about: "Say what a running gateway did with a call, and why", load: () => import("./why.ts") },
  schema: { about: "Print the JSON Schema of the config, or of an answer", load: () => import("./schema.ts") },
  explain: { about: "Say what an error code means, and what to do", load: () => import("./explain.ts") },
  completion: { about: "Print a script that completes words in a shell", load: () => import("./completion.ts") },
  version: { about: "Show the version", load: () => import("./about.ts") },
  demo: { about: "Run one demo backend on stdin and stdout", load: () => import("./demo.ts"), hidden: true },
};

const shown: readonly string[] = Object.keys(commands).filter((name) => !commands[name]?.hidden);

/** Flags that may stand before the command and take the next word. */
const leading: ReadonlySet<string> = new Set(["-c", "--config", "-o", "--output", "--timeout", "--trust"]);

/** Runs a command line; resolves to the exit code of the process. */
export async function run(argv: readonly string[]): Promise<number> {
  const at = commandAt(argv);
  const two = argv.slice(at, at + 2).join(" ");
  const isTwo = Object.hasOwn(commands, two);
  const name = isTwo ? two : argv[at];
  const rest = argv.toSpliced(at, isTwo ? 2 : 1);
  try {
    const [first] = argv;
    if (argv.length === 1 && (first === "--version" || first === "-v" || first === "version"))
      return await print(version);
    if (name !== "complete" && flagsOf(argv).includes("--version")) return await print(version);
    if (name === undefined) return await withoutCommand(argv);
    if (name === "complete")
      return await (await import("./complete.ts")).complete(rest, { names: shown, find: known, at: commandAt });
    if (name === "help") return await help(rest.length > 0 ? rest.slice(0, 2).join(" ") : undefined);
    const command = await find(name);
    if (asksHelp(rest)) return await help(name);
    // A gateway says itself when it has started.
    if (name !== "serve") compileAsUsual();
    const { parseFlags } = await import("./command.ts");
    return await command.run(parseFlags(command.args, rest, command));
  } catch (error) {
    return report(error, name !== undefined && Object.hasOwn(commands, name) ? `mcpctl ${name}` : "mcpctl", argv);
  }
}

/** Where the command stands: flags may come first. */
function commandAt(argv: readonly string[]): number {
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? "";
    if (word === "--") break;
    if (!word.startsWith("-")) return at;
    if (leading.has(word)) at += 1;
  }
  return argv.length;
}

async function withoutCommand(argv: readonly string[]): Promise<number> {
  const [first] = argv;
  if (first === undefined || first === "--help" || first === "-h") return help(undefined);
  const { GatewayError, suggest } = await import("../lib/index.ts");
  const flag = first.split("=")[0] ?? first;
  if (leading.has(flag)) throw new GatewayError("usage", `there is no command behind ${flag}`);
  const near = suggest(flag, ["--help", "--version"]);
  const meant = near === undefined ? "" : `; did you mean ${near}?`;
  throw new GatewayError("usage", `unknown flag ${JSON.stringify(first)}${meant}`);
}

/** What stands behind `--` is no flag. */
function flagsOf(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  return end < 0 ? argv : argv.slice(0, end);
}

function asksHelp(argv: readonly string[]): boolean {
  const flags = flagsOf(argv);
  return flags.includes("--help") || flags.includes("-h");
}

/** True where a script reads the errors, whatever else is wrong with the command line. */
function asksJson(argv: readonly string[]): boolean {
  const flags = flagsOf(argv);
  return flags.some((word, at) => {
    const value = word === "-o" || word === "--output" ? flags[at + 1] : /^(?:-o|--output=)(.+)$/.exec(word)?.[1];
    return value === "json" || value === "ndjson";
  });
}

async function known(name: string): Promise<Command | undefined> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  return entry && (await entry.load()).default;
}

async function find(name: string): Promise<Command> {
  const command = await known(name);
  if (command) return command;
  const { GatewayError, suggest } = await import("../lib/index.ts");
  const near = suggest(name, shown);
  throw new GatewayError("usage", `unknown command ${JSON.stringify(name)}${near ? `; did you mean ${near}?` : ""}`);
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

async function report(thrown: unknown, usage: string, argv: readonly string[]): Promise<number> {
  const [{ asGatewayError }, { describeFailure }, { sayFailure }] = await Promise.all([
    import("../lib/index.ts"),
    import("../lib/toolbox.ts"),
    import("./report.ts"),
  ]);
  const failure = asGatewayError(thrown);
  sayFailure(describeFailure(failure), asksJson(argv), usage);
  if (failure.code === "internal" && failure.stack) say(failure.stack);
  const { exit } = failure.data;
  return typeof exit === "number" ? exit : failure.row.exit;
}
