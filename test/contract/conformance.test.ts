// The official conformance suite: directly against the fixture, and through the gateway over both kinds of link.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  countChecks,
  formatTable,
  lostChecks,
  readExceptions,
  runSuite,
  specVersions,
  startGateway,
} from "../kit/conformance.ts";
import type { BackendConfig, Run, SpecVersion } from "../kit/conformance.ts";
import { runtimeCommand, startHttpServer } from "../kit/process.ts";

type Runs = Readonly<Record<SpecVersion, Run>>;

/** A whole suite takes three seconds on an idle machine, and Bun's own limit for a test is five. */
const limits = { timeout: 120_000 };

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

async function runDirect(): Promise<Runs> {
  await using fixture = await startHttpServer();
  return await runAll(fixture.url);
}

async function runThrough(backend: BackendConfig): Promise<Runs> {
  await using gateway = await startGateway(backend);
  return await runAll(gateway.url);
}

async function runThroughHttp(): Promise<Runs> {
  await using fixture = await startHttpServer();
  return await runThrough({ url: fixture.url });
}

function runThroughStdio(): Promise<Runs> {
  const [command, args] = runtimeCommand("test/kit/fixture-server.ts", "stdio");
  return runThrough({ command, args });
}

/** Starts the work at the first call and gives its promise to every later one. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  const started: { run?: Promise<T> } = {};
  return () => (started.run ??= work());
}

const direct = once(runDirect);
const links = { http: once(runThroughHttp), stdio: once(runThroughStdio) };

async function assertNothingLost(link: keyof typeof links): Promise<void> {
  const [before, after, exceptions] = [await direct(), await links[link](), await readExceptions()];
  const excused = new Set(exceptions.filter((one) => one.links.includes(link)).map(({ key }) => key));
  const lost = specVersions.flatMap((version) =>
    lostChecks(before[version], after[version]).map((check) => ({ version, ...check })),
  );
  assert.deepEqual(
    lost.filter(({ key }) => !excused.has(key)),
    [],
  );
  const unused = [...excused].filter((key) => !lost.some((check) => check.key === key));
  assert.deepEqual(unused, [], "exceptions that are no longer needed");
}

test("conformance: the fixture server passes every check directly", limits, async () => {
  const runs = await direct();
  for (const version of specVersions) {
    const failed = [...runs[version].checks.values()].filter(({ status }) => status === "FAILURE");
    assert.deepEqual(failed, [], version);
    assert.equal(countChecks(runs[version], "SUCCESS"), expectedSuccesses[version], version);
  }
});

test("conformance: a comparison finds a check that got worse and one that did not run", limits, async () => {
  const { "2025-03-26": run } = await direct();
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

test("conformance: nothing is lost through the gateway over HTTP", limits, () => assertNothingLost("http"));

test("conformance: nothing is lost through the gateway over stdio", limits, () => assertNothingLost("stdio"));

test("conformance: numbers side by side", limits, async () => {
  const [one, http, stdio] = [await direct(), await links.http(), await links.stdio()];
  const rows = specVersions.map((version) => ({
    version,
    runs: { direct: one[version], "via http link": http[version], "via stdio link": stdio[version] },
  }));
  console.log(formatTable(rows));
});
