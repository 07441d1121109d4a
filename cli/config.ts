// `mcpctl config`: where settings come from, and configs in the words of other clients. Starts nothing.

import process from "node:process";
import { formatPath, formatProblem, GatewayError, type Problem, suggest } from "../lib/index.ts";
import {
  clientFile,
  type ClientName,
  clientNames,
  importConfig,
  invalidConfig,
  isSecretName,
  loadRaw,
  maskArgs,
  masked,
  maskUrl,
  type Origin,
  originsOf,
  writeClient,
} from "../lib/toolbox.ts";
import { document, formats, show, toYaml } from "./answer.ts";
import { type Command, type Flags, hasFlag, listFlag, textFlag, wordFlag } from "./command.ts";
import { configFlag, outputFlag } from "./common.ts";
import { print, say } from "./output.ts";

const actions = ["sources", "view", "import", "convert", "snippet"] as const;

const command: Command = {
  meta: { name: "config", description: "Show, import and convert configs" },
  args: {
    action: { type: "positional", description: actions.join(", "), required: true },
    file: { type: "positional", description: "Config file; for snippet, the client", required: false },
    config: configFlag,
    output: outputFlag(formats),
    to: { type: "string", description: `${clientNames.slice(0, 4).join(", ")}, …`, valueHint: "client" },
    url: { type: "string", description: "For snippet: the gateway's address", valueHint: "url" },
    stdio: { type: "boolean", description: "For snippet: the client starts the gateway itself" },
  },
  examples: [
    "mcpctl config sources",
    "mcpctl config view -o json",
    "mcpctl config import ~/.cursor/mcp.json > mcpctl.yaml",
    "mcpctl config convert mcpctl.yaml --to vscode > .vscode/mcp.json",
    "mcpctl config snippet claude-code --stdio",
  ],
  async run(flags) {
    const [written = "", second] = flags.positionals;
    const action = actions.find((each) => each === written);
    switch (action) {
      case "sources":
        return sources(flags, second);
      case "view":
        return view(flags, second);
      case "import":
        return importFile(flags, second);
      case "convert":
        return convert(flags, second);
      case "snippet":
        return snippet(flags, second);
      case undefined: {
        const near = suggest(written, actions);
        const meant = near === undefined ? `there are ${actions.join(", ")}` : `did you mean ${near}?`;
        throw new GatewayError("usage", `config cannot ${JSON.stringify(written)}; ${meant}`);
      }
    }
  },
};

export default command;

function optionsOf(flags: Flags, file: string | undefined): Parameters<typeof loadRaw>[0] {
  const files = [...listFlag(flags, "config"), ...(file === undefined ? [] : [file])];
  return { cwd: process.cwd(), env: process.env, files };
}

async function load(
  flags: Flags,
  file: string | undefined,
): Promise<Exclude<Awaited<ReturnType<typeof loadRaw>>, { root: undefined }>> {
  const raw = await loadRaw(optionsOf(flags, file));
  if (!raw.root) throw invalidConfig(raw.problems);
  sayAll(raw.problems);
  return raw;
}

function sayAll(problems: readonly Problem[]): void {
  for (const problem of problems) say(formatProblem(problem));
}

async function sources(flags: Flags, file: string | undefined): Promise<number> {
  const { root } = await load(flags, file);
  const items = shownOrigins(root).map((origin) => ({ ...origin, key: formatPath(origin.path) }));
  const bodies = items.map(({ key, value, place }) => ({ key, value, place }));
  await show(wordFlag(flags, "output", formats) ?? "table", {
    kind: "ConfigSources",
    body: { items: bodies },
    lines: bodies.map((body) => document("ConfigSource", body)),
    names: items.map(({ key }) => key),
    text: async () => {
      const { table } = await import("./columns.ts");
      const columns = [
        { title: "KEY", flexible: true, floor: 30 },
        { title: "VALUE", flexible: true },
        { title: "FROM" },
      ];
      return table(
        columns,
        items.map(({ key, value, place }) => [key, String(value), `${place.file}:${place.line}:${place.column}`]),
      );
    },
  });
  return 0;
}

/** Values for people: references as they are, literal secrets not at all. */
function shownOrigins(root: Parameters<typeof originsOf>[0]): readonly Origin[] {
  const origins = originsOf(root);
  return origins.map((origin, index) => ({ ...origin, value: shown(origin, origins[index - 1]) }));
}

function shown({ path, value }: Origin, before: Origin | undefined): unknown {
  if (typeof value !== "string") return value;
  const isWhole = path.includes("sealKeys") || path.includes("headers");
  if ((isWhole || (path.includes("env") && isSecretName(String(path.at(-1))))) && !value.includes("${")) return masked;
  if (!path.includes("args")) return maskUrl(value);
  // A flag that is named like a secret is followed by one.
  const isNext = before !== undefined && before.path.slice(0, -1).join() === path.slice(0, -1).join();
  return maskArgs([isNext ? String(before.value) : "", value])[1];
}

async function view(flags: Flags, file: string | undefined): Promise<number> {
  const { root, value } = await load(flags, file);
  const plain: unknown = structuredClone(value);
  for (const { path, value: leaf } of shownOrigins(root)) put(plain, path, leaf);
  const format = wordFlag(flags, "output", ["yaml", "json"]) ?? "yaml";
  const json = JSON.stringify(plain, undefined, 2);
  await print(format === "json" ? `${json}\n` : await toYaml(json));
  return 0;
}

function put(value: unknown, path: readonly (string | number)[], leaf: unknown): void {
  const [key, ...rest] = path;
  if (typeof value !== "object" || value === null || key === undefined) return;
  if (rest.length === 0) Reflect.set(value, key, leaf);
  else put(Reflect.get(value, key), rest, leaf);
}

async function importFile(flags: Flags, file: string | undefined): Promise<number> {
  if (file === undefined) throw new GatewayError("usage", "which file? mcpctl config import <file>");
  const { value, problems, asked } = await importConfig(optionsOf(flags, file));
  if (!value) throw invalidConfig(problems);
  sayAll(problems);
  for (const name of asked) say(`set ${name}: the other client asks for it`);
  const format = wordFlag(flags, "output", ["yaml", "json"]) ?? "yaml";
  const json = JSON.stringify(value, undefined, 2);
  await print(format === "json" ? `${json}\n` : await toYaml(json));
  return 0;
}

async function convert(flags: Flags, file: string | undefined): Promise<number> {
  const client = clientOf(textFlag(flags, "to"), "--to");
  const { value, problems } = await importConfig(optionsOf(flags, file));
  if (!value) throw invalidConfig(problems);
  sayAll(problems);
  const backends: unknown = value["backends"];
  const { text, lost } = writeClient(client, typeof backends === "object" && backends !== null ? { ...backends } : {});
  for (const { backend, why } of lost) say(`${client}: backends.${backend}: ${why}`);
  await print(text);
  return 0;
}

async function snippet(flags: Flags, written: string | undefined): Promise<number> {
  const client = clientOf(written ?? textFlag(flags, "to"), "the client");
  const url = textFlag(flags, "url") ?? "http://127.0.0.1:7337/mcp";
  const config = listFlag(flags, "config").flatMap((file) => ["-c", file]);
  const backend = hasFlag(flags, "stdio") ? { command: "mcpctl", args: ["serve", "--stdio", ...config] } : { url };
  const { text, lost } = writeClient(client, { mcpctl: backend });
  if (lost.some(({ key }) => key === "url"))
    throw new GatewayError("usage", `${client} only starts servers itself: add --stdio`);
  say(`${clientFile(client)}:`);
  await print(text);
  return 0;
}

function clientOf(written: string | undefined, what: string): ClientName {
  const client = clientNames.find((name) => name === written);
  if (client !== undefined) return client;
  const near = written === undefined ? undefined : suggest(written, clientNames);
  const meant = near === undefined ? "" : `; did you mean ${near}?`;
  throw new GatewayError("usage", `${what} must be one of ${clientNames.join(", ")}${meant}`);
}
