// The test runner's reading of other processes: what must never pass for a green run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { addTally, emptyTally, formatTally, judge, type Outcome } from "./kit/tally.ts";

const bun = (stderr: string, code: number | null, stdout = ""): Outcome => ({ stdout, stderr, code });
const deno = (stdout: string, code: number | null, stderr = ""): Outcome => ({ stdout, stderr, code });

const bunSummary =
  "(fail) a: bad [0.91ms]\n\n 11 pass\n 1 skip\n 2 todo\n 3 fail\nRan 17 tests across 1 file. [24.00ms]\n";
const denoSummary = "a: ok ... ok (1ms)\n\nFAILED | 11 passed | 3 failed | 3 ignored (9ms)\n\nerror: Test failed\n";
const green = "\n 2 pass\n 0 fail\nRan 2 tests across 1 file. [3.00ms]\n";

test("tally: reads the counts of both runtimes, skipped and todo as one", () => {
  const expected = { tally: { passed: 11, failed: 3, skipped: 3 } };
  assert.deepEqual(judge("bun", bun(bunSummary, 1)), expected);
  assert.deepEqual(judge("deno", deno(denoSummary, 1)), expected);
});

test("tally: a process that ends in the middle of a test has failed, whatever its exit code", () => {
  assert.equal(judge("bun", bun("e.test.ts:\n", 0)).tally.failed, 1);
  assert.equal(judge("deno", deno("running 2 tests from ./e.test.ts\nexit ...\n", 0)).tally.failed, 1);
  assert.equal(judge("deno", deno("", null)).tally.failed, 1);
});

test("tally: a file without tests has failed", () => {
  assert.equal(judge("bun", bun("\n 0 pass\n 0 fail\nRan 0 tests across 1 file. [3.00ms]\n", 0)).tally.failed, 1);
  assert.equal(
    judge("deno", deno("running 0 tests from ./z.test.ts\n\nok | 0 passed | 0 failed (5ms)\n", 0)).tally.failed,
    1,
  );
});

test("tally: a bad exit code after green tests is a failure of its own", () => {
  assert.deepEqual(judge("bun", bun(green, 1)).tally, { passed: 2, failed: 1, skipped: 0 });
  assert.deepEqual(judge("deno", deno("ok | 2 passed | 0 failed (5ms)\n", 1)).tally, {
    passed: 2,
    failed: 1,
    skipped: 0,
  });
  assert.deepEqual(judge("bun", bun(green, 0)), { tally: { passed: 2, failed: 0, skipped: 0 } });
});

test("tally: what a test prints does not pass for a summary", () => {
  assert.equal(judge("bun", bun("e.test.ts:\n", 0, green)).tally.failed, 1);
  const printed = deno("ok | 90 passed | 0 failed (1ms)\nFAILED | 1 passed | 1 failed (1ms)\n", 1);
  assert.deepEqual(judge("deno", printed).tally, { passed: 1, failed: 1, skipped: 0 });
});

test("tally: sums are printed in the form that the continuous integration reads", () => {
  assert.equal(formatTally(addTally({ passed: 1, failed: 0, skipped: 0 }, emptyTally)), "1 passed, 0 failed");
  assert.equal(formatTally({ passed: 3, failed: 2, skipped: 1 }), "3 passed, 2 failed, 1 skipped");
});
