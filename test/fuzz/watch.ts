// What must hold of a gateway while it is attacked: it lives, says nothing of bugs, and does not grow.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Gateway } from "../e2e/kit.ts";
import { Connection, openSession, post } from "./connection.ts";

export interface Outcome {
  readonly title: string;
  readonly sent: number;
  readonly seconds: number;
  /** How many came of each kind. */
  readonly counts: Readonly<Record<string, number>>;
  /** MiB, at equal distances. */
  readonly memory: readonly number[];
  /** Of the same, from the second quarter to the last one. */
  readonly growth: number;
}

/** Others are served within this time, also on a machine that does much else. */
const servedMs = 30_000;
/** More than this is growth, MiB: garbage is collected when the runtime likes. */
const maxGrowthMiB = 48;

export class Watch {
  readonly #gateway: Gateway;
  readonly #title: string;
  readonly #counts = new Map<string, number>();
  readonly #memory: number[] = [];
  readonly #startedAt = performance.now();
  readonly #stepEvery: number;
  #sent = 0;

  /** `total`: what will be sent. */
  constructor(title: string, gateway: Gateway, total: number) {
    this.#title = title;
    this.#gateway = gateway;
    this.#stepEvery = Math.max(1, Math.floor(total / 20));
  }

  count(kind: string, times = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + times);
  }

  /** One more was sent. */
  sent(): void {
    this.#sent += 1;
    if (this.#sent % this.#stepEvery === 0) this.#memory.push(memoryOf(this.#gateway.proc.pid));
    this.live();
  }

  live(): void {
    const { exit } = this.#gateway.proc;
    assert.equal(
      exit,
      undefined,
      `the gateway has ended: ${JSON.stringify(exit)}\n${this.#gateway.proc.stderr.slice(-3000)}`,
    );
  }

  /** A status of the gateway's own failing must come with a JSON-RPC error. */
  judge(status: number, body: string, about: () => string): void {
    this.count(`HTTP ${status}`);
    if (status >= 500) assert.ok(isRpcError(body), `${status} ${body.slice(0, 300)}\n${about()}`);
  }

  /** Nothing is broken, others are served, and the memory is what it was. */
  async finish(tool: string): Promise<Outcome> {
    this.live();
    const connection = new Connection(Number(new URL(this.#gateway.url()).port));
    const session = await openSession(connection);
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: tool, arguments: {} } };
    const reply = await connection.ask(post(call, session), servedMs);
    assert.match(reply?.body ?? "", /"result"/);
    connection.close();
    assertQuiet(this.#gateway.proc.stderr);
    return {
      title: this.#title,
      sent: this.#sent,
      seconds: Math.round((performance.now() - this.#startedAt) / 1000),
      counts: Object.fromEntries([...this.#counts].toSorted(([, a], [, b]) => b - a)),
      memory: this.#memory,
      growth: growthOf(this.#memory, this.#sent),
    };
  }
}

/** Says nothing of bugs. */
export function assertQuiet(stderr: string): void {
  // A child's own words are no concern of the gateway's.
  const own = stderr.replaceAll(/^\S+ +info +backend .*$/gm, "");
  const bug = /E7001|unhandled|uncaught|panic|(?:Type|Range|Reference|Syntax)Error|is not a function/i.exec(own);
  assert.equal(bug, null, own.slice(Math.max(0, (bug?.index ?? 0) - 500), (bug?.index ?? 0) + 3000));
}

/** By how much it is more in the last quarter of a run than in the second one; fails where that is a leak. */
export function growthOf(memory: readonly number[], sent: number): number {
  const quarter = Math.floor(memory.length / 4);
  if (quarter < 2) return 0;
  const growth = median(memory.slice(-quarter)) - median(memory.slice(quarter, 2 * quarter));
  if (sent >= 50_000) assert.ok(growth < maxGrowthMiB, `grew by ${growth} MiB: ${memory.join(" ")}`);
  return growth;
}

function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
}

function isRpcError(body: string): boolean {
  try {
    const { jsonrpc, error } = Object(JSON.parse(body));
    return jsonrpc === "2.0" && Number.isInteger(Object(error).code) && typeof Object(error).message === "string";
  } catch {
    return false;
  }
}

/** Any message of JSON-RPC, or a batch of them. */
export function isMessage(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return (Array.isArray(parsed) ? parsed : [parsed]).every((each) => Object(each).jsonrpc === "2.0");
  } catch {
    return false;
  }
}

/** MiB of a process; 0 where that cannot be read. */
export function memoryOf(pid: number): number {
  try {
    const [, kib = "0"] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Math.round(Number(kib) / 1024);
  } catch {
    return 0;
  }
}
