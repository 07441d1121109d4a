// Each command against each way in which a program fails, in each form: exit code, code, cause and fix, time, nothing left.
import { openWorld, testFailures } from "./failure-cells.ts";
import { failures } from "./failure-table.ts";

testFailures(
  failures.filter(({ where }) => where === "program"),
  await openWorld(),
);
