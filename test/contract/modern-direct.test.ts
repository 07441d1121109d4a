// The official conformance suite of the modern era, directly against the modern fixture server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countChecks, modernVersion, runExtensions, runSuite } from "../kit/conformance.ts";
import { clientScenarios, runClientSuite } from "../kit/conformance-client.ts";
import type { Run } from "../kit/conformance.ts";
import { startHttpServer } from "../kit/process.ts";

const script = "test/kit/modern-server.ts";

/** A whole suite takes some seconds on an idle machine, and Bun's own limit for a test is five. */
const limits = { timeout: 120_000 };

/** Checks that are no success directly: key, status. Each has its reason in the suite itself. */
const notSuccess = {
  // tools/list is answered as JSON, and the check wants nothing more than to note that it is no stream.
  "server-sse-multiple-streams/server-sse-streams-functional#1": "INFO",
  // The suite has no harness for notifications/tasks and skips the scenario.
  "tasks-status-notifications/tasks-status-notifications#1": "SKIPPED",
  // A modern client has no handshake.
  "http-standard-headers/sep-2243-client-includes-standard-headers#10": "SKIPPED",
  "http-standard-headers/sep-2243-client-includes-standard-headers#11": "SKIPPED",
};

function assertPassed(run: Run, expected: { readonly scenarios: number; readonly successes: number }): void {
  const others = [...run.checks.values()].filter(({ status }) => status !== "SUCCESS");
  const unexpected = others.filter(({ key, status }) => Reflect.get(notSuccess, key) !== status);
  assert.deepEqual(unexpected, []);
  // Fewer would mean that scenarios have passed empty.
  assert.deepEqual({ scenarios: run.scenarios, successes: countChecks(run, "SUCCESS") }, expected);
}

test("modern fixture: every check of the revision passes directly", limits, async () => {
  await using fixture = await startHttpServer(script);
  assertPassed(await runSuite(fixture.url, modernVersion), { scenarios: 40, successes: 152 });
});

test("modern fixture: every check of the extensions passes directly", limits, async () => {
  await using fixture = await startHttpServer(script, ["--skills"]);
  assertPassed(await runExtensions(fixture.url), { scenarios: 13, successes: 89 });
});

test("modern fixture: with both eras, the checks of both pass directly", limits, async () => {
  await using fixture = await startHttpServer(script, ["--both"]);
  assertPassed(await runSuite(fixture.url, modernVersion), { scenarios: 40, successes: 152 });
  const legacy = await runSuite(fixture.url, "2025-11-25");
  assert.equal(countChecks(legacy, "FAILURE"), 0);
  // Less than the 1.x fixture: no event store, so nothing to resume.
  assert.equal(countChecks(legacy, "SUCCESS"), 81);
});

test("suite client: every client scenario passes without the gateway", limits, async () => {
  const modern = await runClientSuite(modernVersion, clientScenarios[modernVersion]);
  assertPassed(modern, { scenarios: 8, successes: 64 });
  const legacy = await runClientSuite("2025-11-25", clientScenarios["2025-11-25"]);
  // The rest of the checks is a log of what was sent.
  assert.deepEqual([countChecks(legacy, "SUCCESS"), countChecks(legacy, "FAILURE")], [20, 0]);
});
