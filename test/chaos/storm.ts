// All replicas are away for a while under load: what they get when they are back.
import { setTimeout as pause } from "node:timers/promises";
import { HttpReplica, Load, type Outcome, Records, startGateway } from "./kit.ts";

const windowMs = 1_000;

export interface Storm {
  /** Executions a second, in each second after the recovery, and calls that were made. */
  readonly perSecond: readonly number[];
  readonly made: readonly number[];
  /** Calls that waited for the recovery. */
  readonly waiting: number;
  /** Calls made after the recovery that failed all the same. */
  readonly failed: readonly Outcome[];
  /** Calls that failed while all were away for longer than a call waits. */
  readonly down: readonly Outcome[];
}

/** `waitMs`: how long a call waits for a backend that has gone away. */
export async function storm(seconds: number, offered: number, waitMs: number): Promise<Storm> {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await startGateway({
    b: {
      replicas: [{ url: one.url }, { url: two.url }],
      isolation: "shared",
      timeouts: { down: "50ms" },
      retry: { wait: `${waitMs}ms` },
    },
  });
  const clients = await Promise.all(Array.from({ length: 8 }, () => gateway.client()));
  const executed = (): number => [...records.executions("r").values()].reduce((sum, each) => sum + each, 0);
  const load = new Load(clients, ["b__read", "b__add"], offered);
  await pause(1_000);
  await Promise.all([one.kill(), two.kill()]);
  const awayMs = load.atMs;
  await pause(seconds * 1_000);
  await Promise.all([one.start(), two.start()]);
  const backMs = load.atMs;
  const { waiting } = load;
  const perSecond: number[] = [];
  const made: number[] = [];
  let sent = load.sent;
  let before = executed();
  let at = performance.now();
  for (let window = 0; window < 5; window += 1) {
    await pause(windowMs);
    const [now, count] = [performance.now(), executed()];
    perSecond.push(((count - before) * 1_000) / (now - at));
    made.push(((load.sent - sent) * 1_000) / (now - at));
    before = count;
    sent = load.sent;
    at = now;
  }
  const outcomes = await load.stop();
  return {
    perSecond,
    made,
    waiting,
    failed: outcomes.filter(({ atMs, text }) => atMs > backMs + 300 && text === undefined),
    down: outcomes.filter(
      ({ atMs, text }) => atMs > awayMs + waitMs + 500 && atMs < backMs - 200 && text === undefined,
    ),
  };
}

export const slowest = (outcomes: readonly Outcome[]): number => Math.max(...outcomes.map(({ tookMs }) => tookMs));
