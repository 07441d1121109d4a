// How each backend does, in a few numbers: what a page for people shows, from the same counters as the metrics.

import type { Backend } from "./backend/backend.ts";
import { quantileOf, sumOf } from "./observe/histogram.ts";
import { type BackendMeter, durationBounds, type RequestSeries } from "./observe/meter.ts";

export interface Latency {
  /** Seconds; undefined where nothing was counted. */
  readonly p50: number | undefined;
  readonly p95: number | undefined;
  readonly p99: number | undefined;
}

export interface ToolFigures {
  /** As clients know it. */
  readonly tool: string;
  readonly calls: number;
  readonly errors: number;
  readonly latency: Latency;
}

export interface ReplicaFigures {
  readonly state: "connecting" | "up" | "down";
  readonly breaker: "closed" | "open" | "halfOpen" | "none";
  readonly inFlight: number;
  /** Why it gets no calls although it is up. */
  readonly left: string | undefined;
  /** What it failed with last, where it is down. */
  readonly error: string | undefined;
}

export interface BackendFigures {
  readonly name: string;
  readonly state: "connecting" | "up" | "down";
  readonly replicas: readonly ReplicaFigures[];
  /** Requests of clients that it got since the start; who wants them by time takes the difference of two looks. */
  readonly calls: number;
  readonly errors: number;
  readonly inFlight: number;
  /** Of requests that were answered well. */
  readonly latency: Latency;
  /** What these took together since the start: of two looks, the difference says how long one took in between. */
  readonly seconds: number;
  /** Those with the highest 95th percentile first. */
  readonly slowest: readonly ToolFigures[];
}

const maxSlowest = 10;

export function figuresOf(backend: Backend, meter: BackendMeter | undefined): BackendFigures {
  const series = [...(meter?.requests.values() ?? [])];
  const good = series.filter(({ fault }) => fault === "");
  const now = Date.now();
  return {
    name: backend.plan.name,
    state: backend.state.kind,
    replicas: backend.policies.replicas.map((replica): ReplicaFigures => {
      const status = backend.replicas[replica.index];
      return {
        state: status?.state.kind ?? "connecting",
        breaker: replica.breaker?.state(now).kind ?? "none",
        inFlight: backend.policies.replicas.length === 1 ? backend.counts.inFlight : replica.pending,
        left: status?.left,
        error: status?.state.kind === "down" ? status.state.error.message : undefined,
      };
    }),
    calls: countOf(series),
    errors: countOf(series) - countOf(good),
    inFlight: backend.counts.inFlight,
    latency: latencyOf(good),
    seconds: good.reduce((sum, { durations }) => sum + durations.sum, 0),
    slowest: slowestOf(series),
  };
}

function slowestOf(series: readonly RequestSeries[]): readonly ToolFigures[] {
  const tools = [...new Set(series.flatMap(({ tool }) => (tool === "" ? [] : [tool])))];
  const figures = tools.map((tool): ToolFigures => {
    const own = series.filter((each) => each.tool === tool);
    const good = own.filter(({ fault }) => fault === "");
    return { tool, calls: countOf(own), errors: countOf(own) - countOf(good), latency: latencyOf(own) };
  });
  return figures.toSorted((a, b) => (b.latency.p95 ?? 0) - (a.latency.p95 ?? 0)).slice(0, maxSlowest);
}

function countOf(series: readonly RequestSeries[]): number {
  return series.reduce((sum, { durations }) => sum + durations.count, 0);
}

function latencyOf(series: readonly RequestSeries[]): Latency {
  const all = sumOf(
    series.map(({ durations }) => durations),
    durationBounds,
  );
  return { p50: quantileOf(all, 0.5), p95: quantileOf(all, 0.95), p99: quantileOf(all, 0.99) };
}
