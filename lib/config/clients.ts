// The files of other MCP clients, written: what each of them calls things, and what it cannot say.

import { asRecord } from "../core/text.ts";
import { parseDuration } from "./units.ts";

export const clientNames = [
  "claude-desktop",
  "claude-code",
  "cursor",
  "vscode",
  "codex",
  "gemini",
  "opencode",
  "zed",
] as const;
export type ClientName = (typeof clientNames)[number];

type Values = Readonly<Record<string, unknown>>;

/** A server as a client writes it, and what of it is lost there. */
interface Written {
  readonly server: Values;
  readonly lost: readonly Loss[];
}

export interface Loss {
  /** Of the backend. */
  readonly key: string;
  readonly why: string;
}

interface Client {
  /** Where its file is, as people look for it. */
  readonly file: string;
  readonly section: string;
  readonly format: "json" | "toml";
  /** Keys of a backend that it can say. */
  readonly knows: readonly string[];
  readonly write: (backend: Values) => Values;
  /** How it writes a reference to a variable; undefined where it has none, or none with a default. */
  readonly reference: (name: string, fallback: string | undefined) => string | undefined;
}

const shell = (name: string, fallback: string | undefined): string =>
  fallback === undefined ? `\${${name}}` : `\${${name}:-${fallback}}`;
const editor = (name: string, fallback: string | undefined): string | undefined =>
  fallback === undefined ? `\${env:${name}}` : undefined;
const none = (): undefined => undefined;

const local = ["command", "args", "env"] as const;
const remote = ["url", "headers", "transport"] as const;

const clients: Readonly<Record<ClientName, Client>> = {
  "claude-desktop": {
    file: "claude_desktop_config.json",
    section: "mcpServers",
    format: "json",
    knows: local,
    write: (backend) => pick(backend, local),
    reference: none,
  },
  "claude-code": {
    file: ".mcp.json",
    section: "mcpServers",
    format: "json",
    knows: [...local, ...remote],
    write: (backend) => ({ type: typeOf(backend), ...pick(backend, [...local, "url", "headers"]) }),
    reference: shell,
  },
  cursor: {
    file: ".cursor/mcp.json",
    section: "mcpServers",
    format: "json",
    knows: [...local, ...remote],
    write: (backend) => pick(backend, [...local, "url", "headers"]),
    reference: editor,
  },
  vscode: {
    file: ".vscode/mcp.json",
    section: "servers",
    format: "json",
    knows: [...local, ...remote, "cwd"],
    write: (backend) => ({ type: typeOf(backend), ...pick(backend, [...local, "cwd", "url", "headers"]) }),
    reference: editor,
  },
  codex: {
    file: "~/.codex/config.toml",
    section: "mcp_servers",
    format: "toml",
    knows: [...local, "cwd", "url", "headers", "disabled", "timeouts"],
    write: writeCodex,
    // Its own fields name variables: what can be said there is written so, and the rest is lost.
    reference: none,
  },
  gemini: {
    file: "~/.gemini/settings.json",
    section: "mcpServers",
    format: "json",
    knows: [...local, ...remote, "cwd", "timeouts"],
    write: writeGemini,
    reference: (name, fallback) => (fallback === undefined ? `\${${name}}` : undefined),
  },
  opencode: {
    file: "opencode.json",
    section: "mcp",
    format: "json",
    knows: [...local, "url", "headers", "disabled", "timeouts"],
    write: writeOpencode,
    reference: (name, fallback) => (fallback === undefined ? `{env:${name}}` : undefined),
  },
  zed: {
    file: "~/.config/zed/settings.json",
    section: "context_servers",
    format: "json",
    knows: [...local, "url", "headers", "disabled"],
    write: (backend) => ({
      ...(backend["disabled"] === true ? { enabled: false } : {}),
      ...pick(backend, [...local, "url", "headers"]),
    }),
    reference: none,
  },
};

export function clientFile(name: ClientName): string {
  return clients[name].file;
}

/** The text of a client's file with these backends, and what could not be said in it. */
export function writeClient(
  name: ClientName,
  backends: Readonly<Record<string, unknown>>,
): { readonly text: string; readonly lost: readonly (Loss & { readonly backend: string })[] } {
  const { section, format } = clients[name];
  const lost: (Loss & { readonly backend: string })[] = [];
  const servers: Record<string, Values> = {};
  for (const [backend, value] of Object.entries(backends)) {
    const written = writeBackend(name, asRecord(value));
    lost.push(...written.lost.map((loss) => ({ backend, ...loss })));
    servers[backend] = written.server;
  }
  const text =
    format === "toml" ? toToml(section, servers) : `${JSON.stringify({ [section]: servers }, undefined, 2)}\n`;
  return { text, lost };
}

/** One backend for one client. */
export function writeBackend(name: ClientName, written: Values): Written {
  const { knows, write, reference } = clients[name];
  const lost: Loss[] = [];
  // Several endpoints are one there: the first.
  const [first] = Array.isArray(written["replicas"]) ? written["replicas"].map(asRecord) : [];
  const { replicas, ...own } = written;
  const backend = first ? { ...own, ...first } : own;
  if (replicas !== undefined) lost.push({ key: "replicas", why: "one endpoint is all it knows" });
  for (const key of Object.keys(backend)) {
    if (!knows.includes(key) && key !== "disabled") lost.push({ key, why: `${key} is not known there` });
  }
  if (backend["disabled"] === true && !knows.includes("disabled"))
    lost.push({ key: "disabled", why: "it cannot switch a server off in its file" });
  if (typeof backend["url"] === "string" && backend["url"].startsWith("unix:"))
    lost.push({ key: "url", why: "it does not reach unix sockets" });
  if (name === "codex") return { server: write(backend), lost: [...lost, ...lostInCodex(backend)] };
  const server = refer(write(backend), reference, (text) =>
    lost.push({ key: "variables", why: `${text} is not replaced there` }),
  );
  return { server: asRecord(server), lost };
}

const references = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g;

function refer(value: unknown, reference: Client["reference"], failed: (text: string) => void): unknown {
  if (typeof value === "string") {
    return value.replaceAll(references, (found, name: string, fallback: string | undefined) => {
      const text = reference(name, fallback) ?? found;
      if (reference(name, fallback) === undefined) failed(found);
      return text;
    });
  }
  if (Array.isArray(value)) return value.map((each) => refer(each, reference, failed));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, refer(each, reference, failed)]));
}

function pick(backend: Values, keys: readonly string[]): Values {
  return Object.fromEntries(keys.flatMap((key) => (backend[key] === undefined ? [] : [[key, backend[key]]])));
}

function typeOf(backend: Values): string {
  if (backend["url"] === undefined) return "stdio";
  return backend["transport"] === "sse" ? "sse" : "http";
}

function msOf(backend: Values, key: string): number | undefined {
  const written = asRecord(backend["timeouts"])[key];
  return typeof written === "string" ? parseDuration(written) : undefined;
}

function writeGemini(backend: Values): Values {
  const { url } = backend;
  const call = msOf(backend, "call");
  const address = url === undefined ? {} : backend["transport"] === "sse" ? { url } : { httpUrl: url };
  return {
    ...pick(backend, [...local, "cwd"]),
    ...address,
    ...pick(backend, ["headers"]),
    ...(call === undefined ? {} : { timeout: call }),
  };
}

function writeOpencode(backend: Values): Values {
  const { command, args, env, url } = backend;
  const connect = msOf(backend, "connect");
  const rest = {
    ...(backend["disabled"] === true ? { enabled: false } : {}),
    ...(connect === undefined ? {} : { timeout: connect }),
  };
  if (url !== undefined) return { type: "remote", url, ...pick(backend, ["headers"]), ...rest };
  const line = [command, ...(Array.isArray(args) ? args : [])];
  return { type: "local", command: line, ...(env === undefined ? {} : { environment: env }), ...rest };
}

const alone = /^\$\{([A-Za-z_]\w*)\}$/;
const bearer = /^Bearer \$\{([A-Za-z_]\w*)\}$/;

function writeCodex(backend: Values): Values {
  const out: Record<string, unknown> = { ...pick(backend, ["command", "args", "cwd", "url"]) };
  const [connect, call] = [msOf(backend, "connect"), msOf(backend, "call")];
  if (connect !== undefined) out["startup_timeout_sec"] = connect / 1000;
  if (call !== undefined) out["tool_timeout_sec"] = call / 1000;
  if (backend["disabled"] === true) out["enabled"] = false;
  const [plain, named]: [Record<string, unknown>, Record<string, unknown>] = [{}, {}];
  for (const [name, value] of Object.entries(asRecord(backend["headers"]))) {
    const token = name.toLowerCase() === "authorization" ? bearer.exec(String(value))?.[1] : undefined;
    const variable = alone.exec(String(value))?.[1];
    if (token !== undefined) out["bearer_token_env_var"] = token;
    else if (variable !== undefined) named[name] = variable;
    else plain[name] = value;
  }
  const env = Object.entries(asRecord(backend["env"]));
  const passed = env.filter(([name, value]) => alone.exec(String(value))?.[1] === name);
  const fixed = env.filter((each) => !passed.includes(each));
  if (passed.length > 0) out["env_vars"] = passed.map(([name]) => name);
  if (fixed.length > 0) out["env"] = Object.fromEntries(fixed);
  if (Object.keys(plain).length > 0) out["http_headers"] = plain;
  if (Object.keys(named).length > 0) out["env_http_headers"] = named;
  return out;
}

function lostInCodex(backend: Values): readonly Loss[] {
  const lost: Loss[] = [];
  refer({ ...writeCodex(backend) }, none, (text) =>
    lost.push({ key: "variables", why: `${text} is not replaced there` }),
  );
  return lost;
}

/** Tables of scalars, lists and maps of texts: what a section of servers needs of TOML. */
function toToml(section: string, servers: Readonly<Record<string, Values>>): string {
  const key = (name: string): string => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name));
  const value = (each: unknown): string => {
    if (Array.isArray(each)) return `[${each.map(value).join(", ")}]`;
    if (typeof each !== "object" || each === null) return JSON.stringify(each);
    return `{ ${Object.entries(each)
      .map(([name, inner]) => `${key(name)} = ${value(inner)}`)
      .join(", ")} }`;
  };
  return Object.entries(servers)
    .map(([name, server]) => {
      const lines = Object.entries(server).map(([member, each]) => `${key(member)} = ${value(each)}\n`);
      return `[${section}.${key(name)}]\n${lines.join("")}`;
    })
    .join("\n");
}
