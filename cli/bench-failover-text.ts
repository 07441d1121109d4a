// A failover for people, and as its document holds it.

import process from "node:process";
import { type FailoverResult, formatMs, formatShare, type Judged } from "../lib/bench.ts";
import { heat } from "./bench-view.ts";
import { screenWidth, table } from "./columns.ts";
import { foldAt, paintFor, plain } from "./output.ts";

export const failoverFormats = ["table", "json", "html"] as const;
export type FailoverFormat = (typeof failoverFormats)[number];

export interface FailoverReport {
  readonly target: string;
  readonly call: string;
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly result: FailoverResult;
  readonly thresholds: readonly Judged[];
  readonly ok: boolean;
}

/** A stretch of the timeline. */
interface Beat {
  readonly startMs: number;
  readonly started: number;
  readonly failed: number;
  readonly slowestMs: number | null;
}

export function beatsOf({ result, durationMs }: FailoverReport, columns: number): readonly Beat[] {
  const stepMs = durationMs / columns;
  return Array.from({ length: columns }, (_, at) => {
    const here = result.fates.filter(({ startMs }) => startMs >= at * stepMs && startMs < (at + 1) * stepMs);
    const took = here.filter(({ ok }) => ok).map(({ startMs, endMs }) => endMs - startMs);
    return {
      startMs: Math.round(at * stepMs),
      started: here.length,
      failed: here.filter(({ ok }) => !ok).length,
      slowestMs: took.length === 0 ? null : Math.round(Math.max(...took) * 1000) / 1000,
    };
  });
}

const beats = 100;

export function failoverBody(report: FailoverReport): Readonly<Record<string, unknown>> {
  const { target, call, startedAt, durationMs, result, thresholds, ok } = report;
  const { sessions, effects, executions, steadyMs, availability, errors, counts, lagP99Ms } = result;
  return {
    ok,
    target,
    call,
    startedAt: startedAt.toISOString(),
    durationMs,
    calls: counts,
    availability,
    faults: effects,
    executions,
    steadyMs,
    sessions,
    errors,
    generator: { valid: lagP99Ms <= 2, lagP99Ms: Number.isNaN(lagP99Ms) ? null : lagP99Ms },
    timeline: beatsOf(report, beats),
    thresholds,
  };
}

export function failoverText(report: FailoverReport, width: number = screenWidth()): readonly string[] {
  const { target, call, durationMs, result, thresholds } = report;
  const { counts, availability, steadyMs, errors } = result;
  const head = [
    `${target}: ${call} for ${Number((durationMs / 1000).toFixed(1))} s`,
    `${counts.ok} succeeded, ${counts.failed} failed: availability ${formatShare(availability)}`,
    `p99 before the first fault: ${formatMs(steadyMs?.p99 ?? 0)}`,
  ];
  const rows = thresholds.map(({ threshold, actual, ok }) => [ok ? "kept" : "missed", threshold, actual]);
  const errorRows = errors.map(({ class: name, count, message }) => [String(count), name, message]);
  return [
    ...head.flatMap((line) => foldAt(width, plain(line))),
    "",
    ...timelineLines(report, Math.min(80, width - 12)),
    "",
    ...effectTable(result, width),
    "",
    ...executionLines(result).flatMap((line) => foldAt(width, line)),
    ...(errorRows.length === 0 ? [] : ["", ...table(errorColumns, errorRows, width)]),
    ...(rows.length === 0 ? [] : ["", ...table(resultColumns, rows, width)]),
  ];
}

const errorColumns = [
  { title: "ERRORS", align: "right" as const },
  { title: "CLASS" },
  { title: "FIRST", flexible: true },
];
const resultColumns = [
  { title: "RESULT", color: (cell: string) => (cell === "kept" ? ("green" as const) : ("red" as const)) },
  { title: "THRESHOLD" },
  { title: "ACTUAL" },
];

/** Slowest calls, failures and faults, one below the other. */
function timelineLines(report: FailoverReport, columns: number): readonly string[] {
  const beat = beatsOf(report, columns);
  const stepMs = report.durationMs / columns;
  const faultLines = report.result.effects.map(({ fault, fromMs, toMs }) => {
    const from = Math.floor(fromMs / stepMs);
    const length = Math.max(1, Math.round((toMs - fromMs) / stepMs));
    const label = fault.length <= columns - from - length - 1 ? ` ${fault}` : "";
    const line = `${" ".repeat(from)}${"█".repeat(length)}${label}`;
    return label === "" ? `  faults   ${line.slice(0, columns)}  ${fault}` : `  faults   ${line}`;
  });
  const failures = beat.map(({ failed }) => (failed === 0 ? "·" : failed < 10 ? String(failed) : "#")).join("");
  return [
    `  slowest  ${heat(
      beat.map(({ slowestMs }) => slowestMs),
      columns,
    )}`,
    `  failed   ${failures}`,
    ...faultLines,
  ];
}

/** What each fault did, and how calls were before: fault, seen, over, back, failed, slow, available, p99. */
export function effectRows({ effects, steadyMs }: FailoverResult): readonly (readonly string[])[] {
  const ms = (value: number | null): string => (value === null ? "-" : formatMs(value));
  const rows = effects.map((effect) => [
    effect.fault,
    ms(effect.detectionMs),
    effect.detectionMs === null ? "-" : ms(effect.recoveryMs),
    ms(effect.failbackMs),
    String(effect.failed),
    String(effect.slow),
    formatShare(effect.availability),
    ms(effect.latencyMs?.p99 ?? null),
  ]);
  return [...rows, ["before", "", "", "", "", "", "", ms(steadyMs?.p99 ?? null)]];
}

function effectTable(result: FailoverResult, width: number): readonly string[] {
  const right = { align: "right" as const };
  const columns = [
    { title: "FAULT", flexible: true, floor: 12 },
    { title: "SEEN", ...right },
    { title: "OVER", ...right },
    { title: "BACK", ...right },
    { title: "FAILED", ...right },
    { title: "SLOW", ...right },
    { title: "AVAILABLE", ...right },
    { title: "p99", ...right },
  ];
  return [
    ...table(columns, effectRows(result), width),
    ...foldAt(
      width,
      "SEEN: from the fault to the first call that failed or was slow. OVER: to the start of the last one. BACK: from its end to the next answer of that part.",
    ),
  ];
}

function executionLines({ executions, sessions: counts, lagP99Ms }: FailoverResult): readonly string[] {
  const { lost, reinitialised, reconnected } = counts;
  const sessions = `sessions: ${lost} lost, ${reinitialised} initialised again, ${reconnected} connected again`;
  const lag = `generator: lag p99 ${formatMs(Number.isNaN(lagP99Ms) ? 0 : lagP99Ms)}`;
  const verdict =
    lagP99Ms > 2
      ? `${lag}: NOT VALID, this machine has too little left for the generator`
      : `${lag}: the figures are valid`;
  const last = paintFor(process.stdout, verdict, lagP99Ms > 2 ? "yellow" : undefined);
  if (!executions) return ["executions: not counted; bench fixture --journal and --journal count them", sessions, last];
  const { calls, lost: never, lostButAnswered, duplicated, unanswered, retried } = executions;
  const counted = `executions of ${calls} calls: ${never} lost${lostButAnswered > 0 ? ` (${lostButAnswered} of them answered)` : ""}, ${duplicated} duplicated`;
  const isClean = never === 0 && duplicated === 0;
  return [
    paintFor(process.stdout, counted, isClean ? "green" : "red"),
    `${unanswered} executed whose caller got an error, ${retried} sent more than once`,
    sessions,
    last,
  ];
}
