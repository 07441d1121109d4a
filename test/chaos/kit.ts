// A gateway in this process over nonce servers, a client that calls at a steady rate, and what was executed.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type BackendConfig, Gateway, recordOf } from "../e2e/kit.ts";
import { type Proc, runtimeCommand, startScript } from "../kit/process.ts";
import type { RawClient } from "../kit/raw-client.ts";

export type Era = "legacy" | "modern";

const script = "test/chaos/nonce-server.ts";

/** A folder with the record that all replicas of a test write to. */
export class Records implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "chaos-"));

  file(name: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, "", { flag: "a" });
    return file;
  }

  /** How often each nonce was executed. */
  executions(name: string): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const line of readFileSync(this.file(name), "utf8").split("\n")) {
      const nonce = line.split(" ")[1];
      if (nonce !== undefined) counts.set(nonce, (counts.get(nonce) ?? 0) + 1);
    }
    return counts;
  }

  /** How calls were taken back from servers, one after the other: `told` of it, or `left` by the end of a stream. */
  takenBack(name: string): readonly string[] {
    const file = `${this.file(name)}.ended`;
    if (!existsSync(file)) return [];
    return readFileSync(file, "utf8")
      .split("\n")
      .flatMap((line) => line.split(" ")[0] || []);
  }

  /** The processes that executed anything. */
  pids(name: string): ReadonlySet<number> {
    const pids = readFileSync(this.file(name), "utf8")
      .split("\n")
      .map((line) => Number(line.split(" ")[2] ?? 0));
    return new Set(pids.filter((pid) => pid > 0));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A replica over HTTP that can be killed, stopped and started again on its port. */
export class HttpReplica implements AsyncDisposable {
  readonly #record: string;
  readonly #era: Era;
  readonly #delayMs: number;
  #proc: Proc | undefined;
  #url = "";

  private constructor(record: string, era: Era, delayMs: number) {
    this.#record = record;
    this.#era = era;
    this.#delayMs = delayMs;
  }

  /** `delayMs`: of each of its calls. */
  static async start(record: string, era: Era = "legacy", delayMs: number = 0): Promise<HttpReplica> {
    const replica = new HttpReplica(record, era, delayMs);
    await replica.start();
    return replica;
  }

  get url(): string {
    return this.#url;
  }

  get pid(): number {
    return this.#proc?.pid ?? 0;
  }

  /** Starts it again on its port, after a while. */
  async start(delayMs: number = 0): Promise<void> {
    await pause(delayMs);
    const port = this.#url === "" ? "0" : new URL(this.#url).port;
    const args = ["--era", this.#era, "--record", this.#record, "--port", port, "--delay", String(this.#delayMs)];
    this.#proc = startScript(script, ["http", ...args]);
    const [, url = ""] = await this.#proc.line(/^listening (http:\S+)$/);
    this.#url = url;
  }

  signal(signal: NodeJS.Signals): void {
    this.#proc?.kill(signal);
  }

  async kill(): Promise<void> {
    this.#proc?.kill("SIGKILL");
    await this.#proc?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#proc?.kill("SIGCONT");
    await this.kill();
  }
}

export function childReplica(record: string, era: Era = "legacy"): BackendConfig {
  const [command, args] = runtimeCommand(script, "stdio", "--era", era, "--record", record);
  return { command, args };
}

/** Starts a gateway and waits until every replica is up. */
export async function startGateway(
  backends: Readonly<Record<string, BackendConfig>>,
  ...flags: string[]
): Promise<Gateway> {
  const gateway = await Gateway.start({ backends }, ...flags);
  await whenUp(gateway, backends);
  return gateway;
}

/** Waits until every replica is up. */
export async function whenUp(gateway: Gateway, backends: Readonly<Record<string, BackendConfig>>): Promise<void> {
  for (const [name, { replicas }] of Object.entries(backends)) {
    const count = Array.isArray(replicas) ? replicas.length : 1;
    if (count === 1) await gateway.up(name);
    else
      for (let at = 0; at < count; at += 1)
        await gateway.proc.line(new RegExp(`backend ${name}: is up.*: replica ${at}`), "stderr");
  }
}

export interface Outcome {
  readonly tool: string;
  readonly nonce: string;
  readonly tookMs: number;
  /** When it was sent, ms since the load began. */
  readonly atMs: number;
  /** The text of the result; undefined where it failed. */
  readonly text: string | undefined;
  /** Of a failure: the members of its data. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly message: string;
  readonly attempts: number;
}

/** Of a call that the client gave up. */
const nothingKnown = { class: "unknown" };

let calls = 0;

/** Calls a tool of a nonce server. */
export async function callOnce(
  client: RawClient,
  tool: string,
  args: Readonly<Record<string, unknown>> = {},
  since: number = performance.now(),
): Promise<Outcome> {
  calls += 1;
  const nonce = `n${calls}`;
  const began = performance.now();
  const text = await client
    .request("tools/call", { name: tool, arguments: { nonce, ...args } }, calls)
    .catch((error: unknown) =>
      JSON.stringify({ error: { message: `no answer: ${String(error)}`, data: nothingKnown } }),
    );
  const reply = recordOf(JSON.parse(text));
  const result = recordOf(reply["result"]);
  const content = Array.isArray(result["content"]) ? recordOf(result["content"][0]) : {};
  const error = recordOf(reply["error"]);
  return {
    tool,
    nonce,
    atMs: began - since,
    tookMs: performance.now() - began,
    text: typeof content["text"] === "string" ? content["text"] : undefined,
    data: recordOf(error["data"]),
    message: typeof error["message"] === "string" ? error["message"] : "",
    attempts: Number(recordOf(result["_meta"])["mcpctl/attempts"] ?? 1),
  };
}

/**
 * Open-loop load: `perSecond` calls, whatever becomes of those before, until `stop` is called. One that was held up itself
 * makes up for a tenth of a second and no more: a burst would be another load than the one that was asked for.
 */
export class Load {
  readonly #pending: Promise<Outcome>[] = [];
  #settled = 0;
  readonly since: number = performance.now();
  readonly #done: Promise<void>;
  #awaited: { readonly count: number; readonly resolve: () => void } | undefined;
  #stopped = false;

  constructor(clients: readonly RawClient[], tools: readonly string[], perSecond: number, args: object = {}) {
    this.#done = this.#run(clients, tools, perSecond, args);
  }

  get atMs(): number {
    return performance.now() - this.since;
  }

  /** Calls so far. */
  get sent(): number {
    return this.#pending.length;
  }

  /** Calls that have no answer yet. */
  get waiting(): number {
    return this.sent - this.#settled;
  }

  async #run(clients: readonly RawClient[], tools: readonly string[], perSecond: number, args: object): Promise<void> {
    let missed = 0;
    for (let sent = 0; !this.#stopped;) {
      const isDue = Math.floor((this.atMs * perSecond) / 1000);
      missed = Math.max(missed, isDue - sent - Math.ceil(perSecond / 10));
      const due = isDue - missed;
      for (; sent < due; sent += 1) {
        const client = clients[sent % clients.length];
        const tool = tools[sent % tools.length];
        if (!client || tool === undefined) continue;
        const call = callOnce(client, tool, { ...args }, this.since);
        void call.finally(() => (this.#settled += 1));
        this.#pending.push(call);
      }
      if (this.#awaited && sent >= this.#awaited.count) this.#awaited.resolve();
      await pause(2);
    }
  }

  /** Resolves when so many more calls have been sent. */
  sends(more: number): Promise<void> {
    return new Promise((resolve) => {
      this.#awaited = { count: this.sent + more, resolve };
    });
  }

  /** Ends the load; all outcomes, in the order of the calls. */
  async stop(): Promise<readonly Outcome[]> {
    this.#stopped = true;
    await this.#done;
    return Promise.all(this.#pending);
  }
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** Nothing ran twice that may not, and every failure tells the truth about whether it ran. */
export function assertTruthful(outcomes: readonly Outcome[], executions: ReadonlyMap<string, number>): void {
  for (const { nonce, text, data, message } of outcomes) {
    const ran = executions.get(nonce) ?? 0;
    assert.ok(ran <= 1, `${nonce} ran ${ran} times`);
    if (text !== undefined) assert.equal(ran, 1, `${nonce} was answered`);
    else if (data["class"] === "notSent") assert.equal(ran, 0, `${nonce} is said not to have been sent: ${message}`);
    else assert.equal(data["class"], "unknown", `${nonce}: ${message} ${JSON.stringify(data)}`);
  }
}
