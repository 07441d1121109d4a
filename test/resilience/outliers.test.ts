// Ejection: the replica that does much worse goes, for a while, and never too many at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Outliers, type OutlierTerms } from "../../lib/resilience/outliers.ts";
import { simulate, steps } from "./kit.ts";

const terms: OutlierTerms = {
  errorRate: 0.5,
  slowness: 3,
  minMs: 20,
  minCalls: 10,
  ejectMs: 1_000,
  maxEjectMs: 5_000,
  maxShare: 0.5,
  rampMs: 1_000,
};

test("outliers: one whose calls mostly fail is ejected, longer each time", () => {
  const outliers = new Outliers(terms, 2);
  const failUntilEjected = (now: number): number => {
    for (let call = 1; call < 100; call += 1) if (outliers.note(0, true, 5, now) !== undefined) return call;
    return Infinity;
  };
  assert.equal(failUntilEjected(0), 10);
  assert.deepEqual([outliers.isEjected(0, 999), outliers.isEjected(0, 1_000)], [true, false]);
  failUntilEjected(1_000);
  assert.deepEqual([outliers.isEjected(0, 2_999), outliers.isEjected(0, 3_000)], [true, false]);
});

test("outliers: one that is much slower than the others is ejected, and says so", () => {
  const outliers = new Outliers(terms, 3);
  let why: string | undefined;
  for (let call = 0; call < 20; call += 1) {
    outliers.note(0, false, 10, 0);
    outliers.note(1, false, 12, 0);
    why ??= outliers.note(2, false, 100, 0);
  }
  assert.match(why ?? "", /takes 100 ms where others take 10 ms/);
});

test("outliers: a slow replica among slow ones, or one alone, stays", () => {
  for (const replicas of [1, 2]) {
    const outliers = new Outliers(terms, replicas);
    for (let call = 0; call < 100; call += 1)
      for (let at = 0; at < replicas; at += 1) assert.equal(outliers.note(at, replicas === 1, 500, 0), undefined);
  }
});

test("outliers: one that is back gets more and more of its weight", () => {
  const outliers = new Outliers(terms, 2);
  assert.equal(outliers.ramp(0, 0), 1);
  for (let call = 0; call < 10; call += 1) outliers.note(0, true, 5, 0);
  assert.deepEqual(
    [1_010, 1_500, 2_000].map((now) => outliers.ramp(0, now)),
    [0.05, 0.5, 1],
  );
  // So does one that was away, and nothing is held against it.
  for (let call = 0; call < 10; call += 1) outliers.note(1, true, 5, 3_000);
  outliers.renew(1, 3_100);
  assert.equal(outliers.isEjected(1, 3_100), false);
  assert.deepEqual(
    [3_110, 3_600, 4_100].map((now) => outliers.ramp(1, now)),
    [0.05, 0.5, 1],
  );
});

test("outliers: over a million steps no more than the share are out, none for longer than the cap", () => {
  const world = simulate(6);
  const outliers = new Outliers(terms, 5);
  let ejections = 0;
  const since = new Map<number, number>();
  for (let step = 0; step < steps; step += 1) {
    world.now += world.below(5);
    const replica = world.below(5);
    const bad = Math.floor(world.now / 10_000) % 7;
    const failed = world.chance(replica <= bad ? 0.9 : 0.02);
    if (outliers.note(replica, failed, 5 + world.below(replica === bad ? 200 : 10), world.now) !== undefined)
      ejections += 1;
    let out = 0;
    for (let at = 0; at < 5; at += 1) {
      if (!outliers.isEjected(at, world.now)) since.delete(at);
      else {
        out += 1;
        if (!since.has(at)) since.set(at, world.now);
        assert.ok(world.now - (since.get(at) ?? 0) <= terms.maxEjectMs);
      }
    }
    assert.ok(out <= 2, `${out} out`);
  }
  assert.ok(ejections > 100, `${ejections}`);
});
