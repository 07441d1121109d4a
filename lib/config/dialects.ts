// The files of other clients: their `mcpServers` and `servers` become `backends`, with what does not fit said in a warning.

import { basename, isAbsolute, resolve, sep } from "node:path";
import process from "node:process";
import { backendKeys, topKeys } from "./accept.ts";
import { type Place, type Problem, formatPath, nearest, problemAt } from "./problems.ts";
import { readText } from "./source.ts";
import { type Entry, type Mapping, type Node, type Scalar, entryOf, textOf } from "./tree.ts";
import type { Environment } from "./variables.ts";

const sections = ["mcpServers", "servers"] as const;
const ownFields = new Set(["type", "envFile"]);

/** A file's tree with the servers of other clients moved to `backends`. */
export function translate(root: Node): { root: Node; problems: readonly Problem[] } {
  if (root.kind !== "map" || !sections.some((section) => root.entries.has(section))) return { root, problems: [] };
  const problems: Problem[] = [];
  const top = new Map(root.entries);
  const native = root.entries.get("backends");
  const backends = new Map(native?.node.kind === "map" ? native.node.entries : []);
  let moved: Entry | undefined;
  for (const section of sections) {
    const entry = root.entries.get(section);
    if (entry === undefined) continue;
    top.delete(section);
    moved = entry;
    if (entry.node.kind !== "map") {
      problems.push(problemAt("wrongType", entry.node.place, entry.node.path, `${section} must map names to servers`));
      continue;
    }
    for (const [name, server] of entry.node.entries) addServer(backends, name, server, problems);
  }
  if (native === undefined) ignoreForeignKeys(root, top, problems);
  // An empty section says nothing: only `backends: {}` is a word for "none at all".
  const nothing = native === undefined && backends.size === 0 && problems.length === 0;
  const key = native ?? moved;
  if (key !== undefined && !nothing && (native === undefined || native.node.kind === "map")) {
    top.set("backends", { key: key.key, node: { ...mappingOf(key.node), entries: backends } });
  }
  return { root: { ...root, entries: top }, problems };
}

function mappingOf(node: Node): Mapping {
  return node.kind === "map" ? node : { kind: "map", entries: new Map(), place: node.place, path: node.path };
}

function addServer(backends: Map<string, Entry>, written: string, server: Entry, problems: Problem[]): void {
  const name = slug(written);
  const path = server.node.path;
  if (backends.has(name)) {
    const message = `${formatPath(path)} becomes the backend "${name}", which exists already; rename one of them`;
    problems.push(problemAt("duplicateKey", server.key, path, message));
    return;
  }
  if (name !== written) {
    problems.push(problemAt("renamed", server.key, path, `${formatPath(path)} becomes the backend "${name}"`));
  }
  backends.set(name, server.node.kind === "map" ? { ...server, node: toBackend(server.node, problems) } : server);
}

/** The nearest name that a backend may have: "My Server" is `My-Server`. */
export function slug(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_.-]+/g, "-").replaceAll(/_{2,}/g, "_");
  const start = plain.replace(/^[^A-Za-z0-9]+/, "").slice(0, 32);
  return start.replace(/[-_.]+$/, "") || "server";
}

function toBackend(server: Mapping, problems: Problem[]): Mapping {
  const entries = new Map<string, Entry>();
  for (const [key, entry] of server.entries) {
    if (key === "type") {
      const transport = transportOf(entry, problems);
      const fits = server.entries.has("url") && !server.entries.has("transport");
      if (transport && fits) entries.set("transport", transport);
    } else if (key === "env") entries.set(key, { ...entry, node: textsOnly(entry.node) });
    else if (backendKeys.has(key) || ownFields.has(key)) entries.set(key, entry);
    else problems.push(ignored(key, entry, backendKeys));
  }
  return { ...server, entries };
}

/** What the type says of an address: "http" is what editors try first, and they go on to the old transport themselves. */
function transportOf({ key, node }: Entry, problems: Problem[]): Entry | undefined {
  const type = node.kind === "scalar" && typeof node.value === "string" ? node.value.toLowerCase() : "";
  if (type === "stdio" || type === "http") return undefined;
  const value = type === "sse" ? type : /^streamable-?http$/.test(type) ? "streamable" : undefined;
  if (value !== undefined && node.kind === "scalar") return { key, node: { ...node, value } };
  const message = 'unknown type of server; it is told by "command" or "url"';
  problems.push(problemAt("unknownType", node.place, node.path, message));
  return undefined;
}

// VS Code allows numbers, and null for a variable that the child shall not get.
function textsOnly(node: Node): Node {
  if (node.kind !== "map") return node;
  const entries = [...node.entries].flatMap(([key, entry]): [string, Entry][] => {
    if (entry.node.kind !== "scalar" || entry.node.value === null)
      return entry.node.kind === "scalar" ? [] : [[key, entry]];
    const { value } = entry.node;
    const text = typeof value === "number" || typeof value === "boolean" ? String(value) : value;
    return [[key, { ...entry, node: { ...entry.node, value: text } }]];
  });
  return { ...node, entries: new Map(entries) };
}

// An editor's file has settings of the editor; with `backends` beside them it is a file of ours, and a slip is an error.
function ignoreForeignKeys(root: Mapping, top: Map<string, Entry>, problems: Problem[]): void {
  if (basename(root.place.source.file).startsWith("mcpctl.")) return;
  for (const [key, entry] of root.entries) {
    if (!top.has(key)) continue;
    if (topKeys.has(key)) continue;
    top.delete(key);
    if (key !== "inputs") problems.push(ignored(key, entry, topKeys));
  }
}

function ignored(key: string, entry: Entry, known: ReadonlySet<string>): Problem {
  const message = `${formatPath(entry.node.path)} is not known here and ignored`;
  return problemAt("ignoredKey", entry.key, entry.node.path, message, nearest(key, known));
}

/** The variables that editors define, for texts of a section that they wrote. */
export function editorVariables(home: string): (scalar: Scalar) => Environment {
  return ({ path, place }) => {
    if (!sections.some((section) => section === path[0])) return {};
    const folder = place.source.folder;
    return {
      workspaceFolder: folder,
      workspaceFolderBasename: basename(folder),
      userHome: home,
      pathSeparator: sep,
      "/": sep,
    };
  };
}

/** The tree with each `envFile` read into its `env`, where what is written there wins. Also names the files. */
export async function applyEnvFiles(
  root: Node,
): Promise<{ root: Node; problems: readonly Problem[]; files: readonly string[] }> {
  const backends = entryOf(root, "backends");
  if (root.kind !== "map" || backends?.node.kind !== "map") return { root, problems: [], files: [] };
  const problems: Problem[] = [];
  const files: string[] = [];
  const changed = new Map(backends.node.entries);
  for (const [name, entry] of backends.node.entries) {
    const envFile = entryOf(entry.node, "envFile");
    const written = textOf(entry.node, "envFile");
    if (envFile === undefined || written === undefined || entry.node.kind !== "map") continue;
    if (!sections.some((section) => section === envFile.node.path[0])) continue;
    const { source } = envFile.node.place;
    const file = isAbsolute(written) ? written : resolve(source.folder, written);
    files.push(file);
    const text = await readText(file);
    if (typeof text !== "string") {
      problems.push(problemAt("unreadable", envFile.node.place, envFile.node.path, `the envFile ${text.reason}`));
    }
    const entries = new Map(entry.node.entries);
    entries.delete("envFile");
    if (typeof text === "string")
      entries.set("env", mergeEnv(process.getBuiltinModule("node:util").parseEnv(text), envFile, entries.get("env")));
    changed.set(name, { ...entry, node: { ...entry.node, entries } });
  }
  const entries = new Map(root.entries);
  entries.set("backends", { ...backends, node: { ...backends.node, entries: changed } });
  return { root: { ...root, entries }, problems, files };
}

function mergeEnv(
  values: Readonly<Record<string, string | undefined>>,
  from: Entry,
  written: Entry | undefined,
): Entry {
  if (written !== undefined && written.node.kind !== "map") return written;
  const place: Place = from.node.place;
  const entries = new Map<string, Entry>();
  for (const [key, value] of Object.entries(values)) {
    const node: Scalar = { kind: "scalar", value, place, end: place.offset, path: [...from.node.path, key] };
    entries.set(key, { key: place, node });
  }
  if (written?.node.kind === "map") for (const [key, entry] of written.node.entries) entries.set(key, entry);
  return { key: from.key, node: { kind: "map", entries, place, path: written?.node.path ?? from.node.path } };
}
