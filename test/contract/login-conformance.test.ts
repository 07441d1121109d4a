// The authorization scenarios of the official conformance suite for clients: the gateway signs in to the suite's server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loginScenarios, runLogins } from "../kit/conformance-login.ts";

const limits = { timeout: 400_000 };

for (const version of ["2025-03-26", "2025-11-25", "2026-07-28"] as const)
  test(`login conformance: every scenario of ${version} passes`, limits, async () => {
    const runs = await runLogins(version);
    assert.deepEqual(Object.keys(runs).sort(), [...loginScenarios[version]].sort());
    for (const [name, { passed, bad }] of Object.entries(runs)) {
      assert.deepEqual(bad, [], name);
      // One that ends before it has looked at anything passes, too.
      assert.ok(passed >= 4, `${name}: ${passed} checks passed`);
    }
  });
