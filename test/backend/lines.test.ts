// Lines out of a byte stream: framing, the limit, and work that grows with the bytes and not with their square.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineSplitter } from "../../lib/backend/lines.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

/** Splits chunks and gives the lines; `!` stands for a line that was too long. */
function split(chunks: readonly (string | Uint8Array)[], maxBytes = 1000): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter(
    maxBytes,
    (line) => lines.push(text(line)),
    () => lines.push("!"),
  );
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  splitter.end();
  return lines;
}

test("lines: several in a chunk, one in several chunks, with and without a return, the last without an end", () => {
  assert.deepEqual(split(["a\nb\n", "c", "", "d", "\n", "e\r", "\n\r\n\n", "f\rg\n", "h"]), [
    "a",
    "b",
    "cd",
    "e",
    "f\rg",
    "h",
  ]);
  assert.deepEqual(split([]), []);
});

test("lines: however the bytes are cut, the lines are the same", () => {
  const line = fc.string({ unit: "binary", maxLength: 30 }).map((each) => each.replaceAll(/[\r\n]/g, ""));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat({ max: 20 })), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(""));
      const chunks: Uint8Array[] = [];
      let from = 0;
      for (const cut of cuts) {
        chunks.push(bytes.subarray(from, from + cut));
        from = Math.min(bytes.length, from + cut);
      }
      chunks.push(bytes.subarray(from));
      assert.deepEqual(
        split(chunks),
        lines.map((each) => text(Buffer.from(each))).filter((each) => each !== ""),
      );
    }),
  );
});

test("lines: one that is too long is reported once and dropped, and the next one is whole", () => {
  assert.deepEqual(split(["12345", "678901", "2345", "\nok\n"], 10), ["!", "ok"]);
  assert.deepEqual(split(["1234567890\n12345678901\nok\n"], 10), ["1234567890", "!", "ok"]);
  assert.deepEqual(split(["12345678901"], 10), ["!"]);
});

test("lines: a line that comes in many pieces is searched once and copied once", () => {
  const piece = Buffer.alloc(1024, "x");
  const work = (pieces: number): number => {
    let bytes = 0;
    const concat = Buffer.concat.bind(Buffer);
    const count = (chunk: Uint8Array): Uint8Array => {
      const indexOf = chunk.indexOf.bind(chunk);
      return Object.assign(chunk, {
        indexOf: (value: number, from = 0): number => {
          bytes += chunk.length - from;
          return indexOf(value, from);
        },
      });
    };
    let lines = 0;
    const splitter = new LineSplitter(
      2 ** 30,
      () => (lines += 1),
      () => assert.fail("too long"),
    );
    Buffer.concat = (list, total) => {
      const whole = concat(list, total);
      bytes += whole.length;
      return whole;
    };
    try {
      for (let index = 0; index < pieces; index++) splitter.push(count(piece.subarray()));
      splitter.push(Buffer.from("\n"));
    } finally {
      Buffer.concat = concat;
    }
    assert.equal(lines, 1);
    return bytes;
  };
  // 2.5, 5 and 10 MiB.
  for (const pieces of [2560, 5120, 10240]) {
    const ratio = work(pieces) / (pieces * piece.length);
    assert.ok(ratio > 1 && ratio < 2.1, `${ratio} bytes of work a byte`);
  }
});
