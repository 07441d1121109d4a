// The client scenarios of the official conformance suite: it serves, and an SDK client comes directly or through the gateway.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countChecks, modernVersion } from "../kit/conformance.ts";
import type { Run } from "../kit/conformance.ts";
import { clientScenarios, runClientSuite } from "../kit/conformance-client.ts";
import { once } from "../kit/conformance-gateway.ts";
import { assertPassed } from "../kit/conformance-report.ts";

/** Every scenario starts a client, a gateway and a server. */
const limits = { timeout: 300_000 };

/** A modern client has no handshake. */
const notSuccess = {
  "http-standard-headers/sep-2243-client-includes-standard-headers#10": "SKIPPED",
  "http-standard-headers/sep-2243-client-includes-standard-headers#11": "SKIPPED",
};

const eras = ["legacy", "modern"] as const;
const versions = [modernVersion, "2025-11-25"] as const;

const runs = {
  [modernVersion]: once(() => runClientSuite(modernVersion, clientScenarios[modernVersion])),
  "2025-11-25": once(() => runClientSuite("2025-11-25", clientScenarios["2025-11-25"])),
};

/** How often each check of each scenario has passed; the gateway makes requests of its own, which are checked as well. */
function successes(run: Run): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { key, status } of run.checks.values()) {
    const check = key.replace(/#\d+$/, "");
    if (status === "SUCCESS") counts.set(check, (counts.get(check) ?? 0) + 1);
  }
  return counts;
}

test("client conformance: every client scenario passes without the gateway", limits, async () => {
  assertPassed(await runs[modernVersion](), { scenarios: 8, successes: 64 }, notSuccess);
  const legacy = await runs["2025-11-25"]();
  // The rest of the checks is a log of what was sent.
  assert.deepEqual([countChecks(legacy, "SUCCESS"), countChecks(legacy, "FAILURE")], [20, 0]);
});

for (const version of versions) {
  for (const era of eras) {
    const name = `client conformance: the scenarios of ${version} pass for a ${era} client of the gateway`;
    test(name, limits, async () => {
      const before = await runs[version]();
      const after = await runClientSuite(version, clientScenarios[version], ["--gateway", "--era", era]);
      const bad = [...after.checks.values()].filter(({ status }) => status === "FAILURE" || status === "WARNING");
      assert.deepEqual(bad, []);
      const passed = successes(after);
      const lost = [...successes(before)].filter(([check, count]) => (passed.get(check) ?? 0) < count);
      assert.deepEqual(lost, []);
    });
  }
}
