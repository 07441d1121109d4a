// The one visible order of a call: what is sent again and what is not, where, when, and what its caller is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, errorTable, GatewayError } from "../../lib/core/errors.ts";
import { Bulkhead } from "../../lib/resilience/bulkhead.ts";
import { Execution } from "../../lib/resilience/execute.ts";
import { neverSent } from "../../lib/resilience/classes.ts";
import { Hedge } from "../../lib/resilience/hedge.ts";
import { type Answer, failing, failure, run, TestCourse } from "./execute-kit.ts";

test("execute: a call that never left is made again, also one that may not run twice", async () => {
  const course = new TestCourse(1, failing(failure("unreachable", false), failure("sessionLost", false)));
  course.repeatable = false;
  assert.deepEqual(await run(course), { outcome: "done", made: 3, mayHaveRun: false });
});

test("execute: what may have run is made again only where that is safe", async () => {
  for (const code of ["lost", "exited", "unreachable", "connectTimeout", "draining", "badProtocol"] as const) {
    for (const sent of [true, undefined]) {
      const error = failure(code, sent);
      const unsafe = new TestCourse(2, failing(error));
      unsafe.repeatable = false;
      assert.deepEqual(await run(unsafe), { outcome: error, made: 1, mayHaveRun: true }, code);
      const safe = new TestCourse(2, failing(error));
      assert.equal((await run(safe)).outcome, "done", code);
      assert.deepEqual(safe.asked, [0, 1], code);
    }
  }
});

test("execute: of all failures there are, those that no repetition mends are told at once", async () => {
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    for (const sent of [true, false]) {
      const error = failure(code, sent);
      const course = new TestCourse(1, failing(error));
      course.repeatable = false;
      const { made } = await run(course);
      assert.equal(made > 1, neverSent(error), `${code} ${sent}`);
    }
  }
});

test("execute: beyond the budget only calls of a replica that has gone away go to another one", async () => {
  const lost = failure("lost", true);
  const there = new TestCourse(2, failing(lost), 5_000, 0);
  assert.deepEqual(await run(there), { outcome: lost, made: 1, mayHaveRun: true });
  const gone = new TestCourse(
    2,
    (replica) => {
      const [first] = gone.replicas;
      if (!first || replica !== 0) return "done";
      first.up = false;
      throw lost;
    },
    5_000,
    0,
  );
  assert.deepEqual(await run(gone), { outcome: "done", made: 2, mayHaveRun: true });
  // Not more often than any other.
  const all = new TestCourse(
    5,
    (replica) => {
      const site = all.replicas[replica];
      if (site) site.up = false;
      throw lost;
    },
    5_000,
    0,
  );
  assert.deepEqual(await run(all), { outcome: lost, made: 3, mayHaveRun: true });
});

test("execute: after an attempt that may have run, one that never left does not make it safe", async () => {
  const course = new TestCourse(
    2,
    failing(failure("lost", true), failure("unreachable", false), failure("lost", true)),
  );
  const { made, mayHaveRun } = await run(course);
  assert.deepEqual([made, mayHaveRun], [4, true]);
  const once = new TestCourse(2, failing(failure("unreachable", false), failure("lost", true)));
  once.repeatable = false;
  assert.equal((await run(once)).made, 2);
});

test("execute: it is sent no more often than the limit, and no repetition is over the budget", async () => {
  const always: Answer = () => {
    throw failure("lost", true);
  };
  const course = new TestCourse(2, always);
  assert.equal((await run(course)).made, 3);
  const poor = new TestCourse(2, always, 5_000, 1);
  assert.equal((await run(poor)).made, 2);
  assert.ok(poor.steps.some((step) => step.kind === "refused" && step.why.includes("budget")));
});

test("execute: a replica that refuses is left at once, and the others are asked in turn", async () => {
  const course = new TestCourse(3, (replica) => {
    if (replica < 2) throw failure("unreachable", false);
    return "done";
  });
  assert.equal((await run(course)).outcome, "done");
  assert.deepEqual(course.asked, [0, 1, 2]);
  assert.ok(!course.steps.some((step) => step.kind === "waited"));
});

test("execute: five failures in a row open the breaker, and the replica is asked no more", async () => {
  const course = new TestCourse(2, (replica) => {
    if (replica === 0) throw failure("lost", true);
    return "done";
  });
  for (let call = 0; call < 8; call += 1) assert.equal((await run(course)).outcome, "done");
  assert.equal(course.asked.filter((replica) => replica === 0).length, 5);
});

test("execute: an answer, a timeout, and a caller who goes away open no breaker", async () => {
  const course = new TestCourse(1, (_, scope) => new Promise((_resolve, reject) => void scope.onCancel(reject)));
  for (let call = 0; call < 6; call += 1) {
    const gone = new TestCourse(1, (_, scope) => scope.race(new Promise<string>(() => {})));
    Object.assign(gone, { replicas: course.replicas });
    const pending = run(gone);
    gone.scope.cancel(new Error("went away"));
    assert.match(String((await pending).outcome), /went away/);
    assert.deepEqual(
      gone.steps.map(({ kind }) => kind),
      ["sent", "cancelled"],
    );
  }
  assert.equal(course.replicas[0]?.breaker?.state(Date.now()).kind, "closed");
});

test("execute: Retry-After is one window for all calls of the backend, and nobody waits past the deadline", async () => {
  const busy = failing(failure("unavailable", false, { retryAfterMs: 100, throttled: true }));
  const course = new TestCourse(2, busy);
  const since = Date.now();
  assert.equal((await run(course)).outcome, "done");
  assert.ok(Date.now() - since >= 95, `${Date.now() - since}`);
  const long = new TestCourse(2, failing(failure("unavailable", false, { retryAfterMs: 60_000, throttled: true })));
  const first = await run(long);
  assert.equal(first.made, 1);
  const { outcome, made } = await run(long);
  assert.ok(outcome instanceof GatewayError && made === 0);
  assert.ok(Number(outcome.data["retryAfterMs"]) > 59_000);
});

test("execute: one replica that is not ready speaks for itself alone", async () => {
  const course = new TestCourse(2, (replica) => {
    if (replica === 0) throw failure("unavailable", false, { retryAfterMs: 60_000 });
    return "done";
  });
  for (let call = 0; call < 3; call += 1) assert.equal((await run(course)).outcome, "done");
  assert.deepEqual(course.asked, [0, 1, 1, 1]);
});

test("execute: a backend that went away now is waited for, one that did so long ago is not", async () => {
  const course = new TestCourse(1, () => "done");
  const [replica] = course.replicas;
  assert.ok(replica);
  replica.up = false;
  course.lostAt = Date.now();
  let looks = 0;
  course.recovery = () => {
    looks += 1;
    if (looks < 3) return Promise.reject(failure("unavailable", false));
    replica.up = true;
    return Promise.resolve();
  };
  assert.equal((await run(course)).outcome, "done");
  const gone = new TestCourse(0, () => "done");
  gone.lostAt = Date.now() - 1_000;
  assert.deepEqual((await run(gone)).made, 0);
});

test("execute: a replica that comes up while another one cannot be reached is used", async () => {
  const course = new TestCourse(2, () => "done");
  const [, second] = course.replicas;
  assert.ok(second);
  for (const replica of course.replicas) replica.up = false;
  course.lostAt = Date.now();
  course.recovery = () => {
    second.up = true;
    course.lostAt = undefined;
    return Promise.reject(failure("unavailable", false));
  };
  assert.deepEqual(await run(course), { outcome: "done", made: 1, mayHaveRun: false });
});

test("execute: a crowd that waited for a replica comes back spread out, and each within its deadline", async () => {
  const back = Promise.withResolvers<void>();
  const first = new TestCourse(1, () => "done", 1_500);
  const [replica] = first.replicas;
  assert.ok(replica);
  replica.up = false;
  first.lostAt = Date.now();
  first.recovery = () => back.promise;
  const calls = Array.from({ length: 40 }, () => new Execution(first, first).run());
  // One with less time has given up: most of theirs is over.
  const brief = new TestCourse(1, () => "done", 900);
  for (const each of brief.replicas) each.up = false;
  brief.lostAt = Date.now();
  brief.recovery = () => brief.scope.race(new Promise(() => {}));
  assert.notEqual((await run(brief)).outcome, "done");
  replica.up = true;
  back.resolve();
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(["done"]));
  assert.equal(first.waiting, 0);
});

test("execute: a deadline while it waits ends the wait, and says that nothing was sent", async () => {
  const course = new TestCourse(0, () => "done", 80);
  course.lostAt = Date.now();
  const since = Date.now();
  const { outcome, made, mayHaveRun } = await run(course);
  assert.ok(outcome instanceof GatewayError && outcome.code === "callTimeout");
  assert.deepEqual([made, mayHaveRun], [0, false]);
  assert.ok(Date.now() - since < 3_000);
});

test("execute: a cancelled caller frees its slot at once", async () => {
  const course = new TestCourse(1, (_, scope) => scope.race(new Promise<string>(() => {})));
  course.bulkhead = new Bulkhead("b", { inFlight: 1, queued: 1, inFlightEach: 1, queuedEach: 1 });
  const pending = run(course);
  await new Promise((resolve) => void setImmediate(resolve));
  assert.equal(course.bulkhead.inFlight, 1);
  course.scope.cancel(new Error("went away"));
  await pending;
  assert.equal(course.bulkhead.inFlight, 0);
});

test("execute: a slow call is hedged to another replica, and the loser is cancelled", async () => {
  let cancelled = 0;
  const course = new TestCourse(2, (replica, scope) => {
    if (replica === 1) return "fast";
    scope.onCancel(() => void (cancelled += 1));
    return new Promise(() => {});
  });
  course.hedge = new Hedge({ quantile: 0.5, minMs: 20, share: 1 });
  for (let call = 0; call < 20; call += 1) course.hedge.note(1);
  assert.equal((await run(course)).outcome, "fast");
  assert.deepEqual([course.asked, cancelled], [[0, 1], 1]);
  const unsafe = new TestCourse(2, (_, scope) => scope.race(new Promise<string>(() => {})), 100);
  unsafe.repeatable = false;
  unsafe.hedge = course.hedge;
  await run(unsafe);
  assert.deepEqual(unsafe.asked, [0]);
});

test("execute: a call that is answered in time leaves no timer for its second attempt", async () => {
  const course = new TestCourse(2, () => "done");
  course.hedge = new Hedge({ quantile: 0.5, minMs: 60_000, share: 1 });
  for (let call = 0; call < 20; call += 1) course.hedge.note(1);
  const { setTimeout: begin, clearTimeout: stop } = globalThis;
  const held = new Set<unknown>();
  const counted = (action: () => void, ms: number): unknown => {
    const timer = begin(action, ms);
    if (ms === 60_000) held.add(timer);
    return timer;
  };
  const stopped = (timer: ReturnType<typeof setTimeout>): void => {
    held.delete(timer);
    stop(timer);
  };
  Object.assign(globalThis, { setTimeout: counted, clearTimeout: stopped });
  try {
    assert.equal((await run(course)).outcome, "done");
  } finally {
    Object.assign(globalThis, { setTimeout: begin, clearTimeout: stop });
  }
  assert.equal(held.size, 0);
});

test("execute: a slow call is hedged later, where nobody else was there at first", async () => {
  const course = new TestCourse(2, (replica, scope) =>
    replica === 1 ? "fast" : scope.race(new Promise<string>(() => {})),
  );
  const [, other] = course.replicas;
  assert.ok(other);
  // Looked at for the first attempt, and then for the second one.
  let looks = 0;
  Object.defineProperty(other, "up", { get: () => (looks += 1) > 4 });
  course.hedge = new Hedge({ quantile: 0.5, minMs: 5, share: 1 });
  for (let call = 0; call < 20; call += 1) course.hedge.note(1);
  assert.equal((await run(course)).outcome, "fast");
  assert.deepEqual([course.asked, looks], [[0, 1], 5]);
});

test("execute: a second attempt at the same time has a place of its own, or is not made", async () => {
  for (const inFlight of [1, 2]) {
    const course = new TestCourse(
      2,
      (replica, scope) => (replica === 1 ? "fast" : scope.race(new Promise<string>(() => {}))),
      150,
    );
    course.bulkhead = new Bulkhead("b", { inFlight, queued: 0, inFlightEach: inFlight, queuedEach: 0 });
    course.hedge = new Hedge({ quantile: 0.5, minMs: 20, share: 1 });
    for (let call = 0; call < 20; call += 1) course.hedge.note(1);
    await run(course);
    assert.deepEqual(course.asked, inFlight === 1 ? [0] : [0, 1]);
    assert.equal(course.bulkhead.inFlight, 0);
  }
});
