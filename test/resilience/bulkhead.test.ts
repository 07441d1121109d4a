// Calls in flight and in the queue against a model: never over a limit, fair, and given up at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { Bulkhead, type BulkheadTerms } from "../../lib/resilience/bulkhead.ts";
import { simulate, steps } from "./kit.ts";

const terms: BulkheadTerms = { inFlight: 4, queued: 6, inFlightEach: 3, queuedEach: 4 };
/** Lets what was resolved be heard of. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("bulkhead: a slot that is free costs no promise", () => {
  const bulkhead = new Bulkhead("b", terms);
  assert.equal(bulkhead.enter("a", new Scope()), undefined);
  assert.equal(bulkhead.inFlight, 1);
});

test("bulkhead: a full queue answers at once, and says how long to stay away", async () => {
  const bulkhead = new Bulkhead("b", { ...terms, inFlight: 1, queued: 1 });
  const scope = new Scope();
  assert.equal(bulkhead.enter("a", scope), undefined);
  const second = bulkhead.enter("a", scope);
  const failure: unknown = await bulkhead.enter("a", scope)?.catch((error: unknown) => error);
  assert.ok(failure instanceof GatewayError);
  assert.equal(failure.code, "overloaded");
  assert.equal(failure.data["sent"], false);
  assert.ok(Number(failure.data["retryAfterMs"]) >= 100);
  bulkhead.leave("a", 10);
  await second;
});

test("bulkhead: one principal's flood takes a turn, not the queue", async () => {
  const bulkhead = new Bulkhead("b", { inFlight: 1, queued: 100, inFlightEach: 100, queuedEach: 100 });
  const scope = new Scope();
  const order: string[] = [];
  void bulkhead.enter("x", scope);
  for (const key of ["flood", "flood", "flood", "flood", "a", "b"])
    void bulkhead.enter(key, scope)?.then(() => order.push(key));
  for (const key of ["x", "flood", "a", "b", "flood", "flood", "flood"]) {
    bulkhead.leave(key, 1);
    await turn();
  }
  assert.deepEqual(order, ["flood", "a", "b", "flood", "flood", "flood"]);
  assert.deepEqual([bulkhead.inFlight, bulkhead.queued], [0, 0]);
});

test("bulkhead: a caller who goes away leaves the queue at once", async () => {
  const bulkhead = new Bulkhead("b", { ...terms, inFlight: 1 });
  void bulkhead.enter("a", new Scope());
  const gone = new Scope();
  const waiting = bulkhead.enter("a", gone);
  const next = bulkhead.enter("a", new Scope());
  gone.cancel(new Error("gone"));
  assert.equal(bulkhead.queued, 1);
  await assert.rejects(waiting ?? Promise.resolve(), /gone/);
  bulkhead.leave("a", 1);
  await next;
  assert.equal(bulkhead.inFlight, 1);
});

test("bulkhead: over a million steps no limit is exceeded and nobody is forgotten", async () => {
  const world = simulate(4);
  const bulkhead = new Bulkhead("b", terms);
  const keys = ["a", "b", "c", "d", "e"];
  const inside = new Map(keys.map((key) => [key, 0]));
  const waiting = new Set<{ readonly key: string; readonly scope: Scope }>();
  let entered = 0;
  let refused = 0;
  const count = (key: string, by: number): void => void inside.set(key, (inside.get(key) ?? 0) + by);
  for (let step = 0; step < steps; step += 1) {
    const key = keys[world.below(world.chance(0.5) ? 1 : keys.length)] ?? "a";
    const what = world.below(10);
    if (what < 5 && world.chance(0.1)) {
      if (bulkhead.tryEnter(key)) count(key, 1);
    } else if (what < 5) {
      const ticket = { key, scope: new Scope() };
      const pending = bulkhead.enter(key, ticket.scope);
      if (!pending) count(key, 1);
      else {
        waiting.add(ticket);
        pending.then(
          () => {
            waiting.delete(ticket);
            count(key, 1);
            entered += 1;
          },
          () => {
            waiting.delete(ticket);
            refused += 1;
          },
        );
      }
    } else if (what < 9) {
      if ((inside.get(key) ?? 0) > 0) {
        count(key, -1);
        bulkhead.leave(key, world.below(100));
      }
    } else {
      const [first] = waiting;
      first?.scope.cancel();
    }
    assert.ok(bulkhead.inFlight <= terms.inFlight && bulkhead.queued <= terms.queued);
    if (step % 16 !== 0) continue;
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    const sum = [...inside.values()].reduce((all, each) => all + each, 0);
    assert.equal(sum, bulkhead.inFlight, `${step}`);
    assert.equal(waiting.size, bulkhead.queued, `${step}`);
    for (const each of inside.values()) assert.ok(each <= terms.inFlightEach);
    // A slot is free only where nobody who may have it waits.
    if (bulkhead.inFlight < terms.inFlight)
      for (const each of waiting) assert.equal(inside.get(each.key), terms.inFlightEach, `${step}`);
  }
  assert.ok(entered > 1000 && refused > 1000, `${entered} ${refused}`);
});
