// Long strings are skipped in words: whatever stands in them must be seen, wherever it stands.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { scan } from "../../lib/core/envelope.ts";
import { encodeText } from "../../lib/core/text.ts";

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test("json: a long string is judged as JSON.parse judges it, wherever something stands in it", () => {
  const marks = [
    '"',
    "\\",
    "\\n",
    '\\"',
    "\\q",
    "\u0000",
    "\u001f",
    "\t",
    "\n",
    " ",
    "!",
    "\u007f",
    "é",
    "𝄞",
    "\u2028",
  ];
  const rest = "y".repeat(700);
  for (const mark of marks) {
    for (const at of [15, 16, 17, 130, 511, 512, 527, 528, 529, 530, 531, 700, 701, 1023, 1400]) {
      for (const text of [
        "x".repeat(at) + mark + rest,
        `${"x".repeat(at)}${mark}`,
        "é".repeat(at) + mark + rest + mark,
      ]) {
        for (const pad of ["", " ", "  ", "   "]) {
          const message = `${pad}{"jsonrpc":"2.0","id":1,"result":{"a":"${text}"}}`;
          assert.equal(scan(encodeText(message)).kind, isJson(message) ? "message" : "malformed", `${mark} at ${at}`);
        }
      }
    }
  }
});

test("json: a megabyte of short lines in one string takes time linear in its length", () => {
  const message = (lines: number): Uint8Array =>
    encodeText(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { text: `${"x".repeat(900)}\n`.repeat(lines) } }));
  const [small, large] = [message(200), message(3200)];
  const cost = (bytes: Uint8Array): number => {
    const times = Array.from({ length: 10 }, () => {
      const before = process.cpuUsage();
      assert.equal(scan(bytes).kind, "message");
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    });
    return Math.min(...times);
  };
  cost(small);
  assert.ok(cost(large) < 60 * cost(small) + 20);
});
