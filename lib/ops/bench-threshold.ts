// Thresholds: what a run must keep, as `p99<250ms` says it, and whether it did.

import { parseDuration } from "../config/units.ts";
import { nearest } from "../config/problems.ts";
import { GatewayError } from "../core/errors.ts";
import type { BenchReport } from "./bench-report.ts";

type Unit = "ms" | "share" | "rate" | "count";
type Operator = "<" | "<=" | ">" | ">=" | "==";

export interface Threshold {
  /** As it was written. */
  readonly text: string;
  readonly metric: string;
  readonly operator: Operator;
  readonly limit: number;
}

export interface Judged {
  readonly threshold: string;
  /** For people. */
  readonly actual: string;
  readonly ok: boolean;
}

interface Metric<Report> {
  readonly unit: Unit;
  /** NaN where there is none, which keeps no threshold. */
  readonly read: (report: Report) => number;
}

export type Metrics<Report> = Readonly<Record<string, Metric<Report>>>;

type Key = "min" | "mean" | "p50" | "p75" | "p90" | "p95" | "p99" | "p999" | "p9999" | "max";
const latency = (key: Key): Metric<BenchReport> => ({ unit: "ms", read: ({ latencyMs }) => latencyMs?.[key] ?? NaN });

export const benchMetrics: Metrics<BenchReport> = {
  min: latency("min"),
  mean: latency("mean"),
  p50: latency("p50"),
  p75: latency("p75"),
  p90: latency("p90"),
  p95: latency("p95"),
  p99: latency("p99"),
  "p99.9": latency("p999"),
  "p99.99": latency("p9999"),
  max: latency("max"),
  lag: { unit: "ms", read: ({ generator }) => generator.lagP99Ms ?? NaN },
  error_rate: { unit: "share", read: ({ calls }) => calls.errorRate },
  rate: { unit: "rate", read: ({ calls }) => calls.ratePerSecond },
  ok: { unit: "count", read: ({ calls }) => calls.ok },
  errors: { unit: "count", read: ({ calls }) => calls.failed },
  dropped: { unit: "count", read: ({ calls }) => calls.dropped },
  sessions_lost: { unit: "count", read: ({ sessions }) => sessions.lost },
};

/** What holds for a run of which nothing else is said. */
export const impliedErrorRate = "error_rate<5%";

/** Throws `usage` for what is no threshold. */
export function parseThreshold(text: string, metrics: Metrics<never>): Threshold {
  const [, name = "", operator = "", written = ""] = /^\s*([\w.]+)\s*(<=|>=|==|<|>)\s*(\S+)\s*$/.exec(text) ?? [];
  const known = Object.keys(metrics);
  const metric = Object.hasOwn(metrics, name) ? metrics[name] : undefined;
  if (name === "")
    throw new GatewayError(
      "usage",
      `${JSON.stringify(text)} is no threshold; write it like p99<250ms or error_rate<0.1%`,
    );
  if (!metric) {
    const near = nearest(name, known);
    const meant = near === undefined ? `there are ${known.join(", ")}` : `did you mean ${near}?`;
    throw new GatewayError("usage", `there is no metric ${JSON.stringify(name)}; ${meant}`);
  }
  const limit = parseLimit(written, metric.unit);
  const isOperator = (each: string): each is Operator => ["<", "<=", ">", ">=", "=="].includes(each);
  if (limit !== undefined && isOperator(operator)) return { text: text.trim(), metric: name, operator, limit };
  throw new GatewayError("usage", `${JSON.stringify(written)} is no limit of ${name}; write ${examples[metric.unit]}`);
}

const examples: Readonly<Record<Unit, string>> = {
  ms: "a duration like 250ms",
  share: "a share like 0.1%",
  rate: "a rate like 300/s",
  count: "a number",
};

function parseLimit(written: string, unit: Unit): number | undefined {
  const [, amount, suffix = ""] = /^(\d{1,12}(?:\.\d{1,6})?)(%|\/s)?$/.exec(written) ?? [];
  switch (unit) {
    case "ms": {
      const [, micros] = /^(\d{1,9}(?:\.\d{1,3})?)(?:us|µs)$/.exec(written) ?? [];
      // A duration of the config is whole milliseconds; latencies are not.
      const [, millis] = /^(\d{1,9}(?:\.\d{1,6})?)ms$/.exec(written) ?? [];
      if (micros !== undefined) return Number(micros) / 1000;
      return millis === undefined ? parseDuration(written) : Number(millis);
    }
    case "share":
      if (amount === undefined || suffix === "/s") return undefined;
      return suffix === "%" ? Number(amount) / 100 : Number(amount);
    case "rate":
      return amount === undefined || suffix === "%" ? undefined : Number(amount);
    case "count":
      return amount === undefined || suffix !== "" ? undefined : Number(amount);
  }
}

export function judgeThreshold<Report>(
  { text, metric, operator, limit }: Threshold,
  metrics: Metrics<Report>,
  report: Report,
): Judged {
  const { read, unit }: Metric<Report> = metrics[metric] ?? { read: () => NaN, unit: "count" };
  const value = read(report);
  return { threshold: text, actual: formatValue(value, unit), ok: holds(value, operator, limit) };
}

function holds(value: number, operator: Operator, limit: number): boolean {
  switch (operator) {
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
    case "==":
      return value === limit;
  }
}

function formatValue(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return "none";
  switch (unit) {
    case "ms":
      return formatMs(value);
    case "share":
      return formatShare(value);
    case "rate":
      return `${Number(value.toPrecision(4))}/s`;
    case "count":
      return String(value);
  }
}

export function formatShare(value: number): string {
  const percent = value * 100;
  return `${percent === 0 ? "0" : percent < 0.01 ? percent.toPrecision(2) : Number(percent.toFixed(2))}%`;
}

/** Three figures, in the unit that keeps them short. */
export function formatMs(ms: number): string {
  if (ms === 0) return "0 ms";
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}
