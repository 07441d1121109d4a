// A run for people: how it was called, how long calls took and where, what failed, and whether the figures hold.

import process from "node:process";
import { type BenchReport, formatMs, formatShare, type LatencySummary } from "../lib/bench.ts";
import { type BenchResult, percentileText } from "./bench-result.ts";
import { heat } from "./bench-view.ts";
import { screenWidth, table } from "./columns.ts";
import { foldAt, paintFor, plain } from "./output.ts";

const percentiles = ["p50", "p75", "p90", "p95", "p99", "p999", "p9999", "max"] as const;
const titles = ["p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
/** Below this some percentiles are left out. */
const wideColumns = 100;

export function benchText({ report, thresholds }: BenchResult, width: number = screenWidth()): readonly string[] {
  const judged = thresholds.map(({ threshold, actual, ok }) => [ok ? "kept" : "missed", threshold, actual]);
  return [
    ...head(report).flatMap((line) => foldAt(width, line)),
    "",
    ...latencyTable(report, width),
    "",
    ...overTime(report, width),
    ...facts(report).flatMap((line) => foldAt(width, line)),
    ...errorLines(report, width),
    "",
    ...table(
      [
        { title: "RESULT", color: (cell) => (cell === "kept" ? "green" : "red") },
        { title: "THRESHOLD" },
        { title: "ACTUAL" },
      ],
      judged,
      width,
    ),
  ];
}

function head({ target, where, protocolVersion, call, load, calls }: BenchReport): readonly string[] {
  const seconds = `${Number((load.durationMs / 1000).toFixed(1))} s`;
  const sessions = load.sessions === 1 ? "1 session" : `${load.sessions} sessions`;
  const clients = load.clients === 1 ? "1 client" : `${load.clients ?? 0} clients`;
  const how = load.model === "open" ? `${load.rate ?? ""} by the clock` : `${clients} in a closed loop`;
  const counts = [
    `${calls.ok} succeeded`,
    `${calls.failed} failed`,
    ...(calls.dropped > 0 ? [`${calls.dropped} dropped`] : []),
    ...(calls.retried > 0 ? [`${calls.retried} sent again`] : []),
  ].join(", ");
  return [
    `${target}: ${call} (${protocolVersion}) at ${where}`,
    `${how} for ${seconds}, ${sessions}`,
    `${counts}: ${formatShare(calls.errorRate)} errors, ${calls.ratePerSecond.toFixed(1)}/s`,
  ].map(plain);
}

function latencyTable(report: BenchReport, width: number): readonly string[] {
  const { latencyMs, serviceMs, closedLoopMs, phasesMs, load, cold, warmup } = report;
  const isOpen = load.model === "open";
  const rows: readonly (readonly [string, LatencySummary | null])[] = [
    [isOpen ? "from the intended start" : "latency", latencyMs],
    ...(isOpen ? ([["  a closed loop would say", closedLoopMs]] as const) : []),
    ["  queue", phasesMs.queue],
    ["  first byte", phasesMs.firstByte],
    ["  body", phasesMs.body],
    ...(phasesMs.firstByte ? [] : ([["  answer", serviceMs]] as const)),
    ["cold: handshake", cold.openMs],
    ["cold: first call", cold.firstCallMs],
    ["warm-up", warmup?.latencyMs ?? null],
  ];
  const shown = width < wideColumns ? [0, 2, 4, 5, 7] : titles.map((_, at) => at);
  const columns = [
    { title: "LATENCY", floor: 20 },
    ...shown.map((at) => ({ title: titles[at] ?? "", align: "right" as const })),
  ];
  const cells = rows.flatMap(([name, summary]) => {
    if (!summary) return [];
    return [[name, ...shown.map((at) => percentileText(summary, percentiles[at] ?? "max"))]];
  });
  return table(columns, cells, width);
}

function overTime({ timeline, load }: BenchReport, width: number): readonly string[] {
  if (timeline.length < 3) return [];
  const chartColumns = Math.min(100, width - 40);
  const step = Math.ceil(timeline.length / chartColumns);
  const most = (pick: (at: number) => number | null): readonly (number | null)[] =>
    Array.from({ length: Math.ceil(timeline.length / step) }, (_, at) => {
      const values = Array.from({ length: step }, (_, inner) => pick(at * step + inner) ?? 0);
      return Math.max(...values);
    });
  const slow = most((at) => timeline[at]?.p99 ?? null);
  const failed = most((at) => (timeline[at]?.failed ?? 0) + (timeline[at]?.dropped ?? 0));
  const worst = Math.max(0, ...slow.map((value) => value ?? 0));
  const seconds = `${Number((load.durationMs / 1000).toFixed(1))} s`;
  return [
    `p99 over ${seconds}   |${heat(slow, chartColumns)}| up to ${formatMs(worst)}`,
    ...(failed.some((value) => value !== 0) ? [`errors            |${heat(failed, chartColumns)}|`] : []),
    "",
  ];
}

function facts({ generator, sessions, process: usage }: BenchReport): readonly string[] {
  const { lagP50Ms, lagP99Ms, valid, note } = generator;
  const lag = `generator: lag p50 ${formatMs(lagP50Ms ?? 0)}, p99 ${formatMs(lagP99Ms ?? 0)}`;
  const verdict = valid ? `${lag}: the figures are valid` : `${lag}: NOT VALID, ${note}`;
  const { opened, lost, reinitialised, reconnected } = sessions;
  const again = [
    ...(lost > 0 ? [`${lost} lost by the server`] : []),
    ...(reinitialised > 0 ? [`${reinitialised} initialised again`] : []),
    ...(reconnected > 0 ? [`${reconnected} connected again`] : []),
  ];
  const megabytes = usage ? `${Math.round(usage.rssBytes / 2 ** 20)} MB` : "";
  return [
    ...(again.length > 0 ? [`sessions: ${opened} opened, ${again.join(", ")}`] : []),
    ...(usage && usage.processes > 0 ? [`server: ${usage.cores.toFixed(2)} cores, ${megabytes}, on this machine`] : []),
    paintFor(process.stdout, verdict, valid ? undefined : "yellow"),
  ];
}

function errorLines({ errors }: BenchReport, width: number): readonly string[] {
  if (errors.length === 0) return [];
  const rows = errors.map(({ class: name, count, message }) => [String(count), name, message]);
  const columns = [
    { title: "ERRORS", align: "right" as const },
    { title: "CLASS" },
    { title: "FIRST", flexible: true },
  ];
  return ["", ...table(columns, rows, width)];
}
