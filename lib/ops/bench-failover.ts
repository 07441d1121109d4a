// Load while parts of a system break on schedule, and what became of every call: failed, lost, executed twice.

import { after, Scope, sleep } from "../core/scope.ts";
import { decodeText } from "../core/text.ts";
import { Bench, type BenchOptions, type Progress } from "./bench.ts";
import type { Load } from "./bench-drive.ts";
import { Latencies, type LatencySummary } from "./bench-histogram.ts";
import { type JournalLine, readJournal } from "./bench-journal.ts";
import type { ErrorCount, Outcome, Sample } from "./bench-record.ts";
import { type Fault, type Part, partOf } from "./bench-faults.ts";
import type { SessionCounts } from "./bench-session.ts";
import type { Patience } from "./peer.ts";

export interface FailoverOptions {
  readonly bench: Omit<BenchOptions, "ended">;
  readonly load: Load;
  readonly durationMs: number;
  readonly warmupMs: number;
  readonly faults: readonly Fault[];
  readonly parts: readonly Part[];
  /** Where the servers note what they execute; undefined where they do not. */
  readonly journal: string | undefined;
  readonly progress?: (progress: Progress) => void;
  /** The sessions are there, and the run begins. */
  readonly opened?: () => void;
  /** Hears when a fault begins or ends. */
  readonly event?: (text: string) => void;
}

/** One call, in milliseconds from the beginning of the run. */
export interface Fate {
  readonly nonce: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly ok: boolean;
  readonly class: string;
  /** The server that answered, where it says so. */
  readonly by: string;
}

export interface FaultEffect {
  readonly fault: string;
  readonly kind: string;
  readonly part: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** From the fault to the first call that failed or was slow; null where none was. */
  readonly detectionMs: number | null;
  /** From the fault to the start of the last call that failed or was slow. */
  readonly recoveryMs: number;
  /** From the end of the fault to the next answer of that part; null where it gave none. */
  readonly failbackMs: number | null;
  readonly started: number;
  readonly failed: number;
  readonly slow: number;
  /** Share of the calls that succeeded while the fault lasted and its effects. */
  readonly availability: number;
  readonly latencyMs: LatencySummary | null;
}

/** What the servers executed, beside what the callers were told. */
export interface Executions {
  /** Calls of the run. */
  readonly calls: number;
  /** Never executed. */
  readonly lost: number;
  /** … of those the ones that were answered as if they had been. */
  readonly lostButAnswered: number;
  /** Executions beyond the first one of a call. */
  readonly duplicated: number;
  /** Executed, but the caller got an error. */
  readonly unanswered: number;
  /** Calls that came to servers more than once. */
  readonly retried: number;
}

export interface FailoverResult {
  readonly sessions: Readonly<SessionCounts>;
  readonly fates: readonly Fate[];
  readonly effects: readonly FaultEffect[];
  readonly executions: Executions | null;
  readonly steadyMs: LatencySummary | null;
  readonly availability: number;
  readonly errors: readonly ErrorCount[];
  readonly counts: { readonly started: number; readonly ok: number; readonly failed: number; readonly dropped: number };
  readonly lagP99Ms: number;
  readonly elapsedMs: number;
}

/** What was frozen may still execute what it had when it goes on. */
const settleMs = 700;

export async function runFailover(options: FailoverOptions, patience: Patience): Promise<FailoverResult> {
  const { load, durationMs, warmupMs, faults, parts, journal } = options;
  for (const fault of faults) partOf(fault, parts);
  const calls: { readonly sample: Sample; readonly nonce: string; readonly outcome: Outcome; readonly by: string }[] =
    [];
  const ended: BenchOptions["ended"] = (sample, nonce, outcome, reply) =>
    void calls.push({ sample, nonce, outcome, by: reply === undefined ? "" : answererOf(reply) });
  await using bench = await Bench.open({ ...options.bench, ended }, patience);
  options.opened?.();
  calls.length = 0;
  using scope = new Scope(patience.scope);
  const schedule = planFaults(options, warmupMs);
  let round;
  try {
    const { progress } = options;
    round = await bench.round(
      { load, durationMs, count: Infinity, warmupMs, ...(progress ? { progress } : {}) },
      scope,
    );
  } finally {
    await schedule.stop();
  }
  if (journal !== undefined) await sleep(settleMs, patience.scope).catch(() => {});
  const { recorder, lag, elapsedMs } = round;
  const began = recorder.beganAt;
  const fates = calls
    .filter(({ sample }) => sample.intendedAt >= began)
    .map(({ sample, nonce, outcome, by }) => ({
      nonce,
      startMs: sample.intendedAt - began,
      endMs: sample.endedAt - began,
      ok: outcome.kind === "ok",
      class: outcome.kind === "ok" ? "" : outcome.class,
      by,
    }))
    .toSorted((a, b) => a.startMs - b.startMs);
  const steady = steadyOf(fates, faults);
  const { started, ok, failed, dropped } = recorder;
  return {
    sessions: { ...bench.counts },
    fates,
    effects: faults.map((fault) => effectOf(fault, faults, fates, steady)),
    executions: journal === undefined ? null : countExecutions(fates, readJournal(journal)),
    steadyMs: steady.summary(),
    availability: started + dropped === 0 ? 0 : ok / (started + dropped),
    errors: recorder.errors(),
    counts: { started, ok, failed, dropped },
    lagP99Ms: lag.percentile(99),
    elapsedMs,
  };
}

/** The first word of what the fixture answers is its name. */
function answererOf(reply: Uint8Array): string {
  const [, name = ""] = /"text":"([\w.-]{1,40}) /.exec(decodeText(reply.subarray(0, 400))) ?? [];
  return name;
}

/** Begins and ends each fault when its time has come; `stop` ends those that still last. */
function planFaults(
  { faults, parts, event }: FailoverOptions,
  warmupMs: number,
): { readonly stop: () => Promise<void> } {
  const lasting = new Set<Fault>();
  const work: Promise<void>[] = [];
  const end = (fault: Fault): void => {
    if (!lasting.delete(fault)) return;
    event?.(`${fault.text} ends`);
    work.push(
      partOf(fault, parts)
        .end(fault.kind)
        .catch(() => {}),
    );
  };
  const cancels = faults.flatMap((fault) => [
    after(warmupMs + fault.fromMs, () => {
      lasting.add(fault);
      event?.(`${fault.text} begins`);
      work.push(
        partOf(fault, parts)
          .begin(fault.kind)
          .catch(() => {}),
      );
    }),
    after(warmupMs + fault.toMs, () => end(fault)),
  ]);
  return {
    stop: async () => {
      for (const cancel of cancels) cancel();
      for (const fault of [...lasting]) end(fault);
      await Promise.all(work);
    },
  };
}

/** Of calls that ended before the first fault. */
function steadyOf(fates: readonly Fate[], faults: readonly Fault[]): Latencies {
  const firstMs = Math.min(...faults.map(({ fromMs }) => fromMs), Infinity);
  const steady = new Latencies();
  for (const { ok, startMs, endMs } of fates) if (ok && endMs < firstMs) steady.add(endMs - startMs);
  return steady;
}

/** A call is slow that takes much longer than nearly all did before. */
const slowFactor = 3;
const slowMoreMs = 50;

export function effectOf(
  fault: Fault,
  faults: readonly Fault[],
  fates: readonly Fate[],
  steady: Latencies,
): FaultEffect {
  const { fromMs, toMs, part, kind, text } = fault;
  // What comes after the next fault is that one's.
  const nextMs = Math.min(...faults.map((each) => each.fromMs).filter((ms) => ms > fromMs), Infinity);
  const p99 = steady.count === 0 ? 0 : steady.percentile(99);
  const slowMs = Math.max(p99 * slowFactor, p99 + slowMoreMs);
  const isSlow = ({ ok, startMs, endMs }: Fate): boolean => ok && endMs - startMs > slowMs;
  const concerned = fates.filter(({ startMs, endMs }) => endMs >= fromMs && startMs < nextMs);
  const harmed = concerned.filter((fate) => !fate.ok || isSlow(fate));
  const seenMs = Math.min(...harmed.map(({ startMs, endMs, ok }) => (ok ? Math.max(fromMs, startMs) + slowMs : endMs)));
  const lastMs = Math.max(fromMs, ...harmed.map(({ startMs }) => startMs));
  const window = concerned.filter(({ startMs }) => startMs <= Math.max(toMs, lastMs));
  const latencies = new Latencies();
  for (const { ok, startMs, endMs } of window) if (ok) latencies.add(endMs - startMs);
  const back = fates.filter(({ by, ok, endMs }) => ok && by === part && endMs >= toMs).map(({ endMs }) => endMs);
  const failed = window.filter(({ ok }) => !ok).length;
  return {
    fault: text,
    kind,
    part,
    fromMs,
    toMs,
    detectionMs: harmed.length === 0 ? null : Math.max(0, Math.round(seenMs - fromMs)),
    recoveryMs: harmed.length === 0 ? 0 : Math.max(0, Math.round(lastMs - fromMs)),
    failbackMs: back.length === 0 ? null : Math.round(Math.min(...back) - toMs),
    started: window.length,
    failed,
    slow: window.filter(isSlow).length,
    availability: window.length === 0 ? 1 : (window.length - failed) / window.length,
    latencyMs: latencies.summary(),
  };
}

function countExecutions(fates: readonly Fate[], journal: readonly JournalLine[]): Executions {
  const got = new Map<string, number>();
  const ran = new Map<string, number>();
  for (const { event, nonce } of journal) {
    const counts = event === "got" ? got : ran;
    counts.set(nonce, (counts.get(nonce) ?? 0) + 1);
  }
  const runs = fates.map(({ nonce, ok }) => ({ ok, times: ran.get(nonce) ?? 0 }));
  const count = (is: (each: { readonly ok: boolean; readonly times: number }) => boolean): number =>
    runs.filter(is).length;
  return {
    calls: fates.length,
    lost: count(({ times }) => times === 0),
    lostButAnswered: count(({ ok, times }) => ok && times === 0),
    duplicated: runs.reduce((sum, { times }) => sum + Math.max(0, times - 1), 0),
    unanswered: count(({ ok, times }) => !ok && times > 0),
    retried: fates.filter(({ nonce }) => (got.get(nonce) ?? 0) > 1).length,
  };
}
