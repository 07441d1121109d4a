// Several gateway processes that are one for their clients: behind nginx, meeting at Valkey or Redis.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Balancer, Engine, freePort } from "./engine.ts";
import { type Proc, runtimeCommand, startProcess } from "./process.ts";

/** How many processes the tests' gateways have: 1, unless the environment says more. */
export const fleetSize: number = Number(process.env["MCPCTL_TEST_FLEET"] ?? "1");

/** One process of it, which can be ended and started again on its port. */
export class Member {
  readonly port: number;
  readonly #file: string;
  readonly #flags: readonly string[];
  #proc: Proc | undefined;

  constructor(port: number, file: string, flags: readonly string[]) {
    this.port = port;
    this.#file = file;
    this.#flags = flags;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/mcp`;
  }

  get proc(): Proc {
    if (!this.#proc) throw new Error("it was not started");
    return this.#proc;
  }

  async start(): Promise<void> {
    const args = ["serve", "-c", this.#file, "--port", String(this.port), ...this.#flags];
    this.#proc = startProcess(...runtimeCommand("cli/main.ts", ...args), { cwd: tmpdir() });
    await this.#proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  }

  async kill(): Promise<void> {
    this.proc.kill("SIGKILL");
    await this.proc.exited;
  }

  /** Ends it as an operator does. */
  async stop(): Promise<void> {
    await this.proc.stop(20_000);
  }
}

export class Fleet implements AsyncDisposable {
  readonly engine: Engine;
  readonly members: readonly Member[];
  readonly file: string;
  readonly #balancer: Balancer;
  readonly #folder: string;

  private constructor(folder: string, engine: Engine, balancer: Balancer, members: readonly Member[], file: string) {
    this.#folder = folder;
    this.engine = engine;
    this.#balancer = balancer;
    this.members = members;
    this.file = file;
  }

  /** Starts them; resolves when all of them listen. */
  static async start(config: object, size: number = 3, ...flags: readonly string[]): Promise<Fleet> {
    const folder = mkdtempSync(join(tmpdir(), "fleet-"));
    const engine = await Engine.start();
    const file = join(folder, "mcpctl.json");
    const shared = { cluster: { url: engine.url }, sealKeys: ["the key of the whole fleet"] };
    writeFileSync(file, JSON.stringify({ ...shared, ...config }));
    const ports: number[] = [];
    for (let left = size; left > 0; left -= 1) ports.push(await freePort());
    const members = ports.map((port) => new Member(port, file, flags));
    await Promise.all(members.map((member) => member.start()));
    const balancer = await Balancer.start(ports);
    return new Fleet(folder, engine, balancer, members, file);
  }

  /** The endpoint of all of them. */
  get url(): string {
    return `${this.#balancer.url}/mcp`;
  }

  member(at: number): Member {
    const member = this.members[at % this.members.length];
    if (!member) throw new Error("there is no such member");
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#balancer[Symbol.asyncDispose]();
    await Promise.all(this.members.map((member) => member.proc.stop(15_000)));
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
