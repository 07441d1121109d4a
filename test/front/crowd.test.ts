// When memory is given back that only the opening or the end of many streams needed.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Crowd } from "../../lib/front/crowd.ts";

test("crowd: memory is given back once it is quiet after many streams were opened, and after many have ended", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    let times = 0;
    const crowd = new Crowd(() => (times += 1));
    const pass = (): void => mock.timers.tick(1_001);
    for (let n = 0; n < 999; n += 1) crowd.opened();
    pass();
    assert.equal(times, 0, "few streams are not worth it");
    crowd.opened();
    crowd.opened();
    pass();
    assert.equal(times, 0, "more were opened in the meantime");
    pass();
    pass();
    assert.equal(times, 1);
    for (let n = 0; n < 5_000; n += 1) {
      crowd.opened();
      crowd.closed();
    }
    pass();
    assert.equal(times, 1, "as many as before");
    for (let n = 0; n < 1_001; n += 1) crowd.closed();
    for (let n = 0; n < 2; n += 1) pass();
    assert.equal(times, 2);
    for (let n = 0; n < 1_001; n += 1) crowd.opened();
    crowd.end();
    pass();
    for (let n = 0; n < 2_000; n += 1) crowd.opened();
    pass();
    assert.equal(times, 2, "it is over");
  } finally {
    mock.timers.reset();
  }
});
