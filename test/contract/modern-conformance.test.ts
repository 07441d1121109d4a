// The official conformance suite of the modern era and of its extensions: directly against the modern fixture, and through
// the gateway over backends of both eras and links.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countChecks, modernVersion, runExtensions, runSuite } from "../kit/conformance.ts";
import type { Run } from "../kit/conformance.ts";
import { childOf, direct, legacyFixture, links, modernFixture, once, through } from "../kit/conformance-gateway.ts";
import type { Fixture } from "../kit/conformance-gateway.ts";
import { assertExcused, assertPassed, report } from "../kit/conformance-report.ts";

/** A whole suite takes some seconds on an idle machine, and Bun's own limit for a test is five. */
const limits = { timeout: 300_000 };

const expected = { scenarios: 40, successes: 152 };
const expectedOfExtensions = { scenarios: 13, successes: 89 };

/** Checks that are no success directly: key, status. Each has its reason in the suite itself. */
const notSuccess = {
  // tools/list is answered as JSON, and the check wants nothing more than to note that it is no stream.
  "server-sse-multiple-streams/server-sse-streams-functional#1": "INFO",
  // The suite has no harness for notifications/tasks and skips the scenario.
  "tasks-status-notifications/tasks-status-notifications#1": "SKIPPED",
};

const both: Fixture = { ...modernFixture, flags: ["--both"] };
const skilled: Fixture = { ...modernFixture, flags: ["--skills"] };

const run = (url: string): Promise<Run> => runSuite(url, modernVersion);

const directly = once(() => direct(modernFixture, run));

const backends = [
  ...links.map((link) => [`legacy ${link}`, once(() => through(legacyFixture, link, run))] as const),
  ...links.map((link) => [`modern ${link}`, once(() => through(modernFixture, link, run))] as const),
];

const others = { other: childOf(legacyFixture), again: childOf(modernFixture) };

/** At the same time: scenarios of tasks wait a lot. Directly, over both links, and beside other backends. */
const extensions = once(() =>
  Promise.all([
    direct(skilled, runExtensions),
    ...links.map((link) => through(skilled, link, runExtensions)),
    through(skilled, "http", runExtensions, { others }),
  ]),
);

test("modern conformance: the fixture server passes every check directly", limits, async () => {
  assertPassed(await directly(), expected, notSuccess);
});

for (const [backend, runs] of backends) {
  test(`modern conformance: nothing is lost through the gateway with a ${backend} backend`, limits, async () => {
    await assertExcused("modern", backend, [[await directly(), await runs()]]);
  });
}

test("modern conformance: nothing is lost beside other backends, of both eras", limits, async () => {
  const after = await through(modernFixture, "http", run, { others });
  await assertExcused("modern", "modern http", [[await directly(), after]]);
});

test("modern conformance: a server of both eras passes the checks of both directly", limits, async () => {
  await direct(both, async (url) => {
    assertPassed(await run(url), expected, notSuccess);
    const legacy = await runSuite(url, "2025-11-25");
    assert.equal(countChecks(legacy, "FAILURE"), 0);
    // Less than the 1.x fixture: no event store, so nothing to resume.
    assert.equal(countChecks(legacy, "SUCCESS"), 81);
  });
});

test("modern conformance: a server of both eras is spoken to in the modern one", limits, async () => {
  assertPassed(await through(both, "http", run), expected, notSuccess);
});

test(
  "modern conformance: every check of the extensions passes, directly, over both links and beside others",
  limits,
  async () => {
    for (const each of await extensions()) assertPassed(each, expectedOfExtensions, notSuccess);
  },
);

test("modern conformance: the README shows the numbers of the revision and the extensions", limits, async () => {
  const [before, ...after] = await Promise.all([directly(), ...backends.map(([, runs]) => runs())]);
  report(modernVersion, before, after);
  const [extended, http, stdio] = await extensions();
  report("extensions", extended, [undefined, undefined, http, stdio]);
});
