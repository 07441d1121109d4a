// A gateway with faults on, for a while: memory, children, sockets, timers and calls come back to where they were.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { assertTruthful } from "./kit.ts";
import { soak, steadyChildren } from "./soak.ts";

test(
  "soak: with faults on nothing is left over",
  { skip: process.platform !== "linux" && "it reads /proc" },
  async () => {
    const { seen, end, outcomes, executions, surveys, injected } = await soak(6, 3);
    assertTruthful(
      outcomes.filter(({ tool }) => tool.endsWith("add")),
      executions,
    );
    assert.ok(injected > 10 && surveys > 5, `${injected} faults, ${surveys} surveys`);
    assert.deepEqual([end.calls, end.parked, end.children], [0, 0, steadyChildren]);
    const [first] = seen;
    assert.ok(first);
    const told = JSON.stringify([...seen, end]);
    // A short run is mostly warming up: of memory only a flood would show.
    assert.ok(end.rssMiB < 1.5 * Math.max(...seen.map(({ rssMiB }) => rssMiB)), told);
    assert.ok(end.sockets <= first.sockets + 10 && end.timers <= first.timers + 10, told);
    assert.ok(end.intervals <= first.intervals && end.deadlines <= first.deadlines + 10, told);
  },
);
