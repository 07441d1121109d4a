// What is done when a turn is over, and in which order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TurnEnd } from "../../lib/core/turn-end.ts";

/** Turns that are over when the test says so. */
class Turns {
  /** What waits for the end of this one. */
  readonly waiting: (() => void)[] = [];
  readonly end: TurnEnd = new TurnEnd((run) => void this.waiting.push(run));
  readonly done: string[] = [];

  over(): void {
    for (const run of this.waiting.splice(0)) run();
  }

  does(what: string): () => void {
    return () => void this.done.push(what);
  }
}

test("turn end: what the first ones bring is done behind them, and what that brings in the next turn", () => {
  const turns = new Turns();
  for (const name of ["one", "two"]) {
    turns.end.addFirst(() => {
      turns.done.push(name);
      turns.end.add(() => {
        turns.done.push(`brought by ${name}`);
        turns.end.add(turns.does("next"));
      });
    });
  }
  turns.end.add(turns.does("other"));
  assert.equal(turns.waiting.length, 2);
  turns.over();
  assert.deepEqual(turns.done.splice(0), ["one", "two", "brought by one", "brought by two", "other"]);
  turns.over();
  assert.deepEqual(turns.done, ["next", "next"]);
  assert.equal(turns.waiting.length, 0);
});

test("turn end: one that fails keeps none of the others from what they have to do", () => {
  const turns = new Turns();
  const fail = (): void => {
    turns.done.push("failed");
    throw new Error("a bug");
  };
  turns.end.addFirst(() => {
    turns.end.addFirst(turns.does("again"));
    turns.end.add(fail);
    turns.end.add(turns.does("brought"));
    fail();
  });
  turns.end.addFirst(turns.does("second"));
  assert.throws(() => turns.over(), /a bug/);
  assert.deepEqual(turns.done.splice(0), ["failed", "second", "failed", "brought"]);
  turns.over();
  assert.deepEqual(turns.done, ["again"]);
  assert.equal(turns.waiting.length, 0);
});
