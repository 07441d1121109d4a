// A call's signs of life: none for long ends it, each one gives it time, and a question to its client stops the clock.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Signs } from "../../lib/backend/signs.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";

/** Runs with a clock that only moves when it is told to. */
function timed(run: (scope: Scope, signs: Signs, pass: (ms: number) => void) => void, idleMs = 50): void {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  try {
    const scope = new Scope();
    using signs = new Signs("b", { firstMs: 100, idleMs }, scope);
    run(scope, signs, (ms) => mock.timers.tick(ms));
  } finally {
    mock.timers.reset();
  }
}

function whyOf({ reason }: Scope): unknown {
  return reason instanceof GatewayError ? [reason.code, reason.data["sign"], reason.data["sent"]] : reason;
}

test("signs: a call without any is over after its first time", () => {
  timed((scope, _signs, pass) => {
    pass(99);
    assert.equal(scope.cancelled, false);
    pass(1);
    assert.deepEqual(whyOf(scope), ["callTimeout", "first", true]);
  });
});

test("signs: each one gives a call its idle time anew", () => {
  timed((scope, signs, pass) => {
    pass(90);
    for (let sign = 0; sign < 20; sign += 1) {
      signs.heard();
      pass(49);
      assert.equal(scope.cancelled, false, `${sign}`);
    }
    pass(1);
    assert.deepEqual(whyOf(scope), ["callTimeout", "idle", true]);
  });
});

test("signs: the time that is over is told, also where both are the same", () => {
  const why = (isHeard: boolean): unknown => {
    let found: unknown;
    timed((scope, signs, pass) => {
      if (isHeard) signs.heard();
      pass(100);
      found = whyOf(scope);
    }, 100);
    return found;
  };
  assert.deepEqual(
    [why(false), why(true)],
    [
      ["callTimeout", "first", true],
      ["callTimeout", "idle", true],
    ],
  );
});

test("signs: while its client is asked a call has all the time there is", () => {
  timed((scope, signs, pass) => {
    signs.asked();
    pass(1_000_000);
    assert.equal(scope.cancelled, false);
    signs.heard();
    pass(50);
    assert.equal(scope.cancelled, true);
  });
});

test("signs: of a call that is over nothing is left", () => {
  timed((scope, signs, pass) => {
    signs[Symbol.dispose]();
    pass(1_000);
    assert.equal(scope.cancelled, false);
  });
});
