// Sections that other clients write in shapes of their own (Codex, opencode, Zed, Gemini CLI), brought into the common one.

import { type Entry, type Mapping, type Node, type Scalar, entryOf, mapTexts, textOf } from "./tree.ts";

/** A file's tree in which every section of servers is `mcpServers`; other trees as they are. */
export function adapt(root: Node): Node {
  if (root.kind !== "map" || root.entries.has("backends")) return root;
  for (const [section, convert] of converters) {
    const entry = root.entries.get(section);
    const servers = entry?.node.kind === "map" ? convert.find(entry.node) : undefined;
    if (!entry || !servers) continue;
    const backends = new Map([...servers.entries].map(([name, server]) => [name, converted(server, convert.server)]));
    const node = mapTexts({ ...servers, entries: backends }, convert.text ?? ((text) => text));
    // The rest of the file is the client's own settings, which say nothing here.
    return { ...root, entries: new Map([["mcpServers", { key: entry.key, node }]]) };
  }
  return root;
}

interface Converter {
  /** The map of servers in the section; undefined where the section is something else. */
  readonly find: (section: Mapping) => Mapping | undefined;
  readonly server: (server: Mapping) => Iterable<readonly [string, Entry]>;
  readonly text?: (text: string, scalar: Scalar) => string;
}

const converters: readonly (readonly [string, Converter])[] = [
  ["mcp_servers", { find: (section) => section, server: codexServer }],
  ["context_servers", { find: (section) => section, server: zedServer }],
  [
    "mcp",
    {
      find: (section) => {
        const inner = entryOf(section, "servers")?.node;
        return inner?.kind === "map" ? inner : section;
      },
      server: opencodeServer,
      text: (text) => text.replaceAll(/\{env:([A-Za-z_]\w*)\}/g, "${$1}"),
    },
  ],
  [
    "mcpServers",
    {
      // Only Gemini CLI has addresses of its own kind.
      find: (section) => ([...section.entries.values()].some(isGemini) ? section : undefined),
      server: geminiServer,
      text: (text) => text.replaceAll(/(?<!\$)\$([A-Za-z_]\w*)/g, "${$1}"),
    },
  ],
];

function converted(entry: Entry, convert: Converter["server"]): Entry {
  const { node } = entry;
  return node.kind === "map" ? { ...entry, node: { ...node, entries: new Map(convert(node)) } } : entry;
}

function isGemini({ node, key }: Entry): boolean {
  if (node.kind !== "map") return false;
  return node.entries.has("httpUrl") || /(?:^|\/)\.gemini\/[^/]+$/.test(key.source.file);
}

/** https://developers.openai.com/codex/mcp: TOML, seconds, and headers that name variables. */
function* codexServer(server: Mapping): Iterable<readonly [string, Entry]> {
  const headers = new Map(mapOf(server, "http_headers"));
  const token = textOf(server, "bearer_token_env_var");
  const tokenEntry = server.entries.get("bearer_token_env_var");
  if (token !== undefined && tokenEntry) headers.set("Authorization", made(tokenEntry, `Bearer \${${token}}`));
  for (const [name, entry] of mapOf(server, "env_http_headers"))
    if (entry.node.kind === "scalar") headers.set(name, made(entry, `\${${String(entry.node.value)}}`));
  const env = new Map(mapOf(server, "env"));
  const passed = server.entries.get("env_vars");
  if (passed?.node.kind === "list") {
    for (const { kind, ...item } of passed.node.items) {
      const name = kind === "scalar" && "value" in item ? String(item.value) : "";
      if (name !== "") env.set(name, made(passed, `\${${name}:-}`));
    }
  }
  const handled = ["http_headers", "bearer_token_env_var", "env_http_headers", "env", "env_vars", "enabled"];
  for (const [key, entry] of server.entries) {
    if (key === "startup_timeout_sec" || key === "startup_timeout_ms" || key === "tool_timeout_sec") continue;
    if (!handled.includes(key)) yield [key, entry];
  }
  if (headers.size > 0) yield ["headers", grouped(server, headers)];
  if (env.size > 0) yield ["env", grouped(server, env)];
  yield* disabledUnless(server, "enabled");
  yield* timeouts(server, [
    ["connect", "startup_timeout_sec", "s"],
    ["connect", "startup_timeout_ms", "ms"],
    ["call", "tool_timeout_sec", "s"],
  ]);
}

/** https://zed.dev/docs/ai/mcp: the command may be a map of path, args and env. */
function* zedServer(server: Mapping): Iterable<readonly [string, Entry]> {
  const command = entryOf(server, "command")?.node;
  for (const [key, entry] of server.entries) {
    if (key === "source" || key === "settings" || key === "enabled") continue;
    if (key !== "command" || command?.kind !== "map") yield [key, entry];
  }
  if (command?.kind === "map") {
    for (const [key, entry] of command.entries) yield [key === "path" ? "command" : key, entry];
  }
  yield* disabledUnless(server, "enabled");
}

/** https://opencode.ai/docs/mcp-servers: a command is one list, the environment has another name. */
function* opencodeServer(server: Mapping): Iterable<readonly [string, Entry]> {
  const command = entryOf(server, "command");
  const type = textOf(server, "type");
  for (const [key, entry] of server.entries) {
    if (key === "type" && (type === "local" || type === "remote")) continue;
    if (key === "enabled" || key === "timeout" || key === "oauth") continue;
    if (key === "environment") yield ["env", entry];
    else if (key !== "command" || command?.node.kind !== "list") yield [key, entry];
  }
  if (command?.node.kind === "list") {
    const [program, ...args] = command.node.items;
    if (program) yield ["command", { key: command.key, node: program }];
    if (args.length > 0) yield ["args", { key: command.key, node: { ...command.node, items: args } }];
  }
  yield* disabledUnless(server, "enabled");
  yield* timeouts(server, [["connect", "timeout", "ms"]]);
}

/** https://geminicli.com/docs/tools/mcp-server: httpUrl for Streamable HTTP, url for HTTP+SSE, milliseconds. */
function* geminiServer(server: Mapping): Iterable<readonly [string, Entry]> {
  for (const [key, entry] of server.entries) {
    if (key === "timeout" || key === "trust") continue;
    yield [key === "httpUrl" ? "url" : key, entry];
  }
  const url = server.entries.get("url");
  if (url && !server.entries.has("httpUrl") && !server.entries.has("type")) yield ["type", made(url, "sse")];
  yield* timeouts(server, [["call", "timeout", "ms"]]);
}

function mapOf(server: Mapping, key: string): Iterable<[string, Entry]> {
  const node = entryOf(server, key)?.node;
  return node?.kind === "map" ? node.entries : [];
}

/** A value that stands nowhere as such: its place is that of what it comes from. */
function made({ key, node }: Entry, value: unknown): Entry {
  return { key, node: { kind: "scalar", value, place: node.place, end: node.place.offset, path: node.path } };
}

function grouped({ place, path }: Mapping, entries: Map<string, Entry>): Entry {
  const [first] = entries.values();
  return { key: first?.key ?? place, node: { kind: "map", entries, place: first?.node.place ?? place, path } };
}

function* disabledUnless(server: Mapping, key: string): Iterable<readonly [string, Entry]> {
  const entry = server.entries.get(key);
  if (entry?.node.kind === "scalar" && entry.node.value === false) yield ["disabled", made(entry, true)];
}

function* timeouts(
  server: Mapping,
  rules: readonly (readonly [own: string, theirs: string, unit: string])[],
): Iterable<readonly [string, Entry]> {
  const found = new Map<string, Entry>();
  for (const [own, theirs, unit] of rules) {
    const entry = server.entries.get(theirs);
    if (entry?.node.kind === "scalar") found.set(own, made(entry, `${String(entry.node.value)}${unit}`));
  }
  if (found.size > 0) yield ["timeouts", grouped(server, found)];
}
