// The load generator against servers that stall, forget sessions and fail, over each way to reach them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../../lib/core/scope.ts";
import { Bench, type BenchOptions, type Round } from "../../lib/ops/bench.ts";
import { compileCase } from "../../lib/ops/bench-cases.ts";
import type { Load } from "../../lib/ops/bench-drive.ts";
import { createFixture, fixtureDefaults, type FixtureOptions } from "../../lib/ops/bench-fixture.ts";
import { type HttpFixture, serveFixture } from "../../lib/ops/fixture-http.ts";
import { parseTarget, resolveTargets, type Target, urlTarget } from "../../lib/ops/target.ts";
import { runtimeCommand } from "../kit/process.ts";

const limits = { timeout: 120_000 };
const work = [compileCase({ tool: "work", arguments: { nonce: "{{nonce}}" } })];
const open = (rate: number): Load => ({ kind: "open", rate: { from: rate, to: rate } });

function serve(options: Partial<FixtureOptions> = {}): Promise<HttpFixture> {
  return serveFixture(0, (host) => createFixture({ ...fixtureDefaults, ...options }, host));
}

interface Ran {
  readonly bench: Bench;
  readonly round: Round;
}

async function run(
  target: Target,
  load: Load,
  { durationMs = Infinity, count = Infinity, ...more }: Partial<BenchOptions> & { durationMs?: number; count?: number },
): Promise<Ran> {
  using scope = new Scope();
  const defaults = { version: "0", sessions: 1, allowsWrites: false, callMs: 10_000, maxInFlight: 4096 };
  await using bench = await Bench.open(
    { cases: work, ...defaults, ...more, target },
    { scope, until: Date.now() + 30_000 },
  );
  const round = await bench.round({ load, durationMs, count, warmupMs: 0 }, scope);
  return { bench, round };
}

test("bench: a stall of one second shows in an open loop, and hardly in a closed one", limits, async () => {
  await using server = await serve({ stallMs: 1000, stallAfter: 150 });
  const { round } = await run(urlTarget(server.url), open(300), { durationMs: 2000, protocol: "legacy" });
  const { recorder } = round;
  assert.equal(recorder.started, 600);
  assert.equal(recorder.ok, 600);
  const p99 = recorder.latencies.percentile(99);
  assert.ok(p99 >= 900, `p99 ${p99}`);
  // Half of the calls came while the server stood still.
  assert.ok(recorder.latencies.percentile(75) > 300);
  const closed = recorder.closed();
  assert.ok(closed && closed.count < 400, "the imagined client misses what comes while it waits");
  assert.ok(closed.p90 < 300, `closed p90 ${closed.p90}`);
});

test("bench: sessions that are dropped mid-run are opened again and counted, and no call fails", limits, async () => {
  await using server = await serve({ forgetEvery: 100 });
  const { bench, round } = await run(urlTarget(server.url), open(200), { count: 450, sessions: 3, protocol: "legacy" });
  assert.equal(round.recorder.ok, 450, JSON.stringify(round.recorder.errors()));
  const { opened, lost, reinitialised } = bench.counts;
  assert.equal(opened, 3);
  assert.ok(lost >= 3 && reinitialised >= lost - 3, JSON.stringify(bench.counts));
  assert.ok(round.recorder.retried >= reinitialised);
});

test("bench: errors are counted by class and are no latencies", limits, async () => {
  await using server = await serve({ failEvery: 2 });
  const { round } = await run(urlTarget(server.url), { kind: "closed", clients: 4, maxRate: 10_000 }, { count: 101 });
  const { recorder } = round;
  assert.deepEqual([recorder.started, recorder.ended, recorder.latencies.count], [101, 101, recorder.ok]);
  assert.deepEqual(
    recorder.errors().map(({ class: name, message }) => [name, message]),
    [["isError", "planted failure"]],
  );
  const wrong = [compileCase({ method: "no/such" })];
  const other = await run(urlTarget(server.url), open(500), { count: 10, cases: wrong });
  assert.deepEqual(
    other.round.recorder.errors().map(({ class: name, count }) => [name, count]),
    [["rpc -32601 E6103", 10]],
  );
});

test("bench: calls beyond the limit are dropped and counted, and late ones are given up", limits, async () => {
  await using server = await serve({ delayMs: 60_000 });
  const slow = [compileCase({ method: "ping" }), compileCase({ tool: "work" })];
  const { round } = await run(urlTarget(server.url), open(200), {
    count: 60,
    cases: slow,
    maxInFlight: 8,
    callMs: 300,
  });
  const { recorder } = round;
  assert.ok(recorder.dropped > 0);
  assert.equal(recorder.started + recorder.dropped, 60);
  assert.equal(recorder.errors()[0]?.class, "E4106 callTimeout");
});

test("bench: both eras and both transports", limits, async () => {
  await using server = await serve();
  for (const [protocol, version] of [
    ["legacy", "2025-11-25"],
    ["modern", "2026-07-28"],
  ] as const) {
    const { bench, round } = await run(urlTarget(server.url), open(100), { count: 20, protocol });
    assert.equal(bench.facts?.protocolVersion, version);
    assert.equal(round.recorder.ok, 20);
    const { firstByte } = round.recorder.phases();
    assert.equal(firstByte?.count, 20, "the head of each answer was seen");
  }
  const [command, args] = runtimeCommand("cli/main.ts", "bench", "fixture");
  const resolved = await resolveTargets(parseTarget(undefined, [command, ...args]), { cwd: ".", env: {}, files: [] });
  assert.ok(resolved.kind === "ok" && resolved.targets[0]);
  const { round } = await run(resolved.targets[0], open(100), { count: 20 });
  assert.equal(round.recorder.ok, 20);
});

test("bench: tools that may write are called only where that is said, and unknown ones never", limits, async () => {
  await using server = await serve();
  const write = [compileCase({ tool: "write" })];
  const target = urlTarget(server.url);
  await assert.rejects(run(target, open(100), { count: 1, cases: write }), { code: "writesRefused" });
  await assert.rejects(run(target, open(100), { count: 1, cases: [compileCase({ tool: "x" })] }), {
    code: "unknownItem",
  });
  const { round } = await run(target, open(100), { count: 1, cases: write, allowsWrites: true });
  assert.equal(round.recorder.ok, 1);
});
