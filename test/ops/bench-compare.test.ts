// Comparisons: Student's and Welch's figures, twenty runs with a planted slowdown and twenty without, and real servers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../../lib/core/scope.ts";
import { Bench } from "../../lib/ops/bench.ts";
import { compileCase } from "../../lib/ops/bench-cases.ts";
import { compareStored, compareTargets, judge, type Side, type Sliced } from "../../lib/ops/bench-compare.ts";
import { createFixture, fixtureDefaults } from "../../lib/ops/bench-fixture.ts";
import { holm, pairedEstimate, studentQuantile, welchEstimate } from "../../lib/ops/bench-stats.ts";
import { serveFixture } from "../../lib/ops/fixture-http.ts";
import { urlTarget } from "../../lib/ops/target.ts";

const limits = { timeout: 60_000 };

/** Numbers between 0 and 1, the same ones each time. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

function createNormal(seed: number): () => number {
  const random = createRandom(seed);
  return () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
}

test("compare: Student, Welch and Holm as the tables have them", () => {
  for (const [share, freedom, exact] of [
    [0.975, 1, 12.7062],
    [0.975, 5, 2.5706],
    [0.975, 30, 2.0423],
    [0.95, 9, 1.8331],
  ] as const)
    assert.ok(Math.abs(studentQuantile(share, freedom) / exact - 1) < 1e-4, `${share} ${freedom}`);
  const paired = pairedEstimate([0.04, 0.05, 0.06]);
  assert.ok(paired && Math.abs(paired.ratio - Math.exp(0.05)) < 1e-12);
  assert.ok(Math.abs(Math.log(paired.high) - 0.05 - (4.3027 * 0.01) / Math.sqrt(3)) < 1e-5);
  assert.ok(Math.abs(paired.p - 0.01307) < 1e-4, `${paired.p}`);
  const welch = welchEstimate([1, 1.1, 0.9, 1], [2, 2.1, 1.9, 2.2, 1.8]);
  assert.ok(welch && welch.low > 1.7 && welch.high < 2.35 && welch.p < 1e-4, JSON.stringify(welch));
  assert.deepEqual(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
  assert.equal(pairedEstimate([1]), undefined);
});

/** What six blocks give where rounds spread by 3 % and B takes `factor` times as long. */
function verdictOf(seed: number, factor: number): string {
  const normal = createNormal(seed);
  const metrics = [0.01, 0.02, 0.06].map((spread, index) => {
    const round = (shift: number): number => shift + normal() * spread;
    const logs = Array.from({ length: 6 }, () => {
      const drift = normal() * 0.1;
      const [a1, b1, b2, a2] = [round(drift), round(drift), round(drift), round(drift)];
      return (b1 + b2 - a1 - a2) / 2 + Math.log(factor);
    });
    return { metric: String(index), a: 1, b: factor, estimate: pairedEstimate(logs) };
  });
  const verdicts = judge(metrics, 0.01).map(({ verdict }) => verdict);
  return verdicts.includes("slower") ? "slower" : verdicts.includes("faster") ? "faster" : "no difference";
}

test("compare: a slowdown of 5 % is found in at least 19 of 20 runs, and none in 18 of 20 where there is none", () => {
  const seeds = Array.from({ length: 20 }, (_, index) => 1000 + index * 7919);
  const found = seeds.filter((seed) => verdictOf(seed, 1.05) === "slower").length;
  const quiet = seeds.filter((seed) => verdictOf(seed, 1) === "no difference").length;
  assert.ok(found >= 19, `${found}`);
  assert.ok(quiet >= 18, `${quiet}`);
  assert.ok(seeds.filter((seed) => verdictOf(seed, 1 / 1.05) === "faster").length >= 19);
  // Less than the tolerance is none, however sure it is.
  const tiny = pairedEstimate([0.005, 0.0051, 0.0049, 0.005]);
  assert.equal(judge([{ metric: "p50", a: 1, b: 1, estimate: tiny }], 0.01)[0]?.verdict, "no difference");
});

test("compare: a stored run against one that is 5 % slower, and against one that is not", () => {
  const run = (seed: number, factor: number): Sliced => {
    const normal = createNormal(seed);
    const slice = (spread: number): number => 20 * factor * Math.exp(normal() * spread);
    return { timeline: Array.from({ length: 20 }, () => ({ p50: slice(0.01), p90: slice(0.02), p99: slice(0.1) })) };
  };
  const verdicts = (factor: number): number =>
    Array.from({ length: 20 }, (_, index) => index).filter((index) =>
      compareStored(run(index * 31 + 1, 1), run(index * 17 + 5000, factor), 0.02).some(
        ({ verdict }) => verdict === "slower",
      ),
    ).length;
  assert.ok(verdicts(1.05) >= 19);
  assert.ok(verdicts(1) <= 2);
});

test("compare: real servers of which one takes half as long again", limits, async () => {
  await using one = await serveFixture(0, (host) => createFixture({ ...fixtureDefaults, delayMs: 20 }, host));
  await using two = await serveFixture(0, (host) => createFixture({ ...fixtureDefaults, delayMs: 30 }, host));
  using scope = new Scope();
  const open = (url: string): Promise<Bench> =>
    Bench.open(
      {
        target: urlTarget(url),
        version: "0",
        cases: [compileCase({ tool: "work" })],
        sessions: 1,
        allowsWrites: false,
        callMs: 5000,
        maxInFlight: 1000,
      },
      { scope, until: Date.now() + 30_000 },
    );
  await using benchA = await open(one.url);
  await using benchB = await open(two.url);
  const side = (bench: Bench): Side => ({ bench, roots: [] });
  const options = {
    load: { kind: "open", rate: { from: 100, to: 100 } },
    blocks: 4,
    roundMs: 250,
    warmupMs: 100,
    tolerance: 0.01,
    maxRate: 1000,
  } as const;
  const { verdict, differences, a, b } = await compareTargets({ a: side(benchA), b: side(benchB) }, options, scope);
  assert.equal(verdict, "slower", JSON.stringify(differences));
  assert.ok((differences[0]?.estimate?.ratio ?? 0) > 1.2);
  assert.deepEqual([a.ok, b.ok, a.failed + b.failed], [200, 200, 0]);
});
