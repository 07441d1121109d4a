// Replicas that are up 95 % of the time: what share of the calls is answered, with one, two and three of them, and without help.
// CHAOS_SECONDS=60 runs each cell for a minute.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { simulate } from "../resilience/kit.ts";
import { assertTruthful, HttpReplica, Load, type Outcome, Records, startGateway } from "./kit.ts";

const seconds = Number(process.env["CHAOS_SECONDS"] ?? 4);
/** Half an hour up and a minute and a half down are this many milliseconds here. */
const meanUpMs = 3_800;
const meanDownMs = 200;
const deadlineMs = 2_000;
/** One that is up for so long can answer: it is found, greeted and asked. */
const enoughMs = 300;

/** A replica that comes and goes, and when it was there. */
class Flapping {
  readonly replica: HttpReplica;
  readonly up: { from: number; to: number }[] = [];
  readonly #random: () => number;

  constructor(replica: HttpReplica, seed: number) {
    this.replica = replica;
    this.#random = simulate(seed).random;
  }

  async run(since: number, endMs: number): Promise<void> {
    const now = (): number => performance.now() - since;
    const exponential = (mean: number): number => -mean * Math.log(1 - this.#random());
    while (now() < endMs) {
      const life = { from: now(), to: Infinity };
      this.up.push(life);
      await pause(Math.min(exponential(meanUpMs), endMs - now()));
      if (now() >= endMs) return;
      life.to = now();
      await this.replica.kill();
      const downMs = exponential(meanDownMs);
      const fell = now();
      // A process takes a while to start: that is a part of the time that it is down.
      await this.replica.start(Math.max(0, downMs - 100));
      life.to = fell;
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

interface Cell {
  readonly share: number;
  readonly calls: number;
  readonly failed: readonly Outcome[];
  readonly uptime: number;
  readonly couldServe: (outcome: Outcome) => boolean;
}

async function measure(count: number, hasHelp: boolean): Promise<Cell> {
  using records = new Records();
  const record = records.file("r");
  await using stack = new AsyncDisposableStack();
  const replicas: Flapping[] = [];
  for (let at = 0; at < count; at += 1)
    replicas.push(new Flapping(stack.use(await HttpReplica.start(record)), 100 * count + at));
  const gateway = stack.use(
    await startGateway({
      b: {
        replicas: replicas.map(({ replica }) => ({ url: replica.url })),
        isolation: "shared",
        timeouts: { call: `${deadlineMs}ms`, down: "20ms" },
        ...(hasHelp
          ? { retry: { wait: `${deadlineMs}ms`, attempts: 5 } }
          : { retry: { attempts: 1, wait: "0s" }, breaker: { disabled: true }, outliers: { disabled: true } }),
      },
    }),
  );
  const clients = await Promise.all(Array.from({ length: 8 }, () => gateway.client()));
  const load = new Load(clients, ["b__read", "b__put", "b__read", "b__add"], 120, { delayMs: 2 });
  const endMs = seconds * 1_000;
  await Promise.all(replicas.map((replica) => replica.run(load.since, endMs)));
  const outcomes = await load.stop();
  const isSafe = (_: unknown, at: number): boolean => at % 4 !== 3;
  const safe = outcomes.filter(isSafe);
  const failed = safe.filter(({ text }) => text === undefined);
  assertTruthful(
    outcomes.filter((each, at) => !isSafe(each, at)),
    records.executions("r"),
  );
  return {
    share: 1 - failed.length / safe.length,
    calls: safe.length,
    failed,
    uptime: replicas.reduce((sum, replica) => sum + replica.share(endMs), 0) / count,
    couldServe: ({ atMs }) => replicas.some((replica) => replica.couldServe(atMs, atMs + deadlineMs)),
  };
}

test("uptime: two replicas of 95 % answer 99.99 % of the calls that may run twice, three 99.999 %, and one all that it could", async () => {
  const lines = ["| replicas | uptime of each | calls | without help | with the gateway's |", "|---|---|---|---|---|"];
  for (const [count, least] of [
    [1, 0],
    [2, 0.9999],
    [3, 0.99999],
  ] as const) {
    const bare = await measure(count, false);
    const helped = await measure(count, true);
    const percent = (share: number): string => `${(100 * share).toFixed(3)} %`;
    const cells = [count, percent(helped.uptime), helped.calls, percent(bare.share), percent(helped.share)];
    lines.push(`| ${cells.join(" | ")} |`);
    assert.ok(helped.share >= least, `${lines.join("\n")}\n${JSON.stringify(helped.failed.slice(0, 3))}`);
    const avoidable = helped.failed.filter(helped.couldServe);
    assert.deepEqual(avoidable, [], `${avoidable.length} calls failed that could have been answered`);
    assert.ok(bare.share < helped.share || bare.share === 1);
  }
  console.log(lines.join("\n"));
});
