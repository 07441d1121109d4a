// Each rule against what it promises: shares by weight, the least pending, stable hashes, zones first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Balance, type BalanceRule, type Candidate } from "../../lib/resilience/balance.ts";
import { simulate, steps } from "./kit.ts";

const replica = (index: number, weight = 1, pending = 0, zone?: string): Candidate => ({
  index,
  weight,
  pending,
  zone,
});

/** How often each index is chosen. */
function tally(
  balance: Balance,
  all: readonly Candidate[],
  calls: number,
  keyOf = (call: number) => `${call}`,
): number[] {
  const counts = all.map(() => 0);
  for (let call = 0; call < calls; call += 1) {
    const chosen = balance.choose(all, keyOf(call));
    const at = all.findIndex((each) => each === chosen);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

test("balance: round-robin gives exact shares, evenly spread", () => {
  const balance = new Balance({ kind: "round-robin" });
  const all = [replica(0, 5), replica(1, 1), replica(2, 1)];
  const order = Array.from({ length: 7 }, () => balance.choose(all, "")?.index);
  assert.deepEqual(order, [0, 0, 1, 0, 2, 0, 0]);
  assert.deepEqual(tally(balance, all, 700), [500, 100, 100]);
});

test("balance: round-robin owes nothing to one that was away", () => {
  const balance = new Balance({ kind: "round-robin" });
  const all = [replica(0), replica(1)];
  tally(balance, [replica(0)], 1);
  tally(balance, all.slice(0, 1), 1000);
  assert.deepEqual(tally(balance, all, 10), [5, 5]);
});

test("balance: least-pending takes the least loaded for its weight, and goes round where all are idle", () => {
  const balance = new Balance({ kind: "least-pending" });
  assert.equal(balance.choose([replica(0, 1, 3), replica(1, 1, 2), replica(2, 1, 5)], "")?.index, 1);
  assert.equal(balance.choose([replica(0, 4, 3), replica(1, 1, 2)], "")?.index, 0);
  assert.deepEqual(tally(balance, [replica(0), replica(1), replica(2)], 300), [100, 100, 100]);
});

test("balance: random-two never takes the most loaded of three, and follows weights where all are idle", () => {
  const { random } = simulate(5);
  const balance = new Balance({ kind: "random-two" }, undefined, random);
  assert.equal(tally(balance, [replica(0, 1, 1), replica(1, 1, 9), replica(2, 1, 2)], 1000)[1], 0);
  const [heavy = 0, light = 0] = tally(balance, [replica(0, 3, 0), replica(1, 1, 0)], 10_000);
  assert.ok(heavy / (heavy + light) > 0.7 && heavy / (heavy + light) < 0.8, `${heavy} ${light}`);
});

test("balance: priority takes the first one that there is", () => {
  const balance = new Balance({ kind: "priority" });
  assert.equal(balance.choose([replica(2), replica(1), replica(3)], "")?.index, 1);
});

test("balance: a hash stays, follows weights, and moves only the keys of a replica that is gone", () => {
  const balance = new Balance({ kind: "hash", source: { kind: "principal" } });
  const all = [replica(0, 2), replica(1), replica(2)];
  const counts = tally(balance, all, 20_000, (call) => `user-${call}`);
  assert.ok(Math.abs((counts[0] ?? 0) / 20_000 - 0.5) < 0.02, counts.join(" "));
  for (let call = 0; call < 2000; call += 1) {
    const key = `user-${call}`;
    const before = balance.choose(all, key);
    assert.equal(balance.choose(all, key), before);
    if (before?.index !== 1) assert.equal(balance.choose([replica(0, 2), replica(2)], key)?.index, before?.index);
  }
});

test("balance: the zone of the gateway comes first, and others only where it has nobody", () => {
  const balance = new Balance({ kind: "least-pending" }, "eu");
  const far = replica(0, 1, 0, "us");
  assert.equal(balance.choose([far, replica(1, 1, 9, "eu")], "")?.index, 1);
  assert.equal(balance.choose([far], ""), far);
  assert.equal(balance.choose([], ""), undefined);
});

test("balance: over a million steps every rule chooses one of those that there are, and spreads the load", () => {
  const rules: readonly BalanceRule[] = [
    { kind: "least-pending" },
    { kind: "round-robin" },
    { kind: "random-two" },
    { kind: "hash", source: { kind: "session" } },
  ];
  for (const [seed, rule] of rules.entries()) {
    const world = simulate(seed);
    const balance = new Balance(rule, undefined, () => world.random());
    const pending = [0, 0, 0, 0];
    const got = [0, 0, 0, 0];
    const busy: number[] = [];
    for (let step = 0; step < steps / rules.length; step += 1) {
      const all = pending.map((each, index) => replica(index, 1, each)).filter(() => world.chance(0.9));
      const chosen = balance.choose(all, String(world.below(1_000_000)));
      assert.equal(chosen === undefined, all.length === 0);
      if (chosen) {
        assert.ok(all.includes(chosen));
        pending[chosen.index] = (pending[chosen.index] ?? 0) + 1;
        got[chosen.index] = (got[chosen.index] ?? 0) + 1;
        busy.push(chosen.index);
      }
      if (busy.length > 40) {
        const [done = 0] = busy.splice(world.below(busy.length), 1);
        pending[done] = (pending[done] ?? 0) - 1;
      }
    }
    const sum = got.reduce((all, each) => all + each, 0);
    for (const each of got) assert.ok(Math.abs(each / sum - 0.25) < 0.02, `${rule.kind} ${got.join(" ")}`);
  }
});
