// Programs beside the gateway that a test brings along: Valkey (or Redis) and nginx, on free ports, with a folder of their own.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nginxHead } from "./nginx-head.ts";
import { findProgram, provide } from "./packages.ts";
import { type Proc, projectRoot, startProcess } from "./process.ts";

const findEngine = (): string | undefined => findProgram("valkey-server", "redis-server");
const engine = findEngine() ?? (provide("redis-server", "redis-server") ? findEngine() : undefined);
const nginx = findProgram("nginx") ?? (provide("nginx", "nginx", "-v") ? findProgram("nginx") : undefined);

/** Why tests that need both cannot run here; false where they can. */
export const lacksEngine: string | false =
  engine === undefined ? "neither valkey-server nor redis-server is here" : false;
export const lacksFleet: string | false = lacksEngine || (nginx === undefined ? "nginx is not here" : false);

/** Below those that the system gives to connections: while a program is away nobody gets its port by chance. */
const firstPort = 10_000;
const portCount = 20_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = firstPort + Math.floor(Math.random() * portCount);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Valkey or Redis that can be killed and started again on its port. */
export class Engine implements AsyncDisposable {
  readonly port: number;
  readonly password: string;
  #proc: Proc | undefined;

  private constructor(port: number, password: string) {
    this.port = port;
    this.password = password;
  }

  static async start(password: string = ""): Promise<Engine> {
    const started = new Engine(await freePort(), password);
    await started.start();
    return started;
  }

  get url(): string {
    return `redis://${this.password === "" ? "" : `:${this.password}@`}127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const secret = this.password === "" ? [] : ["--requirepass", this.password];
    const flags = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", ...secret];
    this.#proc = startProcess(engine ?? "", flags, { cwd: tmpdir() });
    await this.#proc.line(/Ready to accept connections/);
  }

  async kill(): Promise<void> {
    this.#proc?.kill("SIGKILL");
    await this.#proc?.exited;
  }

  /** Stops it in its tracks, or lets it go on: its connections stay open, and nothing is answered. */
  freeze(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#proc?.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** nginx in front of several gateways: round robin, and no client stays with one of them. */
export class Balancer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  #proc: Proc | undefined;

  private constructor(port: number) {
    this.port = port;
    this.#folder = mkdtempSync(join(tmpdir(), "nginx-"));
  }

  /** `ports`: of the gateways. */
  static async start(ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(await freePort());
    const config = join(balancer.#folder, "nginx.conf");
    writeFileSync(config, configOf(balancer.#folder, balancer.port, ports));
    balancer.#proc = startProcess(nginx ?? "", ["-c", config, "-p", balancer.#folder]);
    await balancer.#listens();
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async #listens(): Promise<void> {
    for (let left = 200; left > 0; left -= 1) {
      if (this.#proc?.exit) throw new Error(`nginx has ended: ${this.#proc.stderr}`);
      const isUp = await fetch(`${this.url}/nginx-is-up`).then(
        () => true,
        () => false,
      );
      if (isUp) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error("nginx does not listen");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proc?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The example of deploy/, with other ports, and what a test needs beside it. */
function configOf(folder: string, port: number, ports: readonly number[]): string {
  const example = readFileSync(join(projectRoot, "deploy/nginx.conf"), "utf8");
  const [, terms = ""] = /server 127\.0\.0\.1:7337(.*?);/.exec(example) ?? [];
  return example
    .replace(/^events \{\}\s*http \{$/m, nginxHead(folder))
    .replace(/server 127\.0\.0\.1:7337.*\n/, ports.map((each) => `server 127.0.0.1:${each}${terms};\n`).join("    "))
    .replace(/ *server 127\.0\.0\.1:7338.*\n/, "")
    .replace("127.0.0.1:8080", `127.0.0.1:${port}`);
}
