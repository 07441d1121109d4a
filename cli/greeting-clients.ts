// How to add the gateway to common clients, and where to look how it is: what `serve --demo` says last.

/** No line is longer than 80 columns with the default address. */
export function clientLines(url: string): readonly string[] {
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
