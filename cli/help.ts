// Help: of the program, and of one command.

import type { ArgsDef, CommandDef } from "citty";
import { renderUsage } from "citty";
import type { Command } from "./command.ts";
import { version } from "./version.ts";

const rootArgs: ArgsDef = {
  help: { type: "boolean", alias: "h", description: "Show this help, or that of a command" },
  version: { type: "boolean", alias: "v", description: "Show the version" },
};

const exitCodes = [
  ["0", "yes"],
  ["1", "the command worked, and the answer is no"],
  ["2", "wrong usage"],
  ["3", "wrong configuration"],
  ["4", "unreachable"],
  ["5", "not allowed in"],
  ["6", "the other side does not speak the protocol"],
  ["70", "a bug in mcpctl"],
  ["130", "interrupted"],
] as const;

/** What `mcpctl --help` shows; `commands` are names and descriptions. */
export async function rootHelp(commands: Readonly<Record<string, string>>): Promise<string> {
  const subCommands: Record<string, CommandDef> = {};
  for (const [name, description] of Object.entries(commands)) subCommands[name] = { meta: { name, description } };
  const meta = { name: "mcpctl", version, description: "Run, check and measure MCP servers" };
  const names = Object.keys(commands).join("|");
  const usage = tidy(await renderUsage({ meta, args: rootArgs, subCommands })).replace(names, "<command>");
  return `${usage}\n\nEXIT CODES\n\n${exitCodes.map(([code, means]) => `  ${code.padStart(3)}  ${means}`).join("\n")}`;
}

/** What `mcpctl <command> --help` shows. */
export async function commandHelp({ meta, args, examples }: Command): Promise<string> {
  const usage = tidy(await renderUsage({ meta, args }, { meta: { name: "mcpctl" } }));
  return `${usage}\n\nEXAMPLES\n\n${examples.map((example) => `  ${example}`).join("\n")}`;
}

/** Help goes through pipes as often as to a terminal: no colours, and no spaces that only fill a column. */
function tidy(usage: string): string {
  // oxlint-disable-next-line no-control-regex
  const plain = usage.replace(/\u001b\[[0-9;]*m/g, "").replaceAll("`", "");
  return plain.replace(/[ \t]+$/gm, "").trim();
}
