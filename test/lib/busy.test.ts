// When a gateway compiles as usual, and when it gives memory back.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { keepPace } from "../../lib/busy.ts";

test("busy: compiles with the first work, and gives memory back once after work that was worth it", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    const done: string[] = [];
    let ms = 0;
    const stop = keepPace({ used: () => ms, compile: () => done.push("compile"), giveBack: () => done.push("give") });
    const passes = (...looks: readonly number[]): void => {
      for (const look of looks) {
        ms = look;
        mock.timers.tick(1_000);
      }
    };
    passes(1, 5, 0);
    assert.deepEqual(done, [], "an idle one does neither");
    passes(40, 0, 0);
    assert.deepEqual(done, ["compile"], "little work leaves little behind");
    passes(900, 900, 15, 800, 20);
    assert.deepEqual(done, ["compile"], "not while there is work");
    passes(2, 2, 2);
    assert.deepEqual(done, ["compile", "give"], "and once");
    passes(35, 2, 2);
    assert.deepEqual(done, ["compile", "give"], "the collection itself is no work that asks for another one");
    passes(600, 2);
    assert.deepEqual(done, ["compile", "give", "give"]);
    stop();
    passes(900, 2);
    assert.equal(done.length, 3);
  } finally {
    mock.timers.reset();
  }
});
