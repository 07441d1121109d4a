// Large messages that are collected, edited where they are, and whose memory is used again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBack, replaceInPlace, Rooms, RoomyBytes } from "../../lib/core/room.ts";
import { encodeText } from "../../lib/core/text.ts";

function collect(rooms: Rooms, text: string, expected: number | undefined, pieceBytes: number): Uint8Array {
  const bytes = encodeText(text);
  const whole = new RoomyBytes(rooms, expected, bytes.length);
  for (let at = 0; at < bytes.length; at += pieceBytes) assert.ok(whole.add(bytes.subarray(at, at + pieceBytes)));
  return whole.take();
}

test("room: pieces come out as one, announced, announced wrongly or not at all", () => {
  const text = "0123456789".repeat(40_000);
  for (const expected of [undefined, 0, 7, text.length, 10 * text.length]) {
    assert.ok(String(collect(new Rooms(), text, expected, 33_333)) === text, String(expected));
  }
  const small = new RoomyBytes(new Rooms(), undefined, 3);
  assert.deepEqual([small.add(encodeText("abc")), small.add(encodeText("d"))], [true, false]);
});

test("room: a part is replaced by a shorter or longer one, near the start and near the end", () => {
  const filling = "x".repeat(100_000);
  for (const [before, after] of [
    ["", filling],
    [filling, ""],
    [filling, filling],
    ["", ""],
  ] as const) {
    for (const id of ["", "7", "1234", '"a longer one"', "y".repeat(255), "z".repeat(1000)]) {
      const bytes = collect(new Rooms(), `${before}[1234]${after}`, undefined, 9999);
      const start = before.length + 1;
      const moved = replaceInPlace(bytes, { start, end: start + 4 }, encodeText(id));
      // Not assert.equal: what differs in so long a text is not worth finding out.
      assert.ok(moved ? String(moved) === `${before}[${id}]${after}` : id.length > 256, `${start} ${id.length}`);
    }
  }
});

test("room: bytes of others are never edited", () => {
  const bytes = collect(new Rooms(), "x".repeat(100_000), undefined, 100_000);
  for (const other of [Buffer.from("[1]"), bytes.subarray(1), Buffer.from(bytes)]) {
    assert.equal(replaceInPlace(other, { start: 1, end: 2 }, encodeText("22")), undefined);
  }
});

test("room: memory is used again once it was given back, and only once", () => {
  const rooms = new Rooms();
  const text = "x".repeat(100_000);
  const first = collect(rooms, text, text.length, 50_000);
  const edited = replaceInPlace(first, { start: 1, end: 2 }, encodeText("22"));
  assert.ok(edited);
  giveBack(first);
  const second = collect(rooms, text, text.length, 50_000);
  assert.ok(second.buffer !== first.buffer);
  giveBack(edited);
  giveBack(edited);
  const third = collect(rooms, text, text.length, 50_000);
  const fourth = collect(rooms, text, text.length, 50_000);
  assert.ok(third.buffer === first.buffer);
  assert.ok(fourth.buffer !== first.buffer);
  giveBack(third);
  rooms.clear();
  assert.ok(collect(rooms, text, text.length, 50_000).buffer !== first.buffer);
});
