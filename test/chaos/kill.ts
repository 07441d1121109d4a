// One of two replicas is killed under 200 calls a second, and started again: what becomes of the calls, and how long they take.
import { type Gateway, until } from "../e2e/kit.ts";
import type { RawClient } from "../kit/raw-client.ts";
import { callOnce, type Era, HttpReplica, Load, type Outcome, quantile, Records, startGateway } from "./kit.ts";

export interface Killed {
  /** Calls that may run twice, and the others. */
  readonly safe: readonly Outcome[];
  readonly unsafe: readonly Outcome[];
  readonly executions: ReadonlyMap<string, number>;
  /** The 99th percentile of calls before it, and of those while the replica was away. */
  readonly steadyMs: number;
  readonly awayMs: number;
  /** From when it listened again to its first answer. */
  readonly firstMs: number;
}

/** `reads`: a third of the calls before it. */
export async function killOne(era: Era, reads: number): Promise<Killed> {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record, era);
  await using two = await HttpReplica.start(record, era);
  await using gateway = await startGateway({ b: { replicas: [{ url: one.url }, { url: two.url }] } });
  const [readers, writers] = [await clientsOf(gateway, 5), await clientsOf(gateway, 6)];
  const since = performance.now();
  const reading = new Load(readers, ["b__read"], 67);
  const loads = [reading, new Load(writers, ["b__put", "b__add"], 133)];
  await reading.sends(reads);
  const faultMs = performance.now() - since;
  await one.kill();
  await reading.sends(27);
  await one.start();
  const backMs = performance.now() - since;
  const looks: Outcome[] = [];
  await until(async () => {
    looks.push(...(await Promise.all(readers.map((client) => callOnce(client, "b__read", {}, since)))));
    return looks.some(({ text }) => text === String(one.pid));
  }, "the returned replica has calls");
  const outcomes = (await Promise.all(loads.map((load) => load.stop()))).flat();
  const p99 = (from: number, to: number): number => {
    const meanwhile = outcomes.filter(({ atMs }) => atMs >= from && atMs < to);
    return quantile(
      meanwhile.map(({ tookMs }) => tookMs),
      0.99,
    );
  };
  const there = [...outcomes, ...looks].filter(({ text }) => text === String(one.pid));
  const first = Math.min(...there.map(({ atMs, tookMs }) => atMs + tookMs));
  return {
    safe: outcomes.filter(({ tool }) => tool !== "b__add"),
    unsafe: outcomes.filter(({ tool }) => tool === "b__add"),
    executions: records.executions("r"),
    steadyMs: p99(300, faultMs - 50),
    awayMs: p99(faultMs - 50, backMs),
    firstMs: first - backMs,
  };
}

async function clientsOf(gateway: Gateway, count: number): Promise<readonly RawClient[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => gateway.client()));
  for (const client of clients) await callOnce(client, "b__read");
  return clients;
}
