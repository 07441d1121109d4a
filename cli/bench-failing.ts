// Runs one failover benchmark and shows what came of it.

import { writeFileSync } from "node:fs";
import { asGatewayError, GatewayError } from "../lib/index.ts";
import {
  type FailoverResult,
  type Fault,
  type Judged,
  judgeThreshold,
  type Metrics,
  parseThreshold,
  type Part,
  runFailover,
} from "../lib/bench.ts";
import { describeFailure, Evidence, type Target } from "../lib/toolbox.ts";
import { document, toJson } from "./answer.ts";
import type { LoadRequest } from "./bench-flags.ts";
import { failoverBody, type FailoverFormat, type FailoverReport, failoverText } from "./bench-failover-text.ts";
import { cutRun } from "./bench-run.ts";
import { BenchView } from "./bench-view.ts";
import { print, say } from "./output.ts";
import { isCut, limitRun, limits } from "./patience.ts";
import { sayFailure } from "./report.ts";
import { version } from "./version.ts";

export interface FailoverRequest {
  readonly target: Target;
  readonly load: LoadRequest;
  readonly faults: readonly Fault[];
  readonly parts: readonly Part[];
  readonly journal: string | undefined;
  readonly output: {
    readonly format: FailoverFormat;
    readonly thresholds: readonly string[];
    readonly files: readonly string[];
  };
}

const worst = (values: readonly (number | null)[]): number => Math.max(0, ...values.map((value) => value ?? 0));

const metrics: Metrics<FailoverResult> = {
  availability: { unit: "share", read: ({ availability }) => availability },
  error_rate: { unit: "share", read: ({ counts }) => counts.failed / Math.max(1, counts.ok + counts.failed) },
  errors: { unit: "count", read: ({ counts }) => counts.failed },
  lost: { unit: "count", read: ({ executions }) => executions?.lost ?? NaN },
  duplicated: { unit: "count", read: ({ executions }) => executions?.duplicated ?? NaN },
  unanswered: { unit: "count", read: ({ executions }) => executions?.unanswered ?? NaN },
  detection: { unit: "ms", read: ({ effects }) => worst(effects.map(({ detectionMs }) => detectionMs)) },
  recovery: { unit: "ms", read: ({ effects }) => worst(effects.map(({ recoveryMs }) => recoveryMs)) },
  failback: { unit: "ms", read: ({ effects }) => worst(effects.map(({ failbackMs }) => failbackMs)) },
  p99: { unit: "ms", read: ({ effects }) => worst(effects.map(({ latencyMs }) => latencyMs?.p99 ?? null)) },
};

export async function runFailoverBench(request: FailoverRequest): Promise<number> {
  const { target, load, faults, parts, journal, output } = request;
  const thresholds = output.thresholds.map((each) => parseThreshold(each, metrics));
  checkFiles(output.files);
  using bound = limits(load.timeoutMs);
  const evidence = new Evidence();
  const { load: model, durationMs, warmupMs, cases, sessions, call } = load;
  const { allowsWrites, maxInFlight, callMs, protocol } = load;
  const view = new BenchView(target.name, load);
  const startedAt = new Date();
  let result: FailoverResult;
  try {
    const bench = { target, version, cases, sessions, evidence, allowsWrites, maxInFlight, callMs, protocol };
    const opened = (): void => limitRun(bound);
    const event = (text: string): void => {
      view.clear();
      say(text);
    };
    const progress = view.show.bind(view);
    result = await runFailover(
      { bench, load: model, durationMs, warmupMs, faults, parts, journal, progress, event, opened },
      bound,
    );
  } catch (error) {
    view.clear();
    const { row, code } = asGatewayError(error);
    if (row.exit === 2 || code === "internal") throw error;
    const failure = describeFailure(error, target, evidence);
    sayFailure(failure, output.format === "json");
    return bound.interrupted ? 130 : failure.exit;
  }
  view.clear();
  const cut = isCut(bound) ? [cutRun(load.timeoutMs)] : [];
  const judged: readonly Judged[] = [...cut, ...thresholds.map((each) => judgeThreshold(each, metrics, result))];
  const ok = result.counts.ok > 0 && judged.every((each) => each.ok);
  const report: FailoverReport = { target: target.name, call, startedAt, durationMs, result, thresholds: judged, ok };
  for (const file of output.files)
    writeReport(file, await formatFailover(report, /\.json$/i.test(file) ? "json" : "html"));
  await print(await formatFailover(report, output.format));
  if (bound.interrupted) return 130;
  return ok ? 0 : 1;
}

function checkFiles(files: readonly string[]): void {
  const other = files.find((file) => !/\.(?:json|html?)$/i.test(file));
  if (other !== undefined) throw new GatewayError("usage", `--report ${other}: the file must end with .json or .html`);
}

async function formatFailover(report: FailoverReport, format: FailoverFormat): Promise<string> {
  switch (format) {
    case "json":
      return `${toJson(document("FailoverReport", failoverBody(report)), 2)}\n`;
    case "html":
      return (await import("./bench-failover-html.ts")).failoverHtml(report);
    case "table":
      return failoverText(report)
        .map((line) => `${line}\n`)
        .join("");
  }
}

function writeReport(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new GatewayError("output", `${file} cannot be written`, { cause: error });
  }
}
