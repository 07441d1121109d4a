// Repetitions never exceed their share of the traffic, in any stretch of time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Budget } from "../../lib/resilience/budget.ts";
import { simulate, steps } from "./kit.ts";

const terms = { share: 0.2, perSecond: 3, burst: 20 };

test("budget: one call in five is repeated where all fail, above what is always allowed", () => {
  const budget = new Budget({ share: 0.2, perSecond: 0, burst: 1 }, 0);
  let granted = 0;
  for (let call = 0; call < 1000; call += 1) {
    budget.earn();
    if (budget.take(0)) granted += 1;
  }
  assert.ok(granted >= 199 && granted <= 201, `${granted}`);
});

test("budget: without traffic some a second are allowed, and no more", () => {
  const budget = new Budget({ share: 0.2, perSecond: 3, burst: 0 }, 0);
  const takeAll = (now: number): number => {
    let granted = 0;
    while (budget.take(now)) granted += 1;
    return granted;
  };
  assert.deepEqual(
    [takeAll(0), takeAll(0), takeAll(1000), takeAll(1100), takeAll(1340), takeAll(60_000)],
    [3, 0, 3, 0, 1, 3],
  );
});

test("budget: over a million steps no stretch of time gets more than its bound", () => {
  const world = simulate(2);
  const budget = new Budget(terms, world.now);
  // The bound holds from every start: it is enough to look at the greatest excess since any of them.
  let excess = 0;
  let granted = 0;
  let refused = 0;
  for (let step = 0; step < steps; step += 1) {
    const passed = world.chance(0.5) ? 0 : world.below(world.chance(0.001) ? 60_000 : 20);
    world.now += passed;
    excess = Math.max(0, excess - (passed / 1000) * terms.perSecond);
    if (world.chance(0.6)) {
      budget.earn();
      excess = Math.max(0, excess - terms.share);
    } else if (budget.take(world.now)) {
      excess += 1;
      granted += 1;
    } else refused += 1;
    assert.ok(excess <= terms.burst + terms.perSecond + 1e-6, `${excess} at ${step}`);
  }
  assert.ok(granted > 1000 && refused > 1000, `${granted} granted, ${refused} refused`);
});

test("budget: a clock that goes back grants nothing", () => {
  const budget = new Budget({ share: 0, perSecond: 1, burst: 0 }, 10_000);
  assert.equal(budget.take(10_000), true);
  assert.equal(budget.take(0), false);
  assert.equal(budget.take(10_500), false);
});
