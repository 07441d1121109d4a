// The figures of one run as documents hold them.

import type { Era } from "../protocol/codec.ts";
import { modernVersions } from "../protocol/modern-meta.ts";
import type { Bench, Round } from "./bench.ts";
import type { Load } from "./bench-drive.ts";
import type { Bucket, LatencySummary } from "./bench-histogram.ts";
import { formatRate } from "./bench-rate.ts";
import type { ErrorCount, Phases, Slice } from "./bench-record.ts";
import type { Usage } from "./process-usage.ts";
import type { Target } from "./target.ts";
import { whereabouts } from "./mask.ts";

export interface BenchReport {
  readonly target: string;
  readonly where: string;
  readonly server: string;
  readonly protocolVersion: string;
  readonly era: Era;
  /** What was called. */
  readonly call: string;
  readonly startedAt: string;
  readonly load: {
    readonly model: "open" | "closed";
    /** As it was asked for; of an open loop. */
    readonly rate?: string;
    readonly clients?: number;
    readonly durationMs: number;
    readonly warmupMs: number;
    readonly sessions: number;
  };
  readonly generator: {
    /** False where the figures tell of the generator and not of the server. */
    readonly valid: boolean;
    readonly lagP50Ms: number | null;
    readonly lagP99Ms: number | null;
    readonly lagMaxMs: number | null;
    readonly note: string;
  };
  readonly calls: {
    readonly started: number;
    readonly ok: number;
    readonly failed: number;
    readonly dropped: number;
    readonly retried: number;
    readonly errorRate: number;
    /** Of successful calls. */
    readonly ratePerSecond: number;
  };
  /** Of successful calls, from the intended start. */
  readonly latencyMs: LatencySummary | null;
  /** From when they were sent. */
  readonly serviceMs: LatencySummary | null;
  /** What one client in a closed loop would have seen. */
  readonly closedLoopMs: LatencySummary | null;
  readonly phasesMs: Phases;
  readonly errors: readonly ErrorCount[];
  readonly sessions: {
    readonly opened: number;
    readonly lost: number;
    readonly reinitialised: number;
    readonly reconnected: number;
  };
  readonly cold: { readonly openMs: LatencySummary | null; readonly firstCallMs: LatencySummary | null };
  readonly warmup: {
    readonly calls: number;
    readonly failed: number;
    readonly latencyMs: LatencySummary | null;
  } | null;
  readonly process: Usage | null;
  readonly sliceMs: number;
  readonly timeline: readonly Slice[];
  readonly spread: readonly Bucket[];
}

export interface Reported {
  readonly target: Target;
  readonly call: string;
  readonly startedAt: Date;
  readonly load: Load;
  readonly warmupMs: number;
  readonly sessions: number;
  readonly usage: Usage | null;
}

/** Beyond this the generator tells of itself. */
const maxLagMs = 2;

export function reportRound(bench: Bench, round: Round, told: Reported): BenchReport {
  const { target, load, usage } = told;
  const { recorder, warmup, elapsedMs, drivenMs } = round;
  const { facts } = bench;
  const replica = target.plan.replicas[0];
  const { started, ok, failed, dropped, retried, ended } = recorder;
  const seconds = Math.max(drivenMs, 1) / 1000;
  const version = facts?.protocolVersion ?? "";
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  return {
    target: target.name,
    where: replica ? whereabouts(replica) : "",
    server: [text(facts?.serverInfo["name"]), text(facts?.serverInfo["version"])].filter(Boolean).join(" "),
    protocolVersion: version,
    era: modernVersions.some((each) => each === version) ? "modern" : "legacy",
    call: told.call,
    startedAt: told.startedAt.toISOString(),
    load: {
      model: load.kind,
      ...(load.kind === "open" ? { rate: formatRate(load.rate) } : { clients: load.clients }),
      durationMs: Math.round(drivenMs),
      warmupMs: told.warmupMs,
      sessions: told.sessions,
    },
    generator: generatorOf(round, load),
    calls: {
      started,
      ok,
      failed,
      dropped,
      retried,
      errorRate: ended === 0 ? 0 : failed / ended,
      ratePerSecond: Math.round((ok / (load.kind === "open" ? seconds : Math.max(elapsedMs, 1) / 1000)) * 100) / 100,
    },
    latencyMs: recorder.latencies.summary(),
    serviceMs: recorder.service(),
    closedLoopMs: recorder.closed(),
    phasesMs: recorder.phases(),
    errors: recorder.errors(),
    sessions: { ...bench.counts },
    cold: { openMs: bench.cold.open.summary(), firstCallMs: bench.cold.first.summary() },
    warmup:
      warmup.started === 0
        ? null
        : { calls: warmup.started, failed: warmup.failed, latencyMs: warmup.latencies.summary() },
    process: usage,
    sliceMs: recorder.sliceMs,
    timeline: recorder.timeline(),
    spread: recorder.spread(),
  };
}

function generatorOf({ lag }: Round, load: Load): BenchReport["generator"] {
  const p99 = lag.percentile(99);
  const isLate = p99 > maxLagMs;
  const figures =
    lag.count === 0
      ? { lagP50Ms: null, lagP99Ms: null, lagMaxMs: null }
      : { lagP50Ms: lag.percentile(50), lagP99Ms: p99, lagMaxMs: lag.maxMs };
  const what = load.kind === "open" ? "calls started late" : "this program was busy";
  const note = isLate
    ? `${what}: this machine has too little left for the generator; lower the rate or free a core`
    : "";
  return { valid: !isLate, ...figures, note };
}
