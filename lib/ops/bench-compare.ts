// Two targets side by side, in rounds A B B A, so that what changes on the machine meanwhile falls on both alike.

import type { Bench, Round } from "./bench.ts";
import type { Load } from "./bench-drive.ts";
import { type Estimate, holm, pairedEstimate, unpairedEstimate } from "./bench-stats.ts";
import { markUsage, type Usage, usageSince } from "./process-usage.ts";
import type { Scope } from "../core/scope.ts";

export const comparedMetrics = ["p50", "p90", "p99"] as const;
export type ComparedMetric = (typeof comparedMetrics)[number];

export type Verdict = "slower" | "faster" | "no difference";

export interface Difference {
  readonly metric: string;
  /** Milliseconds, or calls a second; geometric means of the rounds. */
  readonly a: number;
  readonly b: number;
  /** Of B to A; undefined where there are too few rounds. */
  readonly estimate: Estimate | undefined;
  /** `p` with regard to the other questions (Holm). */
  readonly adjustedP: number;
  readonly verdict: Verdict;
}

export interface Side {
  readonly bench: Bench;
  /** Its local processes. */
  readonly roots: readonly number[];
}

export interface CompareOptions {
  readonly load: Load;
  readonly blocks: number;
  readonly roundMs: number;
  readonly warmupMs: number;
  /** Differences below this are none, whatever their interval. */
  readonly tolerance: number;
  /** Looks for the rate that is held with this p99, in milliseconds. */
  readonly limitMs?: number | undefined;
  readonly maxRate: number;
  readonly progress?: (done: number, of: number) => void;
}

export interface SideResult {
  readonly ok: number;
  readonly failed: number;
  readonly cpuMsPerCall: number | null;
  readonly rssBytes: number | null;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  readonly held: Difference | undefined;
  readonly a: SideResult;
  readonly b: SideResult;
  readonly lagP99Ms: number;
  readonly verdict: Verdict;
}

type Figures = Readonly<Record<ComparedMetric, number>>;

interface Measured {
  readonly figures: Figures;
  readonly round: Round;
  readonly usage: Usage | null;
}

type Name = "a" | "b";

const order = ["a", "b", "b", "a"] as const;
const significant = 0.05;
/** Less can never be sure by ranks. */
const heldRounds = 6;

export async function compareTargets(
  sides: { readonly a: Side; readonly b: Side },
  options: CompareOptions,
  scope: Scope,
): Promise<Comparison> {
  const { blocks, progress, limitMs } = options;
  const measured: Record<Name, Measured[]> = { a: [], b: [] };
  const logs: Record<ComparedMetric, number[]> = { p50: [], p90: [], p99: [] };
  const total = blocks * order.length;
  for (let block = 0; block < blocks && !scope.cancelled; block += 1) {
    const own: Record<Name, Measured[]> = { a: [], b: [] };
    for (const [at, name] of order.entries()) {
      progress?.(block * order.length + at, total);
      const one = await measure(sides[name], options, block === 0 && at < 2, scope);
      if (!one) continue;
      own[name].push(one);
      measured[name].push(one);
    }
    // Each in one pair with the one beside it: what grows meanwhile is against B in the first and for it in the second.
    for (const metric of comparedMetrics)
      for (const [index, a] of own.a.entries()) {
        const b = own.b[index];
        if (b) logs[metric].push(Math.log(b.figures[metric] / a.figures[metric]));
      }
  }
  const differences = judge(
    comparedMetrics.map((metric) => ({
      metric,
      a: Math.exp(logMean(measured.a, metric)),
      b: Math.exp(logMean(measured.b, metric)),
      estimate: pairedEstimate(logs[metric]),
    })),
    options.tolerance,
  );
  const held = limitMs === undefined ? undefined : await compareHeld(sides, { ...options, limitMs }, scope);
  const lags = [...measured.a, ...measured.b].map(({ round }) => round.lag.percentile(99));
  return {
    differences,
    held,
    a: sideOf(measured.a),
    b: sideOf(measured.b),
    lagP99Ms: median(lags),
    verdict: overall(held ? [...differences, held] : differences),
  };
}

async function measure(
  { bench, roots }: Side,
  { load, roundMs, warmupMs }: CompareOptions,
  isFirst: boolean,
  scope: Scope,
): Promise<Measured | undefined> {
  const mark = markUsage(roots);
  // The first call after a pause is no call of a steady load.
  const warm = isFirst ? Math.max(warmupMs, roundMs / 2) : Math.min(warmupMs, roundMs / 10);
  const round = await bench.round({ load, durationMs: roundMs, count: Infinity, warmupMs: warm }, scope);
  const { latencies } = round.recorder;
  if (latencies.count === 0) return undefined;
  const figures = { p50: latencies.percentile(50), p90: latencies.percentile(90), p99: latencies.percentile(99) };
  return { figures, round, usage: usageSince(roots, mark) };
}

function logMean(measured: readonly Measured[], metric: ComparedMetric): number {
  return measured.reduce((sum, { figures }) => sum + Math.log(figures[metric]), 0) / measured.length;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function sideOf(measured: readonly Measured[]): SideResult {
  const sum = (of: (each: Measured) => number): number => measured.reduce((total, each) => total + of(each), 0);
  const ok = sum(({ round }) => round.recorder.ok);
  const calls = sum(({ round }) => round.recorder.started + round.warmup.started);
  const cpuMs = sum(
    ({ usage, round }) => (usage?.cores ?? 0) * (round.elapsedMs + round.recorder.beganAt - round.warmup.beganAt),
  );
  const isKnown = measured.some(({ usage }) => usage !== null && usage.processes > 0);
  return {
    ok,
    failed: sum(({ round }) => round.recorder.failed),
    cpuMsPerCall: isKnown && calls > 0 ? cpuMs / calls : null,
    rssBytes: isKnown ? Math.max(...measured.map(({ usage }) => usage?.rssBytes ?? 0)) : null,
  };
}

type Undecided = Omit<Difference, "adjustedP" | "verdict">;

/** What differs by more than the tolerance, and more than chance explains. `more` of it is slower, unless it is a rate. */
export function judge(differences: readonly Undecided[], tolerance: number, isRate = false): readonly Difference[] {
  const adjusted = holm(differences.map(({ estimate }) => estimate?.p ?? 1));
  return differences.map((each, index) => {
    const adjustedP = adjusted[index] ?? 1;
    const ratio = each.estimate?.ratio ?? 1;
    const counts = adjustedP < significant && Math.abs(Math.log(ratio)) > Math.log1p(tolerance);
    const isMore = ratio > 1;
    return { ...each, adjustedP, verdict: !counts ? "no difference" : isMore === isRate ? "faster" : "slower" };
  });
}

function overall(differences: readonly Difference[]): Verdict {
  const verdicts = differences.map(({ verdict }) => verdict);
  if (verdicts.includes("slower")) return "slower";
  return verdicts.includes("faster") ? "faster" : "no difference";
}

/** The highest rate that keeps the limit, some times for each, A B B A. */
async function compareHeld(
  sides: { readonly a: Side; readonly b: Side },
  options: CompareOptions & { readonly limitMs: number },
  scope: Scope,
): Promise<Difference | undefined> {
  const rates: Record<Name, number[]> = { a: [], b: [] };
  for (let round = 0; round < heldRounds; round += 1)
    for (const name of round % 2 === 0 ? (["a", "b"] as const) : (["b", "a"] as const))
      if (!scope.cancelled) rates[name].push(await findHeld(sides[name], options, scope));
  const logs = rates.a.map((rate, index) => Math.log((rates.b[index] ?? rate) / rate));
  const of = (values: readonly number[]): number =>
    Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
  return judge(
    [{ metric: "held rate", a: of(rates.a), b: of(rates.b), estimate: pairedEstimate(logs) }],
    options.tolerance,
    true,
  )[0];
}

/** Doubles until the limit is missed, then narrows down to a few percent. */
async function findHeld(
  { bench }: Side,
  { limitMs, roundMs, maxRate }: CompareOptions & { readonly limitMs: number },
  scope: Scope,
): Promise<number> {
  const isKept = async (rate: number): Promise<boolean> => {
    const load: Load = { kind: "open", rate: { from: rate, to: rate } };
    const { recorder } = await bench.round({ load, durationMs: roundMs, count: Infinity, warmupMs: 0 }, scope);
    const { failed, dropped, started } = recorder;
    return failed + dropped <= started / 100 && recorder.latencies.percentile(99) < limitMs;
  };
  let low = 1;
  let high = Math.min(maxRate, 64);
  while (!scope.cancelled && high < maxRate && (await isKept(high))) {
    low = high;
    high = Math.min(maxRate, high * 2);
  }
  for (let step = 0; step < 5 && !scope.cancelled; step += 1) {
    const middle = Math.sqrt(low * high);
    if (await isKept(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Slices of a run that was stored against those of a new one. */
export interface Sliced {
  readonly timeline: readonly Readonly<Record<ComparedMetric, number | null>>[];
}

/** Compares slice by slice; the ends of a run are left out, which are shorter than the rest. */
export function compareStored(stored: Sliced, now: Sliced, tolerance: number): readonly Difference[] {
  const series = ({ timeline }: Sliced, metric: ComparedMetric): readonly number[] =>
    timeline.slice(0, -1).flatMap((slice) => (slice[metric] === null || slice[metric] <= 0 ? [] : [slice[metric]]));
  const middle = (values: readonly number[]): number =>
    Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
  const undecided = comparedMetrics.map((metric) => {
    const [a, b] = [series(stored, metric), series(now, metric)];
    return { metric, a: middle(a), b: middle(b), estimate: unpairedEstimate(a, b) };
  });
  return judge(undecided, tolerance);
}
