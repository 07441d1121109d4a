// What a benchmark ends with.

import type { BenchReport, Judged } from "../lib/bench.ts";

/** A report and what was asked of it. */
export interface BenchResult {
  readonly report: BenchReport;
  readonly thresholds: readonly Judged[];
  readonly ok: boolean;
}
