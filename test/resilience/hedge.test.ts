// Hedging: after the quantile that was asked for, and never for more than the share of the calls.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hedge } from "../../lib/resilience/hedge.ts";
import { simulate, steps } from "./kit.ts";

test("hedge: says nothing until it has seen twenty calls", () => {
  const hedge = new Hedge({ quantile: 0.95, minMs: 1, share: 0.05 });
  for (let call = 0; call < 19; call += 1) hedge.note(10);
  assert.equal(hedge.delayMs(), undefined);
  hedge.note(10);
  assert.ok(Math.abs((hedge.delayMs() ?? 0) - 10) <= 1, `${hedge.delayMs()}`);
});

test("hedge: finds the quantile within a tenth, and follows when the latency changes", () => {
  const { random } = simulate(7);
  const hedge = new Hedge({ quantile: 0.95, minMs: 1, share: 0.05 });
  for (let call = 0; call < 5000; call += 1) hedge.note(100 * random());
  assert.ok(Math.abs((hedge.delayMs() ?? 0) - 95) < 12, `${hedge.delayMs()}`);
  for (let call = 0; call < 5000; call += 1) hedge.note(1000 * random());
  assert.ok(Math.abs((hedge.delayMs() ?? 0) - 950) < 120, `${hedge.delayMs()}`);
});

test("hedge: never sooner than the least delay", () => {
  const hedge = new Hedge({ quantile: 0.5, minMs: 30, share: 1 });
  for (let call = 0; call < 50; call += 1) hedge.note(1);
  assert.equal(hedge.delayMs(), 30);
});

test("hedge: of calls that began together each one has its share, and nothing of it outlives them", () => {
  const hedge = new Hedge({ quantile: 0.9, minMs: 1, share: 1 });
  for (let call = 0; call < 500; call += 1) hedge.began();
  for (let call = 0; call < 500; call += 1) assert.ok(hedge.take(), `${call}`);
  for (let call = 0; call < 500; call += 1) hedge.ended();
  for (let call = 0; call < 500; call += 1) {
    hedge.began();
    hedge.ended();
  }
  let left = 0;
  while (hedge.take()) left += 1;
  assert.equal(left, 10);
});

test("hedge: over a million steps no more than the share of the calls is hedged, and a small burst", () => {
  const world = simulate(8);
  const share = 0.05;
  const hedge = new Hedge({ quantile: 0.9, minMs: 1, share });
  let [calls, open, hedged, credit] = [0, 0, 0, 10];
  for (let step = 0; step < steps; step += 1) {
    // Now few are in flight, now many.
    if (world.chance(open < 300 * (1 + Math.sin(step / 5_000)) ? 0.6 : 0.3)) {
      hedge.began();
      calls += 1;
      open += 1;
      credit = Math.min(credit + share, 10 + share * open);
    } else if (open > 0) {
      hedge.ended();
      open -= 1;
      credit = Math.min(credit, 10 + share * open);
    }
    if (world.chance(0.5) && hedge.take()) {
      hedged += 1;
      credit -= 1;
    }
    assert.ok(credit > -1e-6, `${credit}`);
    assert.ok(hedged <= 10 + share * calls + 1e-6);
    if (step % 100 === 0) hedge.note(world.below(50));
  }
  assert.ok(hedged > 0.049 * calls);
});
