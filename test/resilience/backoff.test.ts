// The waits between attempts: the steps that the design names, then a jittered cap for ever.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attemptsBeforeUnavailable, backoffMs } from "../../lib/resilience/backoff.ts";

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
