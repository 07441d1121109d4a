// What is said of a stream that comes and goes: whether anything can be heard, and how often something may have been missed.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Hearing } from "../../lib/backend/hearing.ts";

interface Ears {
  readonly hearing: Hearing;
  missed: number;
}

function withEars(run: (ears: Ears) => void): void {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  try {
    const ears: Ears = { hearing: new Hearing(() => void (ears.missed += 1)), missed: 0 };
    run(ears);
  } finally {
    mock.timers.reset();
  }
}

test("hearing: nothing is missed before the first stream, nor on one that is resumed", () =>
  withEars((ears) => {
    assert.ok(ears.hearing.hears);
    const over = ears.hearing.began();
    over();
    // It cannot be had right now, but what is said will be said again.
    ears.hearing.ended(false);
    assert.ok(!ears.hearing.hears);
    ears.hearing.began();
    mock.timers.tick(10_000);
    assert.deepEqual([ears.hearing.hears, ears.missed], [true, 0]);
  }));

test("hearing: what was missed is told when the stream is there again", () =>
  withEars((ears) => {
    ears.hearing.ended(true);
    // A later attempt that fails takes nothing back.
    ears.hearing.ended(false);
    ears.hearing.began();
    mock.timers.tick(1);
    assert.deepEqual([ears.hearing.hears, ears.missed], [true, 1]);
  }));

test("hearing: of a stream that ends again and again it is told now and then, and not heard between", () =>
  withEars((ears) => {
    for (let cuts = 0; cuts < 100; cuts += 1) {
      const before = ears.missed;
      ears.hearing.ended(true);
      mock.timers.tick(50);
      const over = ears.hearing.began();
      mock.timers.tick(50);
      over();
      assert.equal(ears.hearing.hears, ears.missed > before, String(cuts));
    }
    assert.equal(ears.missed, 2);
  }));
