// What a benchmark ends with.

import { type BenchReport, formatMs, type Judged, type LatencySummary } from "../lib/bench.ts";

/** A report and what was asked of it. */
export interface BenchResult {
  readonly report: BenchReport;
  readonly thresholds: readonly Judged[];
  readonly ok: boolean;
}

export type Percentile = "p50" | "p75" | "p90" | "p95" | "p99" | "p999" | "p9999" | "max";

const leastCalls: Readonly<Partial<Record<Percentile, number>>> = { p99: 100, p999: 1000, p9999: 10_000 };

/** A percentile of fewer calls than it needs is only the slowest of them, and not shown. */
export function percentileText(summary: LatencySummary, key: Percentile): string {
  return summary.count < (leastCalls[key] ?? 1) ? "-" : formatMs(summary[key]);
}
