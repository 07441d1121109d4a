// Failover: faults as they are written, what a proxy does with each, and counts that are exact.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Scope } from "../../lib/core/scope.ts";
import { compileCase } from "../../lib/ops/bench-cases.ts";
import {
  effectOf,
  type FailoverOptions,
  type FailoverResult,
  type Fate,
  runFailover,
} from "../../lib/ops/bench-failover.ts";
import { createFixture, fixtureDefaults, type FixtureOptions } from "../../lib/ops/bench-fixture.ts";
import { Latencies } from "../../lib/ops/bench-histogram.ts";
import { openJournal } from "../../lib/ops/bench-journal.ts";
import { FaultProxy } from "../../lib/ops/fault-proxy.ts";
import { type FaultKind, parseFault, proxyPart } from "../../lib/ops/bench-faults.ts";
import { type HttpFixture, serveFixture } from "../../lib/ops/fixture-http.ts";
import { urlTarget } from "../../lib/ops/target.ts";

const limits = { timeout: 120_000 };

interface Site extends AsyncDisposable {
  readonly journal: string;
  readonly fixture: HttpFixture;
  readonly proxy: FaultProxy;
}

async function build(options: Partial<FixtureOptions> = {}): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), "mcpctl-failover-test-"));
  const file = join(folder, "journal");
  const journal = openJournal(file, "a");
  const fixture = await serveFixture(0, (host) =>
    createFixture({ ...fixtureDefaults, name: "a", ...options, journal }, host),
  );
  const proxy = await FaultProxy.start(new URL(fixture.url));
  return {
    journal: file,
    fixture,
    proxy,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await fixture[Symbol.asyncDispose]();
      journal[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function run(
  site: Site,
  faults: readonly string[],
  more: Partial<FailoverOptions> & { rate?: number; protocol?: string } = {},
): Promise<FailoverResult> {
  using scope = new Scope();
  const { rate = 100, protocol = "legacy", ...rest } = more;
  const cases = [compileCase({ tool: "work", arguments: { nonce: "{{nonce}}" } })];
  return await runFailover(
    {
      bench: {
        target: urlTarget(site.proxy.url),
        version: "0",
        cases,
        sessions: 1,
        protocol,
        allowsWrites: false,
        callMs: 5_000,
        maxInFlight: 1000,
      },
      load: { kind: "open", rate: { from: rate, to: rate } },
      durationMs: 1500,
      warmupMs: 0,
      faults: faults.map(parseFault),
      parts: [proxyPart("a", site.proxy)],
      journal: site.journal,
      ...rest,
    },
    { scope, until: Date.now() + 30_000 },
  );
}

test("failover: faults as people write them", () => {
  assert.deepEqual(parseFault("kill:b@10s..20s"), {
    text: "kill:b@10s..20s",
    kind: "kill",
    part: "b",
    fromMs: 10_000,
    toMs: 20_000,
  });
  assert.deepEqual(parseFault("session-loss@1.5s"), {
    text: "session-loss@1.5s",
    kind: "session-loss",
    part: "a",
    fromMs: 1500,
    toMs: 1500,
  });
  assert.equal(parseFault("5xx:web-1.x@1m..2m").part, "web-1.x");
  assert.throws(() => parseFault("kil:b@1s..2s"), /did you mean kill\?/);
  for (const wrong of ["kill", "kill:b", "kill:b@2s..1s", "kill:b@x", "@1s"])
    assert.throws(() => parseFault(wrong), wrong);
});

test("failover: planted losses and duplicates are counted exactly", limits, async () => {
  await using site = await build({ loseEvery: 7, duplicateEvery: 10 });
  const { executions, counts, fates } = await run(site, []);
  assert.equal(counts.started, 150);
  // The call that opens the session is the first one of the server.
  const numbers = Array.from({ length: 150 }, (_, index) => index + 2);
  const lost = numbers.filter((number) => number % 7 === 0 && number % 10 !== 0).length;
  const twice = numbers.filter((number) => number % 10 === 0 && number % 7 !== 0).length;
  assert.deepEqual(executions, {
    calls: 150,
    lost,
    lostButAnswered: lost,
    duplicated: twice,
    unanswered: 0,
    retried: 0,
  });
  assert.ok(fates.every(({ ok, by }) => ok && by === "a"));
});

test("failover: a reset leaves calls that ran without an answer, and a refusal none", limits, async () => {
  await using site = await build();
  const { executions, effects, counts } = await run(site, ["reset@500ms..1s"]);
  assert.ok(executions);
  const { lost, duplicated, unanswered } = executions;
  assert.deepEqual([duplicated, lost + unanswered], [0, counts.failed]);
  assert.ok(unanswered >= 1 && counts.failed > 20, JSON.stringify([executions, counts]));
  const [effect] = effects;
  assert.ok(effect && effect.detectionMs !== null && effect.detectionMs < 1_000 && effect.recoveryMs < 2_000);
  assert.ok(effect.failbackMs !== null && effect.failbackMs < 1_500);
  const refused = await run(site, ["5xx@500ms..1s"]);
  assert.equal(refused.executions?.lost, refused.counts.failed);
  assert.equal(refused.executions?.unanswered, 0);
  assert.ok(refused.counts.failed > 20);
});

test("failover: what is frozen goes on, and what is slow is only slow", limits, async () => {
  await using site = await build();
  const frozen = await run(site, ["freeze@500ms..900ms"]);
  assert.deepEqual([frozen.counts.failed, frozen.executions?.lost, frozen.executions?.duplicated], [0, 0, 0]);
  assert.ok((frozen.effects[0]?.latencyMs?.max ?? 0) >= 300);
  const slow = await run(site, ["slow@500ms..1s"]);
  assert.equal(slow.counts.failed, 0);
  assert.ok((slow.effects[0]?.slow ?? 0) > 20, JSON.stringify(slow.effects));
});

test("failover: sessions that are lost are opened again, and no call is lost with them", limits, async () => {
  await using site = await build();
  const { sessions, executions, counts } = await run(site, ["session-loss@500ms"]);
  assert.deepEqual([sessions.lost, sessions.reinitialised], [1, 1]);
  assert.deepEqual([counts.failed, executions?.lost, executions?.duplicated], [0, 0, 0]);
});

test("failover: a server that is killed is gone from the network until it is back", limits, async () => {
  await using site = await build();
  const { counts, executions, effects } = await run(site, ["kill@400ms..800ms"]);
  assert.ok(counts.failed > 10 && counts.ok > 50, JSON.stringify(counts));
  assert.equal((executions?.lost ?? 0) + (executions?.unanswered ?? 0), counts.failed);
  assert.equal(executions?.duplicated, 0);
  assert.ok((effects[0]?.failbackMs ?? Infinity) < 2_000);
});

test("failover: garbage and silence fail the calls that meet them", limits, async () => {
  await using site = await build();
  for (const kind of ["garbage", "blackhole"] as const satisfies readonly FaultKind[]) {
    const { counts, executions } = await run(site, [`${kind}@300ms..600ms`], { durationMs: 900 });
    assert.ok(counts.failed > 5, kind);
    assert.deepEqual([executions?.lost, executions?.duplicated], [counts.failed, 0], kind);
  }
});

test("failover: times are those of the calls that the fault concerned", () => {
  const fate = (startMs: number, tookMs: number, ok = true, by = "a"): Fate => ({
    nonce: String(startMs),
    startMs,
    endMs: startMs + tookMs,
    ok,
    class: ok ? "" : "lost",
    by,
  });
  const steady = new Latencies();
  for (let count = 0; count < 100; count += 1) steady.add(10);
  const fates = [
    fate(900, 10),
    fate(990, 40, false),
    fate(1100, 200),
    fate(1500, 10, true, "b"),
    fate(2100, 10, true, "b"),
    fate(2400, 10),
  ];
  const fault = parseFault("kill:a@1s..2s");
  const effect = effectOf(fault, [fault], fates, steady);
  assert.deepEqual(
    [effect.detectionMs, effect.recoveryMs, effect.failbackMs, effect.failed, effect.slow],
    [30, 100, 410, 1, 1],
  );
  assert.equal(effect.availability, 2 / 3);
  const quiet = effectOf(fault, [fault], [fate(100, 5), fate(1500, 5)], steady);
  assert.deepEqual([quiet.detectionMs, quiet.recoveryMs, quiet.failbackMs, quiet.availability], [null, 0, null, 1]);
});
