// Asking all processes: who asks goes on as soon as all have answered, whatever comes first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../../lib/core/scope.ts";
import { connectBuses } from "./buses.ts";

const nothing = { head: {}, body: new Uint8Array() };

const nodes = ["0000000a", "0000000b", "0000000c"];

for (const early of [0, 1, 2])
  test(`bus: all are asked, and ${early} answers are there before it is known how many come`, async () => {
    const answered = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const release = Promise.withResolvers<void>();
    const [asking, ...others] = connectBuses(nodes, () => release.promise);
    assert.ok(asking);
    let answers = 0;
    for (const [at, bus] of others.entries())
      bus.answer("changed", async () => {
        if (at >= early) await release.promise;
        setImmediate(() => answered[at]?.resolve());
        answers += 1;
        return nothing;
      });
    using scope = new Scope(undefined);
    const asked = asking.askAll("changed", {}, scope);
    await Promise.all(answered.slice(0, early).map(({ promise }) => promise));
    assert.equal(answers, early);
    release.resolve();
    await asked;
    assert.equal(answers, 2);
  });
