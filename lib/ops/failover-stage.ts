// What a failover is tried on where nothing else is named: two servers that count, a proxy before each, a gateway over both.

import type * as Children from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { childProcess } from "../core/builtins.ts";
import { GatewayError } from "../core/errors.ts";
import { after } from "../core/scope.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { jointPart, type Part, processPart, proxyPart } from "./bench-faults.ts";

export interface Stage extends AsyncDisposable {
  /** Of the gateway. */
  readonly url: string;
  readonly parts: readonly Part[];
  readonly journal: string;
}

const startMs = 15_000;
/** Short, so that a run of seconds shows what takes a gateway's defaults minutes. */
const timeouts = { health: "200ms", ping: "200ms", down: "50ms", call: "10s" };

/** Starts servers `a` and `b` and a gateway with `self`, the command of this program. `delay` is how long a call takes. */
export async function startStage(self: readonly string[], delay: string): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "mcpctl-failover-"));
  const journal = join(folder, "journal");
  writeFileSync(journal, "");
  const open: (() => Promise<void>)[] = [() => Promise.resolve(rmSync(folder, { recursive: true, force: true }))];
  const close = async (): Promise<void> => {
    for (const each of open.toReversed()) await each().catch(() => {});
  };
  try {
    const parts: Part[] = [];
    const urls: string[] = [];
    for (const name of ["a", "b"]) {
      const server = new Server(self, ["bench", "fixture", "--name", name, "--journal", journal, "--delay", delay]);
      open.push(() => server.stop());
      const proxy = await FaultProxy.start(new URL(await server.start()));
      open.push(() => proxy[Symbol.asyncDispose]());
      const restart = async (): Promise<void> => void (await server.start());
      parts.push(
        jointPart(
          processPart(name, () => server.pids, restart),
          proxyPart(name, proxy),
        ),
      );
      urls.push(proxy.url);
    }
    const config = join(folder, "mcpctl.json");
    const replicas = urls.map((url) => ({ url }));
    writeFileSync(config, JSON.stringify({ backends: { ab: { replicas, timeouts } } }));
    const gateway = new Server(self, ["serve", "-c", config]);
    open.push(() => gateway.stop());
    const url = await gateway.start();
    return { url, parts, journal, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A child that serves at a port, the same one each time. */
class Server {
  readonly #self: readonly string[];
  readonly #args: readonly string[];
  #port = 0;
  #child: Children.ChildProcess | undefined;

  constructor(self: readonly string[], args: readonly string[]) {
    this.#self = self;
    this.#args = args;
  }

  get pids(): readonly number[] {
    return this.#child?.pid === undefined || this.#child.exitCode !== null ? [] : [this.#child.pid];
  }

  /** Resolves to its address when it listens. */
  async start(): Promise<string> {
    await this.stop();
    const [command = "", ...args] = this.#self;
    const child = childProcess().spawn(command, [...args, ...this.#args, "--port", String(this.#port)], {
      stdio: ["ignore", "pipe", "pipe"],
      env: process.env,
    });
    this.#child = child;
    const kill = (): void => void child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.off("exit", kill));
    const url = await addressOf(child, this.#args.slice(0, 2).join(" "));
    this.#port = Number(new URL(url).port);
    return url;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }
}

function addressOf(child: Children.ChildProcess, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const fail = (why: string): void => {
      cancel();
      reject(new GatewayError("exited", `mcpctl ${what} ${why}: ${said.slice(-400)}`));
    };
    const cancel = after(startMs, () => fail("did not begin to listen"));
    const hear = (chunk: Uint8Array): void => {
      said = (said + String(chunk)).slice(-4000);
      const [url] = /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(said) ?? [];
      if (url === undefined) return;
      cancel();
      resolve(url);
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.once("error", (error) => fail(`could not be started (${error.message})`));
    child.once("exit", () => fail("ended"));
  });
}
