// Replicas that come and go: calls that may run twice are answered while any replica could do so in their time, and no other
// is doubled. Few calls here; `npm run chaos uptime` makes a hundred thousand, and counts the nines.
import assert from "node:assert/strict";
import { test } from "node:test";
import { measureUptime, percent, shareOf } from "./uptime.ts";

/** Up most of the time: there is more to see in a few seconds. */
const terms = { calls: 480, perSecond: 120, upMs: 1_000 };

for (const replicas of [1, 2, 3]) {
  test(`uptime: of ${replicas} that come and go no call fails that could be answered in its time`, async () => {
    const cell = await measureUptime({ ...terms, replicas, hasHelp: true });
    console.log(`${replicas}: ${percent(cell.uptime)} up, ${percent(shareOf(cell))} answered, ${cell.kills} kills`);
    assert.deepEqual(cell.avoidable, [], `${cell.avoidable.length} calls failed that could have been answered`);
    if (replicas > 1) assert.deepEqual(cell.failed, []);
  });
}
