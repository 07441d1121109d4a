// Aliases of YAML: what is written once and used twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { planOf } from "./kit.ts";

test("load: an alias is a copy of what it names", async () => {
  const text =
    "backends:\n  a: &a { url: http://h/, headers: &h { X: y } }\n  b: *a\n  c: { url: http://i/, headers: *h }\n";
  const { backends } = await planOf("a.yaml", text);
  assert.deepEqual(backends[1]?.replicas, backends[0]?.replicas);
  assert.deepEqual(backends[2]?.replicas, [{ kind: "http", url: "http://i/", headers: { X: "y" } }]);
});
