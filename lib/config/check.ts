// Everything that is wrong with a merged config: what the schema refuses, and what only makes sense together.

import type * as z from "zod";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { readUnixUrl } from "../core/unix-url.ts";
import { acceptConfig } from "./accept.ts";
import { checkRenames, checkViews } from "./check-catalog.ts";
import { checkAuth } from "./check-auth.ts";
import { checkCluster } from "./check-cluster.ts";
import { checkCallers, checkOutbound } from "./check-outbound.ts";
import { checkPolicy } from "./check-policy.ts";
import { type Problem, type ProblemKind, formatPath, nearest, placeKey, problemAt } from "./problems.ts";
import { type Config, namePattern } from "./rules.ts";
import { type Entry, type Node, entryOf, find, textOf, toValue } from "./tree.ts";

/** The typed config, or undefined where the schema refuses it, and every problem that is found. */
export async function checkConfig(
  root: Node,
  disabled: readonly string[],
): Promise<{ config: Config | undefined; problems: readonly Problem[] }> {
  const { config, issues = [] } = await read(toValue(root));
  const problems = onePerValue(issues.flatMap((issue) => fromIssue(root, issue, [])));
  const section = entryOf(root, "backends");
  if (root.kind === "map" && section === undefined) {
    const message = 'no backend is configured; add "backends", or write "backends: {}" to start without one';
    problems.push(problemAt("missing", root.place, [], message));
  }
  if (section?.node.kind === "map") {
    for (const [name, entry] of section.node.entries) {
      if (!namePattern.test(name)) problems.push(badName(entry));
      checkBackend(entry, problems);
      checkRenames(entry, problems);
      problems.push(...checkCallers(root, entry.node));
    }
    const names = [...section.node.entries.keys(), ...disabled];
    checkPriority(root, names, problems);
    checkViews(root, names, problems);
  }
  problems.push(...checkAuth(root), ...checkPolicy(root), ...checkCluster(root));
  return { config, problems };
}

async function read(
  value: unknown,
): Promise<{ readonly config?: Config | undefined; readonly issues?: readonly z.core.$ZodIssue[] | undefined }> {
  const accepted = acceptConfig(value);
  if (accepted !== undefined) return { config: accepted };
  const { parseConfig } = await import("./schema.ts");
  return parseConfig(value);
}

// A list where a text should be is also called too short: everything that has a length is measured.
function onePerValue(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ file, path }) => {
    const key = placeKey(file, path);
    return !seen.has(key) && seen.add(key);
  });
}

/** The tree without its disabled backends, which nobody looks into; their names, and the keys of all their values. */
export function splitDisabled(root: Node): { root: Node; disabled: readonly string[]; paths: ReadonlySet<string> } {
  const section = entryOf(root, "backends");
  const paths = new Set<string>();
  if (root.kind !== "map" || section?.node.kind !== "map") return { root, disabled: [], paths };
  const all = [...section.node.entries];
  const disabled = all.filter(([, { node }]) => {
    const flag = entryOf(node, "disabled")?.node;
    return flag?.kind === "scalar" && String(flag.value) === "true";
  });
  for (const [, { node }] of disabled) collectPaths(node, paths);
  const awake = all.filter((entry) => !disabled.includes(entry));
  const entries = new Map(root.entries);
  entries.set("backends", { ...section, node: { ...section.node, entries: new Map(awake) } });
  return { root: { ...root, entries }, disabled: disabled.map(([name]) => name), paths };
}

function collectPaths(node: Node, paths: Set<string>): void {
  if (node.kind === "scalar") paths.add(placeKey(node.place.source.label, node.path));
  const inner = node.kind === "map" ? [...node.entries.values()].map((entry) => entry.node) : [];
  for (const child of node.kind === "list" ? node.items : inner) collectPaths(child, paths);
}

function fromIssue(root: Node, issue: z.core.$ZodIssue, above: readonly PropertyKey[]): Problem[] {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey(root, path, key, issue.message.split(" ")));
  }
  if (issue.code === "invalid_union") {
    // The branch that was meant is the one that got further than the type of the whole.
    const meant = issue.errors.find((branch) =>
      branch.every((inner) => inner.path.length > 0 || inner.code === "unrecognized_keys"),
    );
    if (meant !== undefined && meant.length > 0) return meant.flatMap((inner) => fromIssue(root, inner, path));
  }
  return [wrongValue(root, path, issue)];
}

function unknownKey(root: Node, path: readonly PropertyKey[], key: string, known: readonly string[]): Problem {
  const parent = find(root, path) ?? rootEntry(root);
  const entry = entryOf(parent.node, key) ?? parent;
  const where = parent.node.path.length === 0 ? "" : ` in ${formatPath(parent.node.path)}`;
  return problemAt("unknownKey", entry.key, entry.node.path, `unknown key "${key}"${where}`, nearest(key, known));
}

function wrongValue(root: Node, path: readonly PropertyKey[], issue: z.core.$ZodIssue): Problem {
  const { node } = find(root, path) ?? rootEntry(root);
  const where = formatPath(node.path);
  const message = issue.code === "invalid_value" ? `expected ${oneOf(issue.values)}` : saying(issue, node);
  const written = node.kind === "scalar" ? node.value : undefined;
  const options = issue.code === "invalid_value" ? issue.values.map(String) : [];
  const meant = typeof written === "string" ? nearest(written, options) : undefined;
  const kind: ProblemKind = issue.code === "invalid_type" || issue.code === "invalid_union" ? "wrongType" : "badValue";
  return problemAt(kind, node.place, node.path, `${where}: ${message}`, meant);
}

const kinds: Readonly<Record<string, string>> = { object: "a map", record: "a map", array: "a list" };

function saying(issue: z.core.$ZodIssue, node: Node): string {
  if (issue.code === "invalid_type" && kinds[issue.expected] !== undefined) {
    const found = node.kind === "scalar" ? (node.value === null ? "nothing" : "a single value") : `a ${node.kind}`;
    return `expected ${kinds[issue.expected]}, found ${found}`;
  }
  return issue.message;
}

function oneOf(values: readonly unknown[]): string {
  return values.map((value) => `"${String(value)}"`).join(" or ");
}

function rootEntry(root: Node): Entry {
  return { key: root.place, node: root };
}

function badName({ key, node }: Entry): Problem {
  const rule =
    'up to 32 letters, digits, "-", "." or "_", starting with a letter or digit, without "__" and "_" at the end';
  return problemAt("badName", key, node.path, `${formatPath(node.path)} is no name for a backend: ${rule}`);
}

const childKeys = ["args", "env", "cwd", "inheritEnv", "sandbox"] as const;

function checkBackend(backend: Entry, problems: Problem[]): void {
  if (backend.node.kind !== "map") return;
  checkEndpoint(backend, ["command", "url", "replicas"], problems);
  checkTransport(backend.node, backend.node, problems);
  const replicas = entryOf(backend.node, "replicas")?.node;
  if (replicas?.kind !== "list") return;
  for (const node of replicas.items) {
    checkEndpoint({ key: node.place, node }, ["command", "url"], problems);
    checkTransport(node, backend.node, problems);
  }
}

function checkTransport(endpoint: Node, backend: Node, problems: Problem[]): void {
  const entry = entryOf(endpoint, "transport");
  if (!entry || textOf(endpoint, "transport") !== "sse" || textOf(backend, "protocol") !== "modern") return;
  const message = `${formatPath(entry.node.path)} is "sse", which no modern server speaks; leave out this or "protocol"`;
  problems.push(problemAt("conflict", entry.key, entry.node.path, message));
}

function checkEndpoint({ key, node }: Entry, ways: readonly string[], problems: Problem[]): void {
  if (node.kind !== "map") return;
  const given = ways.filter((way) => node.entries.has(way));
  const where = formatPath(node.path);
  // A misspelt "command" is one mistake, not two.
  const slips = [...node.entries.keys()].some((name) => nearest(name, ways) !== undefined);
  if (given.length === 0) {
    if (slips) return;
    problems.push(problemAt("missing", key, node.path, `${where} needs ${ways.map((way) => `"${way}"`).join(" or ")}`));
    return;
  }
  const second = given[1] === undefined ? undefined : node.entries.get(given[1]);
  if (second !== undefined) {
    const message = `${where} has ${given.map((way) => `"${way}"`).join(" and ")}; only one of them can be`;
    problems.push(problemAt("conflict", second.key, second.node.path, message));
    return;
  }
  for (const [owner, keys] of [
    ["command", childKeys],
    ["url", ["headers", "tls", "auth", "forwardHeaders", "transport"]],
  ] as const) {
    for (const name of given[0] === owner ? [] : keys) {
      const entry = node.entries.get(name);
      if (entry === undefined) continue;
      problems.push(
        problemAt("conflict", entry.key, entry.node.path, `${where} has "${name}", which belongs to "${owner}"`),
      );
    }
  }
  checkUrl(node, problems);
  checkHeaders(node, problems);
  problems.push(...checkOutbound(node));
  checkEnv(node, problems);
  checkShellLine(node, problems);
}

const schemes: ReadonlySet<string> = new Set(["http:", "https:", "unix:"]);

function checkUrl(node: Node, problems: Problem[]): void {
  const written = textOf(node, "url");
  const entry = entryOf(node, "url");
  if (written === undefined || entry === undefined) return;
  const report = (message: string): number =>
    problems.push(problemAt("badUrl", entry.node.place, entry.node.path, `${formatPath(entry.node.path)} ${message}`));
  const url = URL.parse(written);
  if (url === null) report("is no address; write it like https://example.com/mcp");
  else if (url.protocol === "unix:" && readUnixUrl(url) === undefined) {
    report("names no file; write it like unix:/run/mcp.sock or unix:/run/mcp.sock:/mcp");
  } else if (!schemes.has(url.protocol)) report("must begin with http://, https:// or unix:/");
  else if (url.username + url.password !== "" && hasHeader(node, "authorization")) {
    report("has a user and a password, and there is an Authorization header; keep one of them");
  }
}

function hasHeader(node: Node, name: string): boolean {
  const headers = entryOf(node, "headers")?.node;
  return headers?.kind === "map" && [...headers.entries.keys()].some((key) => key.toLowerCase() === name);
}

function checkHeaders(node: Node, problems: Problem[]): void {
  const headers = entryOf(node, "headers")?.node;
  if (headers?.kind !== "map") return;
  for (const [name, { key, node: value }] of headers.entries) {
    const report = (message: string): number => problems.push(problemAt("badValue", key, value.path, message));
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) report(`${formatPath(value.path)} is no name of a header`);
    else if (/[\r\n]/.test(textOf(headers, name) ?? "")) {
      report(`${formatPath(value.path)} holds a line break; does the variable in it end with one?`);
    } else if (/[^\t\u0020-\u007e\u0080-\u00ff]/.test(textOf(headers, name) ?? "")) {
      report(`${formatPath(value.path)} holds a character that a header cannot carry`);
    }
  }
}

function checkEnv(node: Node, problems: Problem[]): void {
  const env = entryOf(node, "env")?.node;
  if (env?.kind !== "map") return;
  for (const [name, { key, node: value }] of env.entries) {
    if (name !== "" && !/[=\0]/.test(name)) continue;
    problems.push(
      problemAt("badValue", key, value.path, `${formatPath(value.path)} is no name of an environment variable`),
    );
  }
}

// No shell is in between, so "npx foo" would be looked up as one program of that name.
function checkShellLine(node: Node, problems: Problem[]): void {
  const command = textOf(node, "command");
  const entry = entryOf(node, "command");
  if (command === undefined || entry === undefined || entryOf(node, "args") !== undefined) return;
  if (!/\s/.test(command.trim()) || existsSync(resolve(entry.node.place.source.folder, command))) return;
  const message = `${formatPath(entry.node.path)} is one program, no shell line; put what follows the program into "args"`;
  problems.push(problemAt("shellLine", entry.node.place, entry.node.path, message));
}

function checkPriority(root: Node, names: readonly string[], problems: Problem[]): void {
  const priority = entryOf(root, "priority")?.node;
  if (priority?.kind !== "list") return;
  const seen = new Set<string>();
  for (const item of priority.items) {
    if (item.kind !== "scalar" || typeof item.value !== "string") continue;
    if (!names.includes(item.value))
      report(item, "unknownBackend", "is no backend of this config", nearest(item.value, names));
    else if (seen.has(item.value)) report(item, "duplicateKey", "is named twice");
    seen.add(item.value);
  }
  function report(item: Node, kind: ProblemKind, message: string, meant?: string): void {
    problems.push(problemAt(kind, item.place, item.path, `${formatPath(item.path)} ${message}`, meant));
  }
}
