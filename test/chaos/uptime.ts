// Replicas that are up 95 % of the time, real processes that are killed and started again: what share of the calls is answered.
import { setTimeout as pause } from "node:timers/promises";
import { simulate } from "../resilience/kit.ts";
import { assertTruthful, HttpReplica, Load, type Outcome, Records, startGateway } from "./kit.ts";

/** 95 % of the time; hours and minutes of a real server are these times here. */
export const meanUpMs = 7_600;
export const meanDownMs = 400;
export const deadlineMs = 10_000;
/** One that is up for so long can answer: it is found, greeted and asked. */
const enoughMs = 1_000;

/** A replica that comes and goes, and when it was there. */
class Flapping {
  readonly replica: HttpReplica;
  readonly up: { from: number; to: number }[] = [];
  readonly #meanUpMs: number;
  readonly #random: () => number;
  /** How long it takes to start: a part of the time that it is down. */
  #startMs = 100;

  constructor(replica: HttpReplica, upMs: number, seed: number) {
    this.replica = replica;
    this.#meanUpMs = upMs;
    this.#random = simulate(seed).random;
  }

  async run(since: number, signal: AbortSignal): Promise<void> {
    const now = (): number => performance.now() - since;
    const exponential = (mean: number): number => -mean * Math.log(1 - this.#random());
    while (!signal.aborted) {
      const life = { from: now(), to: Infinity };
      this.up.push(life);
      await pause(exponential(this.#meanUpMs), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      life.to = now();
      await this.replica.kill();
      const restMs = Math.max(0, exponential(meanDownMs) - this.#startMs);
      await this.replica.start(restMs);
      this.#startMs = now() - life.to - restMs;
    }
  }

  share(endMs: number): number {
    return this.up.reduce((sum, { from, to }) => sum + Math.min(to, endMs) - from, 0) / endMs;
  }

  /** Whether it was up for long enough between these times. */
  couldServe(fromMs: number, toMs: number): boolean {
    return this.up.some(({ from, to }) => Math.min(to, toMs) - Math.max(from, fromMs) >= enoughMs);
  }
}

export interface Terms {
  readonly replicas: number;
  /** With what the gateway does for them, or with one attempt for each call. */
  readonly hasHelp: boolean;
  readonly calls: number;
  readonly perSecond: number;
  readonly upMs?: number;
}

export interface Cell extends Terms {
  /** Of each replica. */
  readonly uptime: number;
  readonly kills: number;
  /** Calls that may run twice, and what became of them. */
  readonly safe: readonly Outcome[];
  readonly failed: readonly Outcome[];
  /** … of those the ones that could have been answered within their deadline. */
  readonly avoidable: readonly Outcome[];
  /** Calls that may not: how many there were, failed, and how many of those had been executed. */
  readonly unsafe: { readonly calls: number; readonly unknown: number; readonly notSent: number };
}

const tools = ["b__read", "b__put", "b__read", "b__add"];

/** Throws where a call that may not run twice did, or where a failure is not told truthfully. */
export async function measureUptime(terms: Terms): Promise<Cell> {
  using records = new Records();
  const record = records.file("r");
  await using stack = new AsyncDisposableStack();
  const replicas: Flapping[] = [];
  for (let at = 0; at < terms.replicas; at += 1)
    replicas.push(
      new Flapping(stack.use(await HttpReplica.start(record)), terms.upMs ?? meanUpMs, 100 * terms.replicas + at),
    );
  const b = {
    replicas: replicas.map(({ replica }) => ({ url: replica.url })),
    isolation: "shared",
    timeouts: { call: `${deadlineMs}ms` },
    ...(terms.hasHelp
      ? {}
      : { retry: { attempts: 1, wait: "0s" }, breaker: { disabled: true }, outliers: { disabled: true } }),
  };
  const gateway = stack.use(await startGateway({ b }));
  const clients = await Promise.all(Array.from({ length: 8 }, () => gateway.client()));
  const load = new Load(clients, tools, terms.perSecond, { delayMs: 2 });
  const over = new AbortController();
  const running = Promise.all(replicas.map((replica) => replica.run(load.since, over.signal)));
  while (load.sent < terms.calls) await pause(50);
  const endMs = load.atMs;
  over.abort();
  const outcomes = await load.stop();
  await running;
  const unsafe = outcomes.filter(({ tool }) => tool === "b__add");
  assertTruthful(unsafe, records.executions("r"));
  const safe = outcomes.filter(({ tool }) => tool !== "b__add");
  const failed = safe.filter(({ text }) => text === undefined);
  const lost = unsafe.filter(({ text }) => text === undefined);
  const unknown = lost.filter(({ data }) => data["class"] === "unknown").length;
  return {
    ...terms,
    uptime: replicas.reduce((sum, replica) => sum + replica.share(endMs), 0) / terms.replicas,
    kills: replicas.reduce((sum, { up }) => sum + up.length - 1, 0),
    safe,
    failed,
    avoidable: failed.filter(({ atMs }) => replicas.some((each) => each.couldServe(atMs, atMs + deadlineMs))),
    unsafe: { calls: unsafe.length, unknown, notSent: lost.length - unknown },
  };
}

/** Calls that may run twice: the share that is answered. */
export function shareOf({ safe, failed }: Cell): number {
  return 1 - failed.length / safe.length;
}

export const percent = (share: number, digits = 3): string => `${(100 * share).toFixed(digits)} %`;
