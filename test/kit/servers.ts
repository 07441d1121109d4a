// The four servers of the end-to-end tests: the SDK's reference server and the fixture, each over stdio and over HTTP.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Target } from "./client.ts";
import { bunExecutable, projectRoot, runtimeCommand, startHttpServer, startProcess } from "./process.ts";
import type { HttpServerProcess } from "./process.ts";

/** A backend as a config file names it. */
export type BackendEntry = Readonly<Record<string, unknown>>;

/** One server: how a client reaches it without the gateway, and how the gateway does. */
export interface TestServer {
  readonly direct: Target;
  readonly backend: BackendEntry;
}

export const serverNames = ["fixture", "fixture-http", "everything", "everything-http"] as const;
export type ServerName = (typeof serverNames)[number];

/** Servers that run, and the ones that their clients start. */
export interface Servers extends AsyncDisposable {
  readonly all: Readonly<Record<ServerName, TestServer>>;
  /** A config with these servers as backends; `more` goes into each of them. */
  config(names?: readonly ServerName[], more?: BackendEntry): GatewayFile;
}

export interface GatewayFile {
  readonly backends: Readonly<Record<string, BackendEntry>>;
  readonly [key: string]: unknown;
}

/** Starts the two servers over HTTP. */
export async function startServers(): Promise<Servers> {
  const [fixture, everything] = await Promise.all([startHttpServer(), startEverythingHttp()]);
  const all = {
    fixture: childServer(runtimeCommand("test/kit/fixture-server.ts", "stdio")),
    "fixture-http": urlServer(fixture.url),
    // The reference server is a program of its own; Bun runs it, whatever runs the test.
    everything: childServer([bunExecutable(), [everythingScript, "stdio"]]),
    "everything-http": urlServer(everything.url),
  };
  const config: Servers["config"] = (names = serverNames, more = {}) => ({
    // A busy machine may take its time to start them; no listing is to be short of one.
    timeouts: { list: "20s", resume: "200ms" },
    backends: Object.fromEntries(names.map((name) => [name, { ...all[name].backend, ...more }])),
  });
  const dispose = async (): Promise<void> => {
    await Promise.all([fixture[Symbol.asyncDispose](), everything[Symbol.asyncDispose]()]);
  };
  return { all, config, [Symbol.asyncDispose]: dispose };
}

const everythingScript = join(projectRoot, "node_modules/@modelcontextprotocol/server-everything/dist/index.js");

async function startEverythingHttp(): Promise<HttpServerProcess> {
  const proc = startProcess(bunExecutable(), [join(projectRoot, "test/kit/everything-server.ts")]);
  const [, url = ""] = await proc.line(/^listening (http:\S+)$/);
  return { proc, url, [Symbol.asyncDispose]: () => proc[Symbol.asyncDispose]() };
}

function childServer([command, args]: readonly [string, readonly string[]]): TestServer {
  return { direct: { command: [command, args] }, backend: { command, args } };
}

function urlServer(url: string): TestServer {
  return { direct: { url }, backend: { url } };
}

/** `serve --stdio` over a config, for a client that starts it itself. */
export interface StdioFront extends Disposable {
  readonly target: Target;
}

export function createStdioFront(config: GatewayFile): StdioFront {
  const folder = mkdtempSync(join(tmpdir(), "gateway-stdio-"));
  const file = join(folder, "mcpctl.json");
  writeFileSync(file, JSON.stringify(config));
  return {
    target: { command: runtimeCommand("cli/main.ts", "serve", "--stdio", "-c", file) },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
