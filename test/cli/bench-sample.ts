// A run and a failover that are always the same, to print.
import type { CompareReport } from "../../cli/bench-compare-text.ts";
import type { BenchResult } from "../../cli/bench-result.ts";
import type { FailoverReport } from "../../cli/bench-failover-text.ts";
import { Latencies, type LatencySummary } from "../../lib/ops/bench-histogram.ts";
import { effectOf, type Fate } from "../../lib/ops/bench-failover.ts";
import { parseFault } from "../../lib/ops/bench-faults.ts";

function summary(count: number, p50: number, p99: number): LatencySummary {
  const at = (share: number): number => Math.round((p50 + (p99 - p50) * share) * 1000) / 1000;
  const tail = { p99, p999: at(1.4), p9999: at(1.7), max: at(1.8) };
  return { count, min: at(-0.2), mean: at(0.1), p50, p75: at(0.2), p90: at(0.5), p95: at(0.7), ...tail };
}

/** A server that stands still for a second, from the third on. */
export const sampleRun: BenchResult = {
  ok: false,
  thresholds: [
    { threshold: "p99<250ms", actual: "942 ms", ok: false },
    { threshold: "error_rate<1%", actual: "0.4%", ok: true },
  ],
  report: {
    target: "weather",
    where: "http://127.0.0.1:9001/mcp",
    server: "weather-server 1.4.0",
    protocolVersion: "2025-11-25",
    era: "legacy",
    call: "forecast",
    startedAt: "2026-01-02T03:04:05.678Z",
    load: { model: "open", rate: "300/s", durationMs: 10_000, warmupMs: 500, sessions: 4 },
    generator: { valid: true, lagP50Ms: 0.01, lagP99Ms: 0.42, lagMaxMs: 1.9, note: "" },
    calls: { started: 3000, ok: 2988, failed: 12, dropped: 0, retried: 4, errorRate: 0.004, ratePerSecond: 298.8 },
    latencyMs: summary(2988, 12.4, 942),
    serviceMs: summary(2988, 12.2, 940),
    closedLoopMs: summary(540, 12.1, 31.5),
    phasesMs: { queue: summary(2988, 0.04, 0.6), firstByte: summary(2988, 12.1, 930), body: summary(2988, 0.1, 1.2) },
    errors: [
      { class: "isError", count: 9, message: "no city is called <Atlantis>" },
      { class: "E4105 lost", count: 3, message: "127.0.0.1:9001 closed the connection before it answered" },
    ],
    sessions: { opened: 4, lost: 4, reinitialised: 4, reconnected: 0 },
    cold: { openMs: summary(4, 21, 34), firstCallMs: summary(4, 18, 25) },
    warmup: { calls: 150, failed: 0, latencyMs: summary(150, 14, 40) },
    process: { cores: 0.62, rssBytes: 88_080_384, processes: 1 },
    sliceMs: 500,
    timeline: Array.from({ length: 20 }, (_, at) => {
      const stall = at === 6 ? 900 : at === 7 ? 420 : 0;
      const failed = at === 6 ? 12 : 0;
      const p50 = 12 + (at % 3) / 10 + stall / 2;
      return {
        startMs: at * 500,
        started: 150,
        ok: 150 - failed,
        failed,
        dropped: 0,
        p50,
        p90: p50 + 6,
        p99: p50 + 14 + stall / 2,
        max: p50 + 20 + stall / 2,
      };
    }),
    spread: Array.from({ length: 24 }, (_, at) => ({
      fromMs: 8 * 1.25 ** at,
      toMs: 8 * 1.25 ** (at + 1),
      share: Math.round((at < 4 ? 0.2 : 0.01) * 1000) / 1000,
    })),
  },
};

const faults = ["kill:b@2s..4s", "freeze:a@6s..7s"].map(parseFault);

function sampleFates(): readonly Fate[] {
  return Array.from({ length: 500 }, (_, at) => {
    const startMs = at * 20;
    const isLost = startMs >= 2000 && startMs < 2200 && at % 2 === 0;
    const isHeld = startMs >= 6000 && startMs < 6400;
    const tookMs = isHeld ? 6450 - startMs : 6 + (at % 5);
    const by = at % 2 === 0 && (startMs < 2000 || startMs > 4300) ? "b" : "a";
    const name = isLost ? "E4105 lost" : "";
    return { nonce: String(at), startMs, endMs: startMs + tookMs, ok: !isLost, class: name, by };
  });
}

export function sampleFailover(): FailoverReport {
  const fates = sampleFates();
  const steady = new Latencies();
  for (let at = 0; at < 200; at += 1) steady.add(8);
  const ok = fates.filter((fate) => fate.ok).length;
  return {
    target: "127.0.0.1:7337",
    call: "ab__work",
    startedAt: new Date("2026-01-02T03:04:05.678Z"),
    durationMs: 10_000,
    ok: false,
    thresholds: [
      { threshold: "lost==0", actual: "5", ok: false },
      { threshold: "duplicated==0", actual: "0", ok: true },
    ],
    result: {
      sessions: { opened: 8, lost: 1, reinitialised: 1, reconnected: 2 },
      fates,
      // Runtimes round within a bucket as they like.
      effects: faults.map((fault) => ({ ...effectOf(fault, faults, fates, steady), latencyMs: summary(100, 9, 420) })),
      executions: { calls: 500, lost: 3, lostButAnswered: 0, duplicated: 0, unanswered: 2, retried: 11 },
      steadyMs: summary(100, 8, 10),
      availability: ok / fates.length,
      errors: [{ class: "E4105 lost", count: 500 - ok, message: "b closed the connection before it answered" }],
      counts: { started: 500, ok, failed: 500 - ok, dropped: 0 },
      lagP99Ms: 0.3,
      elapsedMs: 10_000,
    },
  };
}

const compared = [
  ["p50", 12.4, 13.1, 1.056],
  ["p90", 18.2, 18.9, 1.038],
  ["p99", 26.1, 26.3, 1.008],
] as const;

export const sampleComparison: CompareReport = {
  nameA: "old",
  nameB: "new",
  call: "search",
  blocks: 6,
  roundMs: 1250,
  comparison: {
    differences: compared.map(([metric, a, b, ratio], at) => ({
      metric,
      a,
      b,
      estimate: { ratio, low: ratio - 0.02 * (at + 1), high: ratio + 0.02 * (at + 1), p: 0.001 },
      adjustedP: 0.001,
      verdict: at === 0 ? "slower" : "no difference",
    })),
    held: {
      metric: "held rate",
      a: 812,
      b: 760,
      estimate: { ratio: 0.936, low: 0.9, high: 0.97, p: 0.01 },
      adjustedP: 0.01,
      verdict: "slower",
    },
    a: { ok: 3000, failed: 0, cpuMsPerCall: 0.84, rssBytes: 60_000_000 },
    b: { ok: 3000, failed: 2, cpuMsPerCall: 0.91, rssBytes: 64_000_000 },
    lagP99Ms: 3.5,
    verdict: "slower",
  },
};
