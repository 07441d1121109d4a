// A running gateway over any config, with what its tests look at: health, stderr, processes, its config file.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Fleet, fleetSize } from "../kit/fleet.ts";
import { isAlive, runtimeCommand, startProcess } from "../kit/process.ts";
import type { Proc } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";

/** One backend of a config, as people write it. */
export type BackendConfig = Readonly<Record<string, unknown>>;

export interface GatewayConfig {
  readonly backends: Readonly<Record<string, BackendConfig>>;
  readonly [key: string]: unknown;
}

/** What `/health` says of one backend. */
export interface BackendHealth {
  readonly state: string;
  readonly error: string;
  /** Which replica serves, where one does. */
  readonly replica: unknown;
}

export interface Health {
  readonly httpStatus: number;
  readonly status: string;
  readonly backends: Readonly<Record<string, BackendHealth>>;
}

/** A backend over stdio: the raw server with flags. */
export function rawStdio(...flags: string[]): BackendConfig {
  const [command, args] = runtimeCommand("test/kit/raw-server.ts", "stdio", ...flags);
  return { command, args };
}

/** A backend over stdio: the fixture server on the SDK. */
export function fixtureStdio(): BackendConfig {
  const [command, args] = runtimeCommand("test/kit/fixture-server.ts", "stdio");
  return { command, args };
}

/** A port of 127.0.0.1 at which nobody listens. */
export const deadUrl = "http://127.0.0.1:1/mcp";

/** What a test wants otherwise than usual. */
interface Making {
  readonly script?: string | undefined;
  readonly state?: string;
  readonly fleet?: Fleet;
}

/** A gateway process over HTTP; `await using` ends it. */
export class Gateway implements AsyncDisposable {
  readonly folder: string;
  readonly file: string;
  /** The first one, where there are several. */
  readonly proc: Proc;
  readonly #fleet: Fleet | undefined;
  #url = "";

  /** Where it keeps what outlives it. */
  readonly state: string;

  private constructor(
    config: GatewayConfig,
    flags: readonly string[],
    { script = "cli/main.ts", state, fleet }: Making = {},
  ) {
    this.folder = mkdtempSync(join(tmpdir(), "gateway-"));
    this.state = state ?? join(this.folder, "state");
    this.#fleet = fleet;
    if (fleet) {
      this.file = fleet.file;
      this.proc = fleet.member(0).proc;
      this.#url = fleet.url;
      return;
    }
    this.file = join(this.folder, "mcpctl.json");
    writeFileSync(this.file, JSON.stringify(config));
    const args = runtimeCommand(script, "serve", "-c", this.file, ...flags);
    this.proc = startProcess(...args, { cwd: this.folder, env: { XDG_STATE_HOME: this.state } });
  }

  /** Starts it; resolves as soon as it says where it listens. */
  static start(config: GatewayConfig, ...flags: string[]): Promise<Gateway> {
    return Gateway.startScript(undefined, config, ...flags);
  }

  /** The same with another script in the place of the program's. */
  static async startScript(script: string | undefined, config: GatewayConfig, ...flags: string[]): Promise<Gateway> {
    if (fleetSize > 1) {
      const fleet = await Fleet.start(config, fleetSize, ...flags);
      return new Gateway(config, flags, { script, fleet });
    }
    return await new Gateway(config, ["--port", "0", ...flags], { script }).#listening();
  }

  /** The same, with what another one keeps. */
  static startBeside({ state }: Gateway, config: GatewayConfig): Promise<Gateway> {
    return new Gateway(config, ["--port", "0"], { state }).#listening();
  }

  async #listening(): Promise<this> {
    try {
      [this.#url] = await this.proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
      return this;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts it on stdin and stdout. */
  static startStdio(config: GatewayConfig, ...flags: string[]): Gateway {
    return new Gateway(config, ["--stdio", ...flags]);
  }

  /** The endpoint, or that of one backend. */
  url(backend?: string): string {
    return backend === undefined ? this.#url : `${this.#url}/${backend}`;
  }

  /** A client with a session. */
  async client(backend?: string): Promise<RawClient> {
    const client = new RawClient(this.url(backend));
    await client.initialize();
    return client;
  }

  /** Waits for a line on stderr, of each process where there are several. */
  async says(pattern: RegExp): Promise<void> {
    const procs = this.#fleet?.members.map((member) => member.proc) ?? [this.proc];
    await Promise.all(procs.map((proc) => proc.line(pattern, "stderr")));
  }

  /** Waits until a backend is up, as the gateway says on stderr. */
  async up(...backends: string[]): Promise<void> {
    const procs = this.#fleet?.members.map(({ proc }) => proc) ?? [this.proc];
    for (const backend of backends)
      await Promise.all(procs.map((proc) => proc.line(new RegExp(`backend ${backend}: is up`), "stderr")));
  }

  async health(): Promise<Health> {
    const response = await fetch(new URL("/health", this.#url));
    const body = recordOf(await response.json());
    const backends = Object.entries(recordOf(body["backends"])).map(([name, value]): [string, BackendHealth] => {
      const { state, error, replica } = recordOf(value);
      return [name, { state: String(state), error: textOf(recordOf(error)["message"]), replica }];
    });
    return { httpStatus: response.status, status: String(body["status"]), backends: Object.fromEntries(backends) };
  }

  async ready(): Promise<number> {
    const response = await fetch(new URL("/readyz", this.#url));
    await response.text();
    return response.status;
  }

  /** Puts a new config in place as a whole, by a rename. */
  replace(config: GatewayConfig | string): void {
    const fresh = join(this.folder, "fresh.json");
    writeFileSync(fresh, typeof config === "string" ? config : JSON.stringify(config));
    renameSync(fresh, this.file);
  }

  /** Waits for the line that says that a config with these backends was applied. */
  async applied(...backends: string[]): Promise<void> {
    await this.proc.line(new RegExp(`config applied: ${backends.join(", ")}$`), "stderr");
  }

  /** A file in its folder that a raw server can `--record` to. */
  path(name: string): string {
    return join(this.folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One that is killed cannot end children that hang.
    if (this.#fleet) await this.#fleet[Symbol.asyncDispose]();
    else await this.proc.stop(15_000);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Calls a tool and gives the whole reply, parsed. */
export async function call(
  client: RawClient,
  name: string,
  args: object = {},
  id: string | number = 1,
): Promise<Readonly<Record<string, unknown>>> {
  return recordOf(JSON.parse(await client.request("tools/call", { name, arguments: args }, id)));
}

/** Calls a tool and gives the text of its result. */
export async function callText(client: RawClient, name: string, args: object = {}): Promise<string> {
  const reply = await call(client, name, args);
  const { content } = recordOf(reply["result"]);
  const first = Array.isArray(content) ? recordOf(content[0]) : {};
  if (typeof first["text"] !== "string") throw new Error(`no text in ${JSON.stringify(reply).slice(0, 1000)}`);
  return first["text"];
}

/** The error of a reply; fails where there is none. */
export function errorOf(reply: Readonly<Record<string, unknown>>): { code: unknown; message: string; data: unknown } {
  const { code, message, data } = recordOf(reply["error"]);
  assert.equal(typeof message, "string", `no error in ${JSON.stringify(reply).slice(0, 1000)}`);
  return { code, message: String(message), data };
}

/** The process id that a raw server's tool `pid` names, and that of its grandchild. */
export async function pidsOf(client: RawClient, tool: string): Promise<{ pid: number; grandchild: number }> {
  const { pid, grandchild } = recordOf(JSON.parse(await callText(client, tool)));
  return { pid: Number(pid), grandchild: Number(grandchild) };
}

/** The names in a tools/list, and the backends that it says are missing. */
export async function listTools(client: RawClient): Promise<{ names: string[]; missing: string[] }> {
  const { tools, _meta } = recordOf(recordOf(JSON.parse(await client.request("tools/list")))["result"]);
  const partial = recordOf(_meta)["mcpctl/partial"];
  const field = (list: unknown, key: string): string[] =>
    Array.isArray(list) ? list.map((item: unknown) => String(recordOf(item)[key])) : [];
  return { names: field(tools, "name"), missing: field(partial, "backend") };
}

/** The lines that a raw server recorded. */
export function recorded(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}

/** Waits for something that tells of itself in no other way: a process that is gone, a line in a file. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, timeoutMs = 30_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await pause(10);
  }
}

/** Waits until no process of these ids runs. */
export async function gone(...pids: number[]): Promise<void> {
  for (const pid of pids) {
    assert.ok(pid > 0, `${pid} is no process id`);
    await until(() => !isAlive(pid), `process ${pid} still runs`);
  }
}

/** Milliseconds that a piece of work takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
