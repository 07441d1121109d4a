// The breaker against a model: when it opens, for how long, and how many it lets through to try.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Breaker, type BreakerTerms, type Ticket, type Verdict } from "../../lib/resilience/breaker.ts";
import { simulate, steps } from "./kit.ts";

const terms: BreakerTerms = {
  failures: 5,
  rate: 0.5,
  minCalls: 20,
  windowMs: 10_000,
  openMs: 1_000,
  maxOpenMs: 30_000,
  trials: 2,
};

function run(breaker: Breaker, now: number, ...verdicts: readonly Verdict[]): void {
  for (const verdict of verdicts) {
    const ticket = breaker.admit(now);
    assert.ok(ticket);
    breaker.settle(ticket, verdict, now);
  }
}
const times = (count: number, verdict: Verdict): Verdict[] => Array.from({ length: count }, () => verdict);

test("breaker: opens after five failures in a row, and not after four and a success", () => {
  const breaker = new Breaker(terms);
  run(breaker, 0, ...times(4, "failed"), "succeeded", ...times(4, "failed"));
  assert.equal(breaker.state(0).kind, "closed");
  run(breaker, 0, "failed");
  assert.deepEqual(breaker.state(0), { kind: "open", until: 1_000, why: "it failed" });
  assert.equal(breaker.admit(999), undefined);
  assert.equal(breaker.waitMs(400), 600);
});

test("breaker: opens where half of twenty calls in the window fail, whatever their order", () => {
  const breaker = new Breaker(terms);
  for (let pair = 0; pair < 9; pair += 1) run(breaker, 0, "failed", "succeeded");
  run(breaker, 0, "succeeded");
  assert.equal(breaker.state(0).kind, "closed");
  run(breaker, 0, "failed");
  assert.equal(breaker.state(0).kind, "open");
});

test("breaker: failures of long ago are forgotten", () => {
  const breaker = new Breaker({ ...terms, failures: 100 });
  run(breaker, 0, ...times(15, "failed"));
  run(breaker, 10_001, ...times(15, "failed"));
  assert.equal(breaker.state(10_001).kind, "closed");
});

test("breaker: half open lets two through and refuses the others at once; a success closes it", () => {
  const breaker = new Breaker(terms);
  run(breaker, 0, ...times(5, "failed"));
  const trials = [breaker.admit(1_000), breaker.admit(1_000)];
  assert.ok(trials.every((ticket) => ticket?.isTrial));
  assert.equal(breaker.isPassable(1_000), false);
  assert.equal(breaker.admit(1_000), undefined);
  breaker.settle(trials[0], "undecided", 1_000);
  assert.ok(breaker.isPassable(1_000));
  breaker.settle(trials[1], "succeeded", 1_000);
  assert.equal(breaker.state(1_000).kind, "closed");
});

test("breaker: each failed trial doubles the time that it stays open, up to the cap", () => {
  const breaker = new Breaker(terms);
  run(breaker, 0, ...times(5, "failed"));
  let now = 0;
  const waits: number[] = [];
  for (let trial = 0; trial < 7; trial += 1) {
    waits.push(breaker.waitMs(now));
    now += breaker.waitMs(now);
    run(breaker, now, "failed");
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test("breaker: what was admitted before it opened says nothing of whether the trial went well", () => {
  const breaker = new Breaker(terms);
  const early = breaker.admit(0);
  run(breaker, 0, ...times(5, "failed"));
  const trial = breaker.admit(1_000);
  breaker.settle(early, "succeeded", 1_000);
  assert.equal(breaker.state(1_000).kind, "halfOpen");
  breaker.settle(trial, "failed", 1_000);
  assert.equal(breaker.state(1_000).kind, "open");
});

test("breaker: over a million steps it never has more trials out, stays open longer, or waits for more failures than it says", () => {
  const world = simulate(3);
  const breaker = new Breaker(terms);
  const out: Ticket[] = [];
  let trials = 0;
  let inRow = 0;
  const seen = { closed: 0, open: 0, halfOpen: 0 };
  for (let step = 0; step < steps; step += 1) {
    world.now += world.chance(0.02) ? world.below(3_000) : world.below(3);
    // Bad times and good times.
    const failing = Math.floor(world.now / 20_000) % 2 === 0 ? 0.05 : 0.7;
    const before = breaker.state(world.now);
    seen[before.kind] += 1;
    if (before.kind === "open") assert.ok(before.until - world.now <= terms.maxOpenMs);
    if (out.length < 8 && world.chance(0.5)) {
      const ticket = breaker.admit(world.now);
      if (before.kind === "closed") assert.ok(ticket && !ticket.isTrial);
      if (before.kind === "open") assert.equal(ticket, undefined);
      if (before.kind === "halfOpen") assert.equal(ticket !== undefined, trials < terms.trials);
      if (ticket) out.push(ticket);
      if (ticket?.isTrial) trials += 1;
    } else if (out.length > 0) {
      const [ticket] = out.splice(world.below(out.length), 1);
      if (ticket?.isTrial) trials -= 1;
      const verdict: Verdict = world.chance(0.1) ? "undecided" : world.chance(failing) ? "failed" : "succeeded";
      // One that is closed gives the same ticket to everybody.
      const isFresh = before.kind === "closed" && breaker.admit(world.now)?.life === ticket?.life;
      breaker.settle(ticket, verdict, world.now);
      if (isFresh && verdict !== "undecided") inRow = verdict === "failed" ? inRow + 1 : 0;
      if (breaker.state(world.now).kind !== "closed" || before.kind !== "closed") inRow = 0;
      assert.ok(inRow < terms.failures, `${inRow} failures in a row and still closed`);
    }
    assert.ok(trials <= terms.trials);
  }
  assert.ok(Math.min(seen.closed, seen.open, seen.halfOpen) > 1000, JSON.stringify(seen));
});
