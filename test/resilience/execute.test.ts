// What is tried again: only what was never sent, only so often, and never after an answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, errorTable, GatewayError } from "../../lib/core/errors.ts";
import { execute, neverSent } from "../../lib/resilience/execute.ts";

const fail = (code: ErrorCode, sent?: boolean): GatewayError =>
  new GatewayError(code, "it failed", sent === undefined ? {} : { data: { sent } });

/** Runs attempts that fail with these errors in turn and then succeed; resolves to how many were made. */
async function attemptsMade(
  errors: readonly unknown[],
  limit = 3,
): Promise<{ readonly made: number; readonly outcome: unknown }> {
  let made = 0;
  const outcome = await execute(limit, async () => {
    const error = errors[made++];
    if (error !== undefined) throw error;
    return "done";
  }).catch((error: unknown) => error);
  return { made, outcome };
}

test("execute: a call that never left is made again, up to the limit, and the last failure is told", async () => {
  assert.deepEqual(await attemptsMade([fail("unreachable", false), fail("sessionLost", false)]), {
    made: 3,
    outcome: "done",
  });
  const last = fail("exited", false);
  assert.deepEqual(await attemptsMade([fail("exited", false), fail("exited", false), last]), {
    made: 3,
    outcome: last,
  });
});

test("execute: what was sent, or may have been, is never made again", async () => {
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    for (const error of [fail(code, true), fail(code)]) {
      assert.equal(neverSent(error), false, code);
      assert.deepEqual(await attemptsMade([error]), { made: 1, outcome: error });
    }
  }
});

test("execute: a backend that is known to be down, a timeout and a foreign error are not tried again", async () => {
  for (const error of [fail("unavailable", false), fail("callTimeout", true), new Error("cancelled"), "reason"]) {
    assert.deepEqual(await attemptsMade([error]), { made: 1, outcome: error });
  }
});
