// Runs one benchmark and shows what came of it.

import { writeFileSync } from "node:fs";
import { extname } from "node:path";
import { asGatewayError, GatewayError } from "../lib/index.ts";
import {
  Bench,
  benchMetrics,
  type BenchReport,
  compareStored,
  type Difference,
  impliedErrorRate,
  type Judged,
  judgeThreshold,
  markUsage,
  parseThreshold,
  processesOf,
  type Progress,
  readBaseline,
  reportRound,
  usageSince,
} from "../lib/bench.ts";
import { describeFailure, Evidence, seconds, type Target } from "../lib/toolbox.ts";
import type { LoadRequest } from "./bench-flags.ts";
import { type BenchFormat, formatBench } from "./bench-formats.ts";
import type { BenchResult } from "./bench-result.ts";
import { BenchView } from "./bench-view.ts";
import { print } from "./output.ts";
import { isCut, limitRun, type Limits, limits } from "./patience.ts";
import { sayFailure } from "./report.ts";
import { version } from "./version.ts";

export interface BenchOutput {
  readonly format: BenchFormat;
  readonly thresholds: readonly string[];
  /** A stored run that this one must not be slower than. */
  readonly baseline: string | undefined;
  /** A share by which it may. */
  readonly tolerance: number;
  /** Files to write beside the answer; the ending says the form. */
  readonly files: readonly string[];
}

export async function runBench(target: Target, request: LoadRequest, output: BenchOutput): Promise<number> {
  const written = output.thresholds.some((each) => each.trimStart().startsWith("error_rate"))
    ? output.thresholds
    : [...output.thresholds, impliedErrorRate];
  const thresholds = written.map((each) => parseThreshold(each, benchMetrics));
  const files = output.files.map((file): [string, Exclude<BenchFormat, "table">] => [file, formOf(file)]);
  const baseline = output.baseline === undefined ? undefined : readBaseline(output.baseline);
  using bound = limits(request.timeoutMs);
  const evidence = new Evidence();
  let report: BenchReport;
  try {
    report = await measure(target, request, evidence, bound);
  } catch (error) {
    const { row, code } = asGatewayError(error);
    if (row.exit === 2 || code === "internal") throw error;
    const failure = describeFailure(error, target, evidence);
    sayFailure(failure, output.format === "json" || output.format === "ndjson");
    return bound.interrupted ? 130 : failure.exit;
  }
  const regressions = baseline ? compareStored(baseline, report, output.tolerance).map(regressionOf) : [];
  const judged = [
    ...(isCut(bound) ? [cutRun(request.timeoutMs)] : []),
    ...thresholds.map((each) => judgeThreshold(each, benchMetrics, report)),
    ...regressions,
  ];
  const isDead = report.calls.ok === 0;
  const result: BenchResult = { report, thresholds: judged, ok: !isDead && judged.every(({ ok }) => ok) };
  for (const [file, form] of files) save(file, await formatBench(result, form));
  if (output.format !== "table") await print(await formatBench(result, output.format));
  else {
    const { benchText } = await import("./bench-text.ts");
    await print(
      benchText(result)
        .map((line) => `${line}\n`)
        .join(""),
    );
  }
  if (bound.interrupted) return 130;
  return result.ok ? 0 : 1;
}

/** A run that did not come to its end is not the one that was asked for. */
export function cutRun(timeoutMs: number): Judged {
  return { threshold: "the whole run", actual: `cut after ${seconds(timeoutMs)}`, ok: false };
}

function regressionOf({ metric, estimate, verdict }: Difference): Judged {
  const percent = (ratio: number): string => `${ratio < 1 ? "" : "+"}${((ratio - 1) * 100).toFixed(1)}%`;
  const interval = estimate && ` (95 % interval ${percent(estimate.low)} to ${percent(estimate.high)})`;
  const actual = estimate ? `${percent(estimate.ratio)}${interval ?? ""}` : "too few slices";
  return { threshold: `${metric} as the baseline`, actual, ok: estimate !== undefined && verdict !== "slower" };
}

async function measure(target: Target, request: LoadRequest, evidence: Evidence, bound: Limits): Promise<BenchReport> {
  const { load, durationMs, count, warmupMs, sessions, cases, call, ...rest } = request;
  const before = new Set(processesOf(target, new Set()));
  const options = { target, version, cases, sessions, evidence, ...rest };
  await using bench = await Bench.open(options, bound);
  limitRun(bound);
  const roots = processesOf(target, before);
  const mark = markUsage(roots);
  const view = new BenchView(target.name, request);
  const startedAt = new Date();
  try {
    const progress = (now: Progress): void => view.show(now);
    const round = await bench.round({ load, durationMs, count, warmupMs, progress }, bound.scope);
    return reportRound(bench, round, {
      target,
      call,
      startedAt,
      load,
      warmupMs,
      sessions,
      usage: usageSince(roots, mark),
    });
  } finally {
    view.clear();
  }
}

function formOf(file: string): Exclude<BenchFormat, "table"> {
  switch (extname(file).toLowerCase()) {
    case ".json":
      return "json";
    case ".html":
    case ".htm":
      return "html";
    case ".csv":
      return "csv";
    case ".xml":
      return "junit";
    case ".ndjson":
    case ".jsonl":
      return "ndjson";
  }
  throw new GatewayError("usage", `--report ${file}: the file must end with .json, .ndjson, .html, .csv or .xml`);
}

function save(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new GatewayError("output", `${file} cannot be written`, { cause: error });
  }
}
