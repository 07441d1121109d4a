// The bytes of an event that a log keeps as what it is made of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiBytes } from "../../lib/core/text.ts";
import { LoggedEvent } from "../../lib/front/logged.ts";

test("logged: an event of a log is its id, its number and its message, in as many bytes as it says", () => {
  const part = { bytes: Buffer.from("<an old message>"), start: 0, end: 16, cut: 4, cutEnd: 7, by: Buffer.from("new") };
  for (const number of [1, 9, 10, 123_456]) {
    const event = new LoggedEvent(asciiBytes("id: 0a1b-7-"), number, part);
    const whole = event.whole();
    assert.equal(Buffer.from(whole).toString(), `id: 0a1b-7-${number}\ndata: <an new message>\n\n`);
    assert.equal(event.size, whole.length);
  }
});
