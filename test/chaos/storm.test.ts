// After an outage of all replicas the backend gets the calls that come, and not those that came meanwhile on top.
// `npm run chaos storm` makes the outage half a minute long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpReplica, Load, Records, startGateway } from "./kit.ts";
import { slowest, storm } from "./storm.ts";

const perSecond = 100;

test("storm: after all replicas were down, the load that they get stays under 1.2 times what is offered", async () => {
  const { perSecond: rates, made, waiting, failed, down } = await storm(3, perSecond, 1_000);
  const told = rates.map((rate) => rate.toFixed(0)).join(", ");
  console.log(
    `storm: ${perSecond}/s offered; ${told} executions/s in each second after it; ${slowest(down).toFixed(0)} ms the slowest answer meanwhile, ${waiting} calls waited`,
  );
  // Sums: what a busy machine holds up in one second it does in the next. On one that is not, next to nobody waits.
  for (let seconds = 1; seconds <= rates.length; seconds += 1) {
    const offered = Math.max(perSecond * seconds, sumOf(made, seconds));
    assert.ok(sumOf(rates, seconds) < 1.2 * offered + waiting, told);
  }
  assert.ok(sumOf(rates) > 0.8 * sumOf(made), told);
  assert.deepEqual(failed, []);
  assert.ok(down.length > 50 && down.every(({ data }) => data["class"] === "notSent"));
});

test("storm: calls that waited through a short outage come back spread out", async () => {
  // A busy machine that stands still for a moment ends many calls at once: that is not what is asked for.
  let tenths = await outage();
  for (let more = 0; more < 2 && !isSpread(tenths); more += 1) tenths = await outage();
  assert.ok(isSpread(tenths), tenths.join(" "));
});

const sumOf = (values: readonly number[], count: number = values.length): number =>
  values.slice(0, count).reduce((sum, each) => sum + each, 0);

const isSpread = (tenths: readonly number[]): boolean => Math.max(...tenths) < sumOf(tenths) / 2;

/** How many of the calls that waited ended in each tenth of a second after it. */
async function outage(): Promise<readonly number[]> {
  using records = new Records();
  await using one = await HttpReplica.start(records.file("r"));
  await using gateway = await startGateway({ b: { url: one.url, isolation: "shared", timeouts: { down: "50ms" } } });
  const clients = await Promise.all(Array.from({ length: 8 }, () => gateway.client()));
  const load = new Load(clients, ["b__read"], perSecond);
  await load.sends(50);
  const faultAt = load.atMs;
  await one.kill();
  await one.start(1_500);
  const backAt = load.atMs;
  await load.sends(200);
  const outcomes = await load.stop();
  assert.deepEqual(
    outcomes.filter(({ text }) => text === undefined),
    [],
  );
  const waited = outcomes.filter(({ atMs }) => atMs > faultAt && atMs < backAt - 300);
  const ends = waited.map(({ atMs, tookMs }) => atMs + tookMs - backAt);
  const tenths = Array.from({ length: 10 }, (_, at) => ends.filter((ms) => Math.floor(ms / 100) === at).length);
  console.log(
    `storm: ${waited.length} calls waited; they ended in tenths of a second after recovery: ${tenths.join(" ")}`,
  );
  assert.ok(waited.length > 70);
  return tenths;
}
