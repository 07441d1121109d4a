// Messages in other bytes that are kept: what they keep with them is little.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keptPart, type Part, partBytes } from "../../lib/core/part.ts";

const by = Buffer.from("new");
const textOf = (part: Part): string => Buffer.from(partBytes(part)).toString();

test("part: one that is kept reads the same, and keeps no large bytes that it lies in", () => {
  const small = new Uint8Array(Buffer.from("5\r\n<an old message>\r\n"));
  const large = new Uint8Array(100_000);
  large.set(small);
  for (const [bytes, keepsMore] of [
    [small, true],
    [large, false],
    [Buffer.concat([new Uint8Array(8), small]).subarray(8), false],
  ] as const) {
    const part = { bytes, start: 3, end: 19, cut: 7, cutEnd: 10, by };
    const kept = keptPart(part);
    assert.equal(textOf(part), "<an new message>");
    assert.equal(textOf(kept), "<an new message>");
    if (!keepsMore) assert.deepEqual([kept.bytes.length, kept.bytes.byteOffset], [16, 0]);
  }
});

test("part: a copy has nothing of the bytes that are used again", () => {
  const bytes = new Uint8Array(Buffer.from(`<an old message>${" ".repeat(1_000)}`));
  const kept = keptPart({ bytes, start: 0, end: 16, cut: 4, cutEnd: 7, by });
  bytes.fill(0);
  assert.equal(textOf(kept), "<an new message>");
});
