// Asking all processes: who asks goes on as soon as all have answered, whatever comes first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Bus } from "../../lib/cluster/bus.ts";
import { Scope } from "../../lib/core/scope.ts";
import { Sealer } from "../../lib/core/seal.ts";
import type { Wire } from "../../lib/core/wire.ts";

const sealKey = "0123456789abcdef";
const nothing = { head: {}, body: new Uint8Array() };

/** Processes in one; what is sent to all is there at once, and how many it has reached is said when `counted` lets it. */
function connect(nodes: readonly string[], counted: () => Promise<unknown>): Bus[] {
  const hearers = new Map<string, (text: string) => void>();
  return nodes.map((node) => {
    const wire: Pick<Wire, "node" | "start" | "send"> = {
      node,
      start: (hear) => void hearers.set(node, hear),
      send: async (to, text) => {
        const reached = [...hearers].filter(([name]) => to === undefined || name === to);
        for (const [, hear] of reached) hear(text);
        if (to === undefined) await counted();
        return reached.length;
      },
    };
    const bus = new Bus({ ...unused, ...wire }, new Sealer([sealKey]));
    bus.start(() => {});
    return bus;
  });
}

const never = (): Promise<never> => Promise.reject(new Error("nobody asks for this"));
const unused: Wire = {
  node: "",
  label: "",
  state: { kind: "up", since: 0 },
  start: () => {},
  send: never,
  count: never,
  read: never,
  write: never,
  erase: never,
  lease: never,
  add: never,
  close: () => Promise.resolve(),
};

const nodes = ["0000000a", "0000000b", "0000000c"];

for (const early of [0, 1, 2])
  test(`bus: all are asked, and ${early} answers are there before it is known how many come`, async () => {
    const answered = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const release = Promise.withResolvers<void>();
    const [asking, ...others] = connect(nodes, () => release.promise);
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
