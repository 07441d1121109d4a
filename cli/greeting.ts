// What `serve` says once it listens: the endpoint, which backends came up, and how to add it to common clients.

import { backendLines, type Gateway } from "../lib/index.ts";
import { say } from "./output.ts";
import type { Signals } from "./signals.ts";
import { backendTable } from "./table.ts";
import { version } from "./version.ts";

/** How long a backend may take to start before the greeting goes on without it. */
const patienceMs = 3_000;

/** Resolves when all is said, or when the gateway is told to stop. */
export async function greet(url: string, gateway: Gateway, isDemo: boolean, { stopped }: Signals): Promise<void> {
  say(`mcpctl ${version} serves ${isDemo ? "the demo" : "MCP"} at ${url}`);
  const health = await Promise.race([gateway.settled(patienceMs), stopped]);
  if (!health) return;
  say("");
  for (const line of backendTable(backendLines(health.backends))) say(line);
  if (isDemo) for (const line of clients(url)) say(line);
}

/** No line is longer than 80 columns with the default address. */
function clients(url: string): readonly string[] {
  return [
    "",
    "Claude Code",
    `  claude mcp add --transport http mcpctl ${url}`,
    "VS Code, in .vscode/mcp.json",
    `  ${JSON.stringify({ servers: { mcpctl: { type: "http", url } } })}`,
    "Cursor, in ~/.cursor/mcp.json",
    `  ${JSON.stringify({ mcpServers: { mcpctl: { url } } })}`,
    "MCP Inspector",
    `  npx @modelcontextprotocol/inspector --cli ${url} \\`,
    "    --transport http --method tools/list",
    "",
    `Health: ${new URL("/health", url).href}; Ctrl-C stops.`,
  ];
}
