// Comparisons: figures by ranks, twenty runs with a planted slowdown and twenty without, and real servers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../../lib/core/scope.ts";
import { Bench } from "../../lib/ops/bench.ts";
import { compileCase } from "../../lib/ops/bench-cases.ts";
import { compareStored, compareTargets, judge, type Side, type Sliced } from "../../lib/ops/bench-compare.ts";
import { createFixture, fixtureDefaults } from "../../lib/ops/bench-fixture.ts";
import { holm, pairedEstimate, unpairedEstimate } from "../../lib/ops/bench-stats.ts";
import { serveFixture } from "../../lib/ops/fixture-http.ts";
import { urlTarget } from "../../lib/ops/target.ts";

const limits = { timeout: 120_000 };

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

test("compare: ranks and Holm as the tables have them", () => {
  // Six that all say more: 1 of 64 orders is as extreme, and its opposite.
  const six = pairedEstimate([0.04, 0.05, 0.06, 0.045, 0.055, 0.05]);
  assert.ok(six && Math.abs(six.p - 2 / 64) < 1e-12, JSON.stringify(six));
  assert.ok(Math.abs(six.ratio - Math.exp(0.05)) < 1e-9);
  assert.deepEqual([six.low, six.high], [Math.exp(0.04), Math.exp(0.06)]);
  // n = 10, W = 8: 0.0488 in the tables, and the interval begins at the ninth of 55 averages.
  const ten = pairedEstimate([1, 2, -3, 4, 5, 6, 7, 8, -5.5, 10]);
  assert.ok(ten && Math.abs(ten.p - 0.0488) < 0.02, JSON.stringify(ten));
  const none = pairedEstimate([0, 0, 0, 0, 0, 0]);
  assert.deepEqual([none?.ratio, none?.p], [1, 1]);
  assert.deepEqual([pairedEstimate([1]), pairedEstimate([0.1, 0.2])?.high], [undefined, Infinity]);
  // One round that another program spoilt is one round.
  const spoilt = pairedEstimate([0.05, 0.051, 0.049, 0.05, 0.052, 0.048, 0.05, 0.05, 0.05, -3]);
  assert.ok(spoilt && Math.abs(Math.log(spoilt.ratio) - 0.05) < 0.002 && spoilt.p < 0.1);
  const apart = unpairedEstimate([1, 1.1, 0.9, 1, 1.05], [2, 2.1, 1.9, 2.2, 1.8]);
  assert.ok(apart && apart.ratio > 1.8 && apart.ratio < 2.2 && apart.p < 0.02, JSON.stringify(apart));
  const alike = unpairedEstimate([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]);
  assert.ok(alike && alike.p > 0.9 && alike.low < 1 && alike.high > 1);
  assert.deepEqual(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
});

/** What eight blocks give where rounds spread by 3 % and B takes `factor` times as long. */
function verdictOf(seed: number, factor: number): string {
  const normal = createNormal(seed);
  const metrics = [0.01, 0.02, 0.06].map((spread, index) => {
    const round = (shift: number): number => shift + normal() * spread;
    const logs = Array.from({ length: 8 }, () => {
      const drift = normal() * 0.1;
      // Every twentieth round is spoilt by something else.
      const one = (): number => round(drift) + (normal() > 1.64 ? 1 : 0);
      const [a1, b1, b2, a2] = [one(), one(), one(), one()];
      return [b1 - a1 + Math.log(factor), b2 - a2 + Math.log(factor)];
    }).flat();
    return { metric: String(index), a: 1, b: factor, estimate: pairedEstimate(logs) };
  });
  const verdicts = judge(metrics, 0.01).map(({ verdict }) => verdict);
  return verdicts.includes("slower") ? "slower" : verdicts.includes("faster") ? "faster" : "no difference";
}

test("compare: a slowdown of 5 % is found in 19 of 20 runs, and none in 18 of 20 where there is none", () => {
  // Four hundred, so that luck has little say.
  const seeds = Array.from({ length: 400 }, (_, index) => 1000 + index * 7919);
  const found = seeds.filter((seed) => verdictOf(seed, 1.05) === "slower").length;
  const quiet = seeds.filter((seed) => verdictOf(seed, 1) === "no difference").length;
  assert.ok(found >= 380, `${found}`);
  assert.ok(quiet >= 360, `${quiet}`);
  assert.ok(seeds.filter((seed) => verdictOf(seed, 1 / 1.05) === "faster").length >= 380);
  // Less than the tolerance is none, however sure it is.
  const tiny = pairedEstimate([0.005, 0.0051, 0.0049, 0.005, 0.005, 0.005, 0.005, 0.005]);
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

test("compare: real servers of which one takes ten times as long", limits, async () => {
  await using one = await serveFixture(0, (host) => createFixture({ ...fixtureDefaults, delayMs: 20 }, host));
  await using two = await serveFixture(0, (host) => createFixture({ ...fixtureDefaults, delayMs: 200 }, host));
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
  assert.ok((differences[0]?.estimate?.ratio ?? 0) > 2);
  assert.deepEqual([a.ok, b.ok, a.failed + b.failed], [200, 200, 0]);
});
