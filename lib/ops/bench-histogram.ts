// Latencies in an HDR histogram: milliseconds in, percentiles out.

import { createHistogram } from "node:perf_hooks";

export interface LatencySummary {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p75: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly p9999: number;
  readonly max: number;
}

export interface Bucket {
  readonly fromMs: number;
  readonly toMs: number;
  /** Of all calls, 0 to 1. */
  readonly share: number;
}

const nsPerMs = 1e6;
/** Longer ones count as this long. */
const longestNs = 3.6e12;

export class Latencies {
  readonly #histogram: ReturnType<typeof createHistogram>;

  /** Significant figures: 3 for what is reported, 2 where there are many. */
  constructor(figures: 2 | 3 = 3) {
    this.#histogram = createHistogram({ lowest: 1000, highest: longestNs, figures });
  }

  add(ms: number): void {
    this.#histogram.record(Math.min(longestNs, Math.max(1000, Math.round(ms * nsPerMs))));
  }

  get count(): number {
    return this.#histogram.count;
  }

  /** Milliseconds; NaN where there are none. */
  percentile(percent: number): number {
    return this.count === 0 ? NaN : rounded(Math.min(this.#histogram.percentile(percent), this.#histogram.max));
  }

  get maxMs(): number {
    return this.count === 0 ? NaN : rounded(this.#histogram.max);
  }

  get meanMs(): number {
    return this.count === 0 ? NaN : rounded(this.#histogram.mean);
  }

  summary(): LatencySummary | null {
    if (this.count === 0) return null;
    const at = (percent: number): number => this.percentile(percent);
    return {
      count: this.count,
      min: rounded(this.#histogram.min),
      mean: this.meanMs,
      p50: at(50),
      p75: at(75),
      p90: at(90),
      p95: at(95),
      p99: at(99),
      p999: at(99.9),
      p9999: at(99.99),
      max: this.maxMs,
    };
  }

  /** How the latencies are spread, in buckets of which each is a quarter wider than the one before. */
  spread(): readonly Bucket[] {
    const steps = 1000;
    const buckets = new Map<number, number>();
    if (this.count > 0)
      for (let step = 0; step < steps; step += 1) {
        const index = Math.floor(Math.log(this.percentile(((step + 0.5) / steps) * 100)) / Math.log(growth));
        buckets.set(index, (buckets.get(index) ?? 0) + 1 / steps);
      }
    return [...buckets]
      .toSorted(([a], [b]) => a - b)
      .map(([index, share]) => ({ fromMs: growth ** index, toMs: growth ** (index + 1), share }))
      .map(({ fromMs, toMs, share }) => ({ fromMs: round4(fromMs), toMs: round4(toMs), share: round4(share) }));
  }
}

const growth = 1.25;

function rounded(ns: number): number {
  return Math.round(ns / 1000) / 1000;
}

function round4(value: number): number {
  return Number(value.toPrecision(4));
}
