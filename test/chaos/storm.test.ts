// After an outage of all replicas the backend gets the calls that come, and not those that came meanwhile on top.
// STORM_SECONDS=30 makes the outage that long.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { HttpReplica, Load, Records, startGateway } from "./kit.ts";

const seconds = Number(process.env["STORM_SECONDS"] ?? 8);
const perSecond = 150;
const windowMs = 1_000;

test("storm: after all replicas were down, the load that they get stays under 1.2 times what is offered", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await startGateway({
    b: { replicas: [{ url: one.url }, { url: two.url }], isolation: "shared", timeouts: { down: "50ms" } },
  });
  const clients = await Promise.all(Array.from({ length: 8 }, () => gateway.client()));
  const executed = (): number => [...records.executions("r").values()].reduce((sum, each) => sum + each, 0);
  const load = new Load(clients, ["b__read", "b__add"], perSecond);
  await pause(1_000);
  await Promise.all([one.kill(), two.kill()]);
  await pause(seconds * 1_000);
  await Promise.all([one.start(), two.start()]);
  const backAt = load.atMs;
  const perWindow: number[] = [];
  let before = executed();
  let at = performance.now();
  for (let window = 0; window < 5; window += 1) {
    await pause(windowMs - Math.max(0, performance.now() - at - windowMs));
    const [now, count] = [performance.now(), executed()];
    perWindow.push(((count - before) * 1_000) / (now - at));
    before = count;
    at = now;
  }
  const outcomes = await load.stop();
  const down = outcomes.filter(({ atMs }) => atMs > 7_000 && atMs < backAt - 200);
  const slowest = Math.max(...down.map(({ tookMs }) => tookMs));
  const failed = outcomes.filter(({ atMs, text }) => atMs > backAt + 300 && text === undefined);
  console.log(
    `storm: ${perSecond}/s offered; after recovery ${perWindow.map((rate) => rate.toFixed(0)).join(", ")} executions/s in each second`,
  );
  console.log(`storm: while all were down for long, the slowest answer took ${slowest.toFixed(0)} ms`);
  assert.ok(Math.max(...perWindow) < 1.2 * perSecond + 10, perWindow.join(" "));
  assert.ok((perWindow.at(-1) ?? 0) > 0.8 * perSecond, perWindow.join(" "));
  assert.deepEqual(failed, []);
  assert.ok(down.every(({ data }) => data["class"] === "notSent"));
  assert.ok(slowest < 1_000, `${slowest} ms`);
});

test("storm: calls that waited through a short outage come back spread out", async () => {
  using records = new Records();
  await using one = await HttpReplica.start(records.file("r"));
  await using gateway = await startGateway({ b: { url: one.url, isolation: "shared", timeouts: { down: "50ms" } } });
  const clients = await Promise.all(Array.from({ length: 8 }, () => gateway.client()));
  const load = new Load(clients, ["b__read"], perSecond);
  await pause(1_000);
  const faultAt = load.atMs;
  await one.kill();
  await one.start(2_000);
  const backAt = load.atMs;
  await pause(2_500);
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
  assert.ok(waited.length > 100);
  assert.ok(Math.max(...tenths) < waited.length / 2, tenths.join(" "));
});
