// A gateway with faults on, for a while: memory, children, sockets, timers and calls come back to where they were.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { assertTruthful } from "./kit.ts";
import { soak } from "./soak.ts";

test(
  "soak: with faults on nothing is left over",
  { skip: process.platform !== "linux" && "it reads /proc" },
  async () => {
    const { rest, seen, end, outcomes, executions, surveys, injected } = await soak(6, 3);
    assertTruthful(
      outcomes.filter(({ tool }) => tool.endsWith("add")),
      executions,
    );
    assert.ok(injected > 10 && surveys > 5, `${injected} faults, ${surveys} surveys`);
    const told = JSON.stringify([rest, ...seen, end]);
    // A short run is mostly warming up: of memory only a flood would show. The rest it has seen itself.
    assert.ok(end.rssMiB < 1.5 * Math.max(...seen.map(({ rssMiB }) => rssMiB)), told);
    assert.ok(end.timers <= rest.timers + 10 && end.deadlines <= rest.deadlines + 10, told);
  },
);
