// Configs with one mistake each, in every dialect: ▸ stands where the mistake is, and is not a part of the text.

export type Broken = readonly [file: string, code: string, text: string];

const yaml = (code: string, text: string): Broken => ["mcpctl.yaml", code, text];
const server = (text: string): string => `backends:\n  fs: { ${text} }\n`;

const ownYaml: readonly Broken[] = [
  yaml("E3101", "▸listn: 127.0.0.1:7337\nbackends: {}\n"),
  yaml("E3101", server("▸comand: npx")),
  yaml("E3101", server("command: npx, timeouts: { ▸conect: 1s }")),
  yaml("E3101", "backends: {}\nlimits:\n  ▸boddy: 1MiB\n"),
  yaml("E3101", "backends: {}\npolicy:\n  ▸rule: []\n"),
  yaml("E3102", "backends:\n  fs: ▸npx\n"),
  yaml("E3102", server("command: ▸[npx]")),
  yaml("E3102", server("command: npx, args: ▸-y")),
  yaml("E3102", server("command: npx, args: [▸8080]")),
  yaml("E3102", server("command: npx, disabled: ▸perhaps")),
  yaml("E3102", server("command: npx, timeouts: { call: ▸10 }")),
  yaml("E3102", "backends: {}\nlimits: { body: ▸16 }\n"),
  yaml("E3102", "▸- backends\n"),
  yaml("E3103", "listen: ▸127.0.0.1:99999\nbackends: {}\n"),
  yaml("E3103", "naming: ▸prefixed\nbackends: {}\n"),
  yaml("E3103", server("command: npx, isolation: ▸sharred")),
  yaml("E3103", server("command: npx, timeouts: { call: ▸soon }")),
  yaml("E3103", "backends: {}\nlimits: { body: ▸1PB }\n"),
  yaml("E3103", "backends: {}\nsealKeys: [▸short]\n"),
  yaml("E3103", server('command: npx, env: { ▸"A=B": c }')),
  yaml("E3103", "backends: {}\npolicy: { rules: [{ effect: ▸permit }] }\n"),
  yaml("E3104", "backends:\n  ▸fs: {}\n"),
  yaml("E3104", "▸naming: none\n"),
  yaml("E3105", server("command: npx, ▸url: http://localhost:1/")),
  yaml("E3105", server("url: http://localhost:1/, ▸args: []")),
  yaml("E3105", "backends: { fs: { command: npx } }\nviews:\n  ▸fs: { backends: [fs] }\n"),
  yaml("E3106", "backends: {}\nnaming: none\n▸naming: prefix\n"),
  yaml("E3106", "backends: { a: { command: cat } }\npriority: [a, ▸a]\n"),
  yaml("E3107", "backends: {}\n▸\tnaming: none\n"),
  yaml("E3107", "backends: ▸*nothing\n"),
  yaml("E3107", "backends: ▸!run x\n"),
  yaml("E3107", "backends: {}\n▸---\nnaming: none\n"),
  yaml("E3110", server('command: npx, env: { A: "▸${NO_SUCH_VARIABLE}" }')),
  yaml("E3111", server('command: "▸${1}"')),
  yaml("E3112", "backends:\n  ▸a__b: { command: cat }\n"),
  yaml("E3113", server("url: ▸ftp://h.example/")),
  yaml("E3113", server("url: ▸nonsense")),
  yaml("E3116", "backends: { web: { command: cat } }\npriority: [▸webb]\n"),
  yaml("E3116", "backends: { web: { command: cat } }\nviews: { v: { backends: [▸wbe] } }\n"),
  yaml("E3117", "▸# nothing but this\n"),
  yaml("E3118", "backends: {}\n▸__proto__: {}\n"),
  yaml("E3120", server("url: ▸http://127.0.0.1:7337/mcp")),
  yaml("E3153", server("command: ▸npx -y pkg")),
  yaml("E3155", server("command: ▸no-such-program-anywhere")),
  yaml("E3156", server("command: cat, env: { API_KEY: ▸0123456789abcdef }")),
  yaml("E3157", server("url: ▸http://h.example/mcp")),
  yaml("E3158", server("command: npx, args: [-y, ▸some-server]")),
  yaml("E3159", server('command: cat, args: [▸"a && b"]')),
  yaml("E3160", server("command: cat, cwd: ▸/home/ada/notes")),
  yaml("E3161", server('command: cat, args: [--port, ▸"7337"]')),
  yaml("E3162", "backends:\n  web: { command: cat }\n  ▸We-b: { command: cat }\n"),
  yaml("E3165", "backends: { a: { command: cat } }\nviews:\n  ▸v: { tags: [none] }\n"),
  yaml("E3166", "backends: { a: { command: cat } }\n▸policy: { default: deny }\n"),
];

const ownOthers: readonly Broken[] = [
  ["mcpctl.toml", "E3101", '[backends.fs]\n▸comand = "npx"\n'],
  ["mcpctl.toml", "E3102", '[backends.fs]\ncommand = "npx"\ntimeouts.call = ▸10\n'],
  ["mcpctl.toml", "E3106", 'naming = "none"\n▸naming = "none"\n'],
  ["mcpctl.toml", "E3107", "[backends]\nb ▸2\n"],
  ["mcpctl.toml", "E3112", '[backends.▸"my server"]\ncommand = "cat"\n'],
  ["mcpctl.json", "E3101", '{ "backends": { "fs": { ▸"comand": "npx" } } }'],
  ["mcpctl.json", "E3106", '{ "backends": { "a": { "command": "cat" }, ▸"a": { "command": "cat" } } }'],
  ["mcpctl.json", "E3107", '{\n  "backends": {} ▸"naming": "none"\n}'],
  ["mcpctl.json", "E3118", '{ "backends": { ▸"__proto__": { "command": "cat" } } }'],
  ["mcpctl.jsonc", "E3103", '{\n  // how names are made\n  "naming": ▸"prefixes",\n  "backends": {},\n}'],
  ["mcpctl.jsonc", "E3104", '{ /* nothing in it */ "backends": { ▸"a": {} } }'],
  ["mcpctl.json5", "E3101", "{ backends: { fs: { ▸comand: 'npx' } } }"],
  ["mcpctl.json5", "E3102", "{ backends: {}, limits: { pages: ▸+Infinity } }"],
  ["mcpctl.json5", "E3107", "{ backends: ▸nothing }"],
];

const clients: readonly Broken[] = [
  // Claude Desktop
  ["claude_desktop_config.json", "E3151", '{ "mcpServers": { "fs": { ▸"commnd": "cat" } } }'],
  ["claude_desktop_config.json", "E3102", '{ "mcpServers": { "fs": { "command": "cat", "args": ▸"x" } } }'],
  ["claude_desktop_config.json", "E3102", '{ "mcpServers": ▸[] }'],
  // Claude Code
  [".mcp.json", "E3110", '{ "mcpServers": { "web": { "type": "http", "url": "▸${NO_SUCH_VARIABLE}/mcp" } } }'],
  [".mcp.json", "E3154", '{ "mcpServers": { "web": { "type": ▸"pigeon", "url": "https://h.example/mcp" } } }'],
  [".mcp.json", "E3152", '{ "mcpServers": { ▸"my server": { "command": "cat" } } }'],
  // Cursor
  [".cursor/mcp.json", "E3113", '{ "mcpServers": { "web": { "url": ▸"h.example/mcp" } } }'],
  [".cursor/mcp.json", "E3104", '{ "mcpServers": { ▸"web": { "headers": {} } } }'],
  // VS Code
  [".vscode/mcp.json", "E3151", '{ "servers": { "fs": { "type": "stdio", "command": "cat", ▸"arg": [] } } }'],
  [".vscode/mcp.json", "E3106", '{ "servers": { "a b": { "command": "cat" }, ▸"a-b": { "command": "cat" } } }'],
  // Codex
  ["config.toml", "E3102", '[mcp_servers.fs]\ncommand = ▸["cat"]\n'],
  ["config.toml", "E3107", "[mcp_servers.fs]\ncommand ▸cat\n"],
  // Gemini CLI
  ["settings.json", "E3113", '{ "mcpServers": { "web": { "httpUrl": ▸"nowhere" } } }'],
  ["settings.json", "E3102", '{ "mcpServers": { "web": { "httpUrl": "https://h.example/", "headers": ▸[] } } }'],
  // opencode
  ["opencode.json", "E3102", '{ "mcp": { "fs": { "type": "local", "command": ["cat", ▸7] } } }'],
  ["opencode.json", "E3113", '{ "mcp": { "web": { "type": "remote", "url": ▸"nowhere" } } }'],
  // Zed
  ["zed.json", "E3102", '{ "context_servers": { "fs": { "command": ▸7 } } }'],
  ["zed.json", "E3151", '{ "context_servers": { "fs": { "command": "cat", ▸"argz": [] } } }'],
];

export const brokenFiles: readonly Broken[] = [...ownYaml, ...ownOthers, ...clients];
