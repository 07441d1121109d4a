// The table of errors: what people search for is said of one error alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { errorTable } from "../../lib/core/errors.ts";
import { problemTable } from "../../lib/config/problems.ts";

test("errors: a code means one thing", () => {
  const codes = [...Object.values(errorTable).map(({ id }) => id), ...Object.values(problemTable)];
  assert.deepEqual(
    codes.filter((code, at) => codes.indexOf(code) !== at),
    [],
  );
});
