// The waits between attempts: the steps that the design names, then a jittered cap for ever; full jitter for repeated calls.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attemptsBeforeUnavailable, backoffMs, retryMs } from "../../lib/resilience/backoff.ts";
import { simulate, steps } from "./kit.ts";

test("backoff: 1, 2, 4 and 8 seconds, and then the backend counts as unavailable", () => {
  const waits = [1, 2, 3, 4].map((failures) => backoffMs(failures));
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000]);
  assert.equal(attemptsBeforeUnavailable, waits.length + 1);
});

test("backoff: from the fifth failure on it is capped and jittered, however often it fails", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 5, max: 1_000_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, random) => {
        const ms = backoffMs(failures, random);
        assert.ok(ms >= 22_500 && ms <= 30_000, `${ms}`);
      },
    ),
  );
});

test("backoff: a call is repeated after 50 ms, 100 ms … 2 s, or any part of it", () => {
  assert.deepEqual(
    [0, 1, 2, 5, 6, 1000].map((retries) => retryMs(retries, 1)),
    [50, 100, 200, 1_600, 2_000, 2_000],
  );
  assert.equal(retryMs(3, 0), 0);
});

test("backoff: callers that failed together come back evenly spread, never later than the cap", () => {
  const { random, below } = simulate(1);
  const tenths = Array.from({ length: 10 }, () => 0);
  for (let step = 0; step < steps; step += 1) {
    const retries = below(40);
    const most = retryMs(retries, 1);
    const ms = retryMs(retries, random());
    assert.ok(ms >= 0 && ms <= most && most <= 2_000, `${ms} of ${most}`);
    const tenth = Math.min(9, Math.floor((10 * ms) / most));
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) assert.ok(Math.abs(count / steps - 0.1) < 0.005, tenths.join(" "));
});
