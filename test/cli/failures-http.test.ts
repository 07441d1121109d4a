// Each command against each way in which an address fails, be it a server's or a gateway's; and a gateway before all of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { formsOf, limits, neverMs, openWorld, testFailures, waiters, workers } from "./failure-cells.ts";
import { assertError, exitOf, runCell } from "./failure-run.ts";
import { checkServe } from "./failure-serve.ts";
import { asking, failures, noGateways } from "./failure-table.ts";

const world = await openWorld();
const { program, urls } = world;

testFailures(
  failures.filter(({ where }) => where === "address"),
  world,
);

for (const [row, answer] of noGateways.entries()) {
  const cells = asking.flatMap((command, column) => formsOf(command, row + column).map((form) => ({ command, form })));
  const done = Promise.allSettled(
    cells.map(({ command, form }) => {
      const outcome = answer.except?.[command.name] ?? answer.code;
      // Either nobody answers, or what is waited for does not come.
      const isWaiting = answer.name === "hangs" || outcome === "E4107";
      return (isWaiting ? waiters : workers).do(async () => {
        const words = command.args.map((word) => word.replace("URL", answer.url(urls)));
        const args = [...words, "-o", form, "--timeout", isWaiting ? "1500ms" : `${neverMs}ms`];
        const ended = await runCell(program, `${answer.name}, ${command.name} -o ${form}`, args);
        assert.deepEqual([ended.code, ended.stdout], [exitOf(outcome), ""], ended.told);
        assertError(ended.stderr, outcome, form, ended.told);
      });
    }),
  );
  test(`failures: a gateway that is none: ${answer.name}, in ${cells.length} ways`, limits, async () => {
    for (const outcome of await done) if (outcome.status === "rejected") throw outcome.reason;
  });
}

for (const format of ["human", "json"] as const) {
  const done = Promise.allSettled([waiters.do(() => checkServe(program, urls, format))]);
  test(`failures: serve starts with all of them, and tells the truth, log ${format}`, limits, async () => {
    for (const outcome of await done) if (outcome.status === "rejected") throw outcome.reason;
  });
}
