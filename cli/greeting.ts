// What `serve` prints once it listens: the endpoint, and how to add it to common clients.

import type { Plan } from "../lib/index.ts";
import { say } from "./output.ts";

export function greet(url: string, plan: Plan, isDemo: boolean): void {
  const names = plan.backends.map(({ name }) => name).join(", ");
  say(`mcpctl serves ${names || "no backends"} at ${url}`);
  if (!isDemo) return;
  say("");
  say("Add it to a client:");
  say(`  Claude Code   claude mcp add --transport http mcpctl ${url}`);
  say(`  VS Code       code --add-mcp '${JSON.stringify({ name: "mcpctl", type: "http", url })}'`);
  say(`  Cursor        ${JSON.stringify({ mcpServers: { mcpctl: { url } } })}   in ~/.cursor/mcp.json`);
  say(`  Inspector     npx @modelcontextprotocol/inspector --cli ${url} --transport http --method tools/list`);
  say("");
  say(`Health is at ${new URL("/health", url).href}; Ctrl-C stops.`);
}
