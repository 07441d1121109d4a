// The official conformance suite of the legacy era: directly against the 1.x fixture, and through the gateway over backends
// of both eras and links.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countChecks, runSuite, specVersions } from "../kit/conformance.ts";
import type { Run, SpecVersion } from "../kit/conformance.ts";
import { direct, legacyFixture, links, modernFixture, once, through } from "../kit/conformance-gateway.ts";
import { assertExcused, lostChecks, report } from "../kit/conformance-report.ts";

type Runs = Readonly<Record<SpecVersion, Run>>;

/** A whole suite takes three seconds on an idle machine, and Bun's own limit for a test is five. */
const limits = { timeout: 300_000 };

/** How many checks the suite makes of a full server; fewer would mean that scenarios have passed empty. */
const expectedSuccesses: Readonly<Record<SpecVersion, number>> = {
  "2025-11-25": 84,
  "2025-06-18": 56,
  "2025-03-26": 3,
};

async function runAll(url: string): Promise<Runs> {
  return {
    "2025-11-25": await runSuite(url, "2025-11-25"),
    "2025-06-18": await runSuite(url, "2025-06-18"),
    "2025-03-26": await runSuite(url, "2025-03-26"),
  };
}

const directly = once(() => direct(legacyFixture, runAll));

const backends = [
  ...links.map((link) => [`legacy ${link}`, once(() => through(legacyFixture, link, runAll))] as const),
  ...links.map((link) => [`modern ${link}`, once(() => through(modernFixture, link, runAll))] as const),
];

test("conformance: the fixture server passes every check directly", limits, async () => {
  const runs = await directly();
  for (const version of specVersions) {
    const failed = [...runs[version].checks.values()].filter(({ status }) => status === "FAILURE");
    assert.deepEqual(failed, [], version);
    assert.equal(countChecks(runs[version], "SUCCESS"), expectedSuccesses[version], version);
  }
});

test("conformance: a comparison finds a check that got worse and one that did not run", limits, async () => {
  const { "2025-03-26": run } = await directly();
  const [first, second] = run.checks.keys();
  assert.ok(first !== undefined && second !== undefined);
  const worse = new Map(run.checks);
  worse.set(first, { key: first, status: "WARNING", message: "" });
  worse.delete(second);
  assert.deepEqual(
    lostChecks(run, { ...run, checks: worse }).map(({ key, status }) => `${key} ${status}`),
    [`${first} WARNING`, `${second} ABSENT`],
  );
});

for (const [backend, runs] of backends) {
  test(`conformance: nothing is lost through the gateway with a ${backend} backend`, limits, async () => {
    const [before, after] = [await directly(), await runs()];
    const pairs = specVersions.map((version): [Run, Run] => [before[version], after[version]]);
    await assertExcused("legacy", backend, pairs);
  });
}

test("conformance: a server of both eras that is held to the legacy one loses nothing", limits, async () => {
  const both = { ...modernFixture, flags: ["--both"] };
  const run = (url: string): Promise<Run> => runSuite(url, "2025-11-25");
  const [before, after] = [
    await direct(both, run),
    await through(both, "http", run, { backend: { protocol: "legacy" } }),
  ];
  await assertExcused("legacy", "both http", [[before, after]]);
});

test("conformance: the README shows the numbers of the legacy revisions", limits, async () => {
  const [before, ...after] = await Promise.all([directly(), ...backends.map(([, runs]) => runs())]);
  for (const version of specVersions)
    report(
      version,
      before[version],
      after.map((runs) => runs[version]),
    );
});
