// What a config may say and should not: secrets, programs that are not there, packages of any version, and the like.

import { accessSync, constants } from "node:fs";
import { basename, delimiter, isAbsolute, join, resolve } from "node:path";
import process from "node:process";
import { secretName, secretShape } from "../core/secrets.ts";
import { lintReach } from "./lint-reach.ts";
import { planDefaults } from "./plan.ts";
import { type Problem, type ProblemKind, formatPath, problemAt } from "./problems.ts";
import { parseAddress } from "./rules.ts";
import { type Entry, type Mapping, type Node, entryOf, textOf } from "./tree.ts";
import type { Environment } from "./variables.ts";

/** `written` has its references, `read` their values; the same shape otherwise. */
export function lintConfig(written: Node, read: Node, env: Environment): readonly Problem[] {
  const problems: Problem[] = [];
  const all = entryOf(written, "backends")?.node;
  lintReach(read, all?.kind === "map" ? [...all.entries.keys()] : [], problems);
  const section = entryOf(read, "backends")?.node;
  if (section?.kind !== "map") return problems;
  const listen = listenOf(read);
  const ports = new Map<number, string>();
  const names = new Map<string, string>();
  for (const [name, entry] of section.entries) {
    checkName(name, entry, names, problems);
    const plain = entryOf(entryOf(written, "backends")?.node, name)?.node;
    for (const [own, as] of endpointsOf(entry.node, plain)) {
      checkProgram(own, as, env, problems);
      checkPort(own, name, listen.port, ports, problems);
      checkAddress(own, listen, problems);
      checkSecrets(as, problems);
    }
  }
  return problems;
}

/** The endpoints of a backend, each as it is read and as it is written. */
function* endpointsOf(read: Node, written: Node | undefined): Iterable<readonly [Mapping, Mapping]> {
  if (read.kind !== "map" || written?.kind !== "map") return;
  yield [read, written];
  const [list, plain] = [entryOf(read, "replicas")?.node, entryOf(written, "replicas")?.node];
  if (list?.kind !== "list" || plain?.kind !== "list") return;
  for (const [index, item] of list.items.entries()) {
    const as = plain.items[index];
    if (item.kind === "map" && as?.kind === "map") yield [item, as];
  }
}

function report(kind: ProblemKind, node: Node, problems: Problem[], message: string): void {
  problems.push(problemAt(kind, node.place, node.path, `${formatPath(node.path)} ${message}`));
}

function checkName(name: string, { key, node }: Entry, names: Map<string, string>, problems: Problem[]): void {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const other = names.get(plain);
  if (other !== undefined) {
    const message = `${formatPath(node.path)} is easily mixed up with "${other}"`;
    problems.push(problemAt("similarNames", key, node.path, message));
  }
  names.set(plain, name);
}

const shells = /^(?:ba|z|da|k|fi|pw)?sh(?:\.exe)?$|^(?:cmd|powershell)(?:\.exe)?$/i;
const shellSyntax = /\$\(|`|&&|\|\||^[|<>;&]$|^[12]?>|^~\/|(?<!\$)\$[A-Za-z_]/;

function checkProgram(own: Mapping, as: Mapping, env: Environment, problems: Problem[]): void {
  const command = textOf(own, "command");
  const entry = entryOf(own, "command");
  if (command === undefined || !entry) return;
  const { folder } = entry.node.place.source;
  const isOpen = /\s|\$\{/.test(command);
  if (!isOpen && !isThere(command, folder, env))
    report("notOnPath", entry.node, problems, `names ${JSON.stringify(command)}, which is not there to run`);
  const argsNode = entryOf(own, "args")?.node;
  const items = argsNode?.kind === "list" ? argsNode.items : [];
  const texts = items.map((item) => (item.kind === "scalar" && typeof item.value === "string" ? item.value : ""));
  const isShell = shells.test(basename(command));
  for (const [index, item] of items.entries()) {
    if (!isShell && shellSyntax.test(texts[index] ?? ""))
      report("shellSyntax", item, problems, "looks like shell syntax, and no shell reads it");
  }
  checkPinned(basename(command), items, texts, problems);
  checkPaths(as, problems);
}

function isThere(command: string, folder: string, env: Environment): boolean {
  const suffixes = process.platform === "win32" ? (env["PATHEXT"] ?? ".EXE;.CMD;.BAT").split(";") : [""];
  const folders = /[/\\]/.test(command) ? [folder] : (env["PATH"] ?? "").split(delimiter);
  return folders.some((each) =>
    suffixes.some((suffix) =>
      canRun(isAbsolute(command) ? command + suffix : join(resolve(folder, each), command + suffix)),
    ),
  );
}

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runners that download a package: how many words stand before it, and what a pinned one looks like. */
const runners: Readonly<Record<string, readonly [word: string | undefined, pinned: RegExp]>> = {
  npx: [undefined, /^(?:@[^/]+\/)?[^@/]+@\d/],
  bunx: [undefined, /^(?:@[^/]+\/)?[^@/]+@\d/],
  pnpm: ["dlx", /^(?:@[^/]+\/)?[^@/]+@\d/],
  yarn: ["dlx", /^(?:@[^/]+\/)?[^@/]+@\d/],
  uvx: [undefined, /[=@]=?\d/],
  pipx: ["run", /==\d/],
};

function checkPinned(program: string, items: readonly Node[], texts: readonly string[], problems: Problem[]): void {
  const name = program.replace(/\.(?:exe|cmd)$/i, "");
  const runner = Object.hasOwn(runners, name) ? runners[name] : undefined;
  if (!runner) return;
  const [word, pinned] = runner;
  const start = word === undefined ? 0 : texts.indexOf(word) + 1;
  if (word !== undefined && start === 0) return;
  const from = texts.findIndex((text) => /^(?:-p|--package|--from)$/.test(text));
  const at = from >= 0 ? from + 1 : texts.findIndex((text, index) => index >= start && !text.startsWith("-"));
  const item = items[at];
  const text = texts[at] ?? "";
  // A path or a reference is none of a registry.
  if (!item || text === "" || /^[./~]|^[\w+]+:/.test(text) || pinned.test(text)) return;
  report(
    "unpinned",
    item,
    problems,
    `takes any version of ${JSON.stringify(text)}; write ${text}@1.2.3`.replace(
      "@1.2.3",
      /^(?:uvx|pipx)$/.test(name) ? "==1.2.3" : "@1.2.3",
    ),
  );
}

/** Not those that every system of a kind has, nor where containers mount what they need. */
const ownPath = /^(?:\/(?:home|Users|root|opt|mnt|media|Volumes|private|tmp)\/|[A-Za-z]:[\\/]|\\\\\w)/;

function checkPaths(as: Mapping, problems: Problem[]): void {
  const list = entryOf(as, "args")?.node;
  const args = list?.kind === "list" ? list.items : [];
  const nodes = [...["command", "cwd"].flatMap((key) => entryOf(as, key)?.node ?? []), ...args];
  for (const node of nodes) {
    if (node.kind !== "scalar" || typeof node.value !== "string") continue;
    if (ownPath.test(node.value)) report("absolutePath", node, problems, "is a path of this machine alone");
  }
}

interface Listen {
  readonly host: string;
  readonly port: number;
}

function listenOf(read: Node): Listen {
  const { host, port } = planDefaults.listen;
  const node = entryOf(read, "listen")?.node;
  if (node?.kind === "map") {
    const written = entryOf(node, "port")?.node;
    const number = written?.kind === "scalar" ? Number(written.value) : port;
    return { host: textOf(node, "host") ?? host, port: number };
  }
  if (node?.kind !== "scalar") return { host, port };
  const given = typeof node.value === "number" ? { port: node.value } : parseAddress(String(node.value));
  return { host: given.host ?? host, port: given.port ?? port };
}

/** Ports that children are told to listen on, by the customs of command lines. */
function checkPort(own: Mapping, name: string, taken: number, ports: Map<number, string>, problems: Problem[]): void {
  const env = entryOf(own, "env")?.node;
  const argsNode = entryOf(own, "args")?.node;
  const args = argsNode?.kind === "list" ? argsNode.items : [];
  const found: (readonly [Node, string])[] = [];
  const variable = entryOf(env, "PORT")?.node;
  if (variable?.kind === "scalar") found.push([variable, String(variable.value)]);
  for (const [index, item] of args.entries()) {
    const text = item.kind === "scalar" ? String(item.value) : "";
    const next = args[index + 1];
    if (/^(?:--port|-p)$/.test(text) && next?.kind === "scalar") found.push([next, String(next.value)]);
    else if (text.startsWith("--port=")) found.push([item, text.slice("--port=".length)]);
  }
  for (const [node, text] of found) {
    const port = /^\d{2,5}$/.test(text) ? Number(text) : 0;
    if (port === 0) continue;
    const other = port === taken ? "the gateway" : ports.get(port);
    if (other !== undefined) report("portClash", node, problems, `is port ${port}, which ${other} has already`);
    ports.set(port, `backend "${name}"`);
  }
}

const loopback = /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

function checkAddress(own: Mapping, listen: Listen, problems: Problem[]): void {
  const node = entryOf(own, "url")?.node;
  const url = node?.kind === "scalar" && typeof node.value === "string" ? URL.parse(node.value) : null;
  if (!node || !url) return;
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const isSame = url.hostname === listen.host || (loopback.test(url.hostname) && loopback.test(listen.host));
  if (url.protocol === "http:" && isSame && port === listen.port && listen.port !== 0)
    report("ownEndpoint", node, problems, "is the address of this gateway itself");
  if (url.protocol === "http:" && !loopback.test(url.hostname))
    report("plainHttp", node, problems, `goes to ${url.host} without TLS`);
}

function checkSecrets(as: Mapping, problems: Problem[]): void {
  for (const key of ["env", "headers"]) {
    const map = entryOf(as, key)?.node;
    if (map?.kind !== "map") continue;
    for (const [name, { node }] of map.entries) if (isSecret(name, node)) literal(node, problems);
  }
  const list = entryOf(as, "args")?.node;
  if (list?.kind === "list") {
    let before = "";
    for (const item of list.items) {
      const text = item.kind === "scalar" ? String(item.value) : "";
      const [, name = "", value = ""] = /^--?([\w-]+)=(.*)$/s.exec(text) ?? [];
      const named = name !== "" && secretName.test(name) && isLiteral(value);
      if (named || (before.startsWith("--") && !text.startsWith("-") && isSecret(before, item)) || isSecret("", item))
        literal(item, problems);
      before = text;
    }
  }
  const url = entryOf(as, "url")?.node;
  const parsed = url?.kind === "scalar" && typeof url.value === "string" ? URL.parse(url.value) : null;
  if (!url || !parsed) return;
  const hasSecret = [...parsed.searchParams].some(([name, value]) => secretName.test(name) && isLiteral(value));
  if (hasSecret || (parsed.password !== "" && isLiteral(decodeURIComponent(parsed.password)))) literal(url, problems);
}

function isSecret(name: string, node: Node): boolean {
  if (node.kind !== "scalar" || typeof node.value !== "string" || !isLiteral(node.value)) return false;
  return secretName.test(name) || new RegExp(secretShape.source).test(node.value);
}

/** What begins with a scheme (`Bearer ${TOKEN}`) is judged by what follows. */
function isLiteral(value: string): boolean {
  const plain = value.replace(/^(?:Bearer|Basic|Token)\s+/i, "");
  return plain.length >= 8 && !plain.includes("${") && !/^(?:\/|\.|https?:)/.test(plain);
}

function literal(node: Node, problems: Problem[]): void {
  report("literalSecret", node, problems, "holds a secret; write ${NAME} and set that variable");
}
