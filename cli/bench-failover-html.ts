// A failover as one HTML file: the timeline with its faults, and what became of the calls.

import { formatMs, formatShare } from "../lib/bench.ts";
import { beatsOf, effectRows, type FailoverReport } from "./bench-failover-text.ts";
import { type Chart, chartFigure, niceAxis } from "./html-charts.ts";
import { figureList, htmlPage, htmlTable } from "./html-page.ts";
import { escapeXml } from "./markup.ts";

const beats = 120;

export function failoverHtml(report: FailoverReport): string {
  const { target, call, durationMs, startedAt, result, thresholds, ok } = report;
  const { counts, availability, executions, errors, lagP99Ms } = result;
  const judged = thresholds.map((each) => [each.ok ? "kept" : "missed", each.threshold, each.actual]);
  const failed = errors.map(({ class: name, count, message }) => [String(count), name, message]);
  const isLate = lagP99Ms > 2;
  const count = (value: number | undefined): string => (value === undefined ? "not counted" : String(value));
  const body = [
    `<h1>${escapeXml(`${target}: ${call}`)}</h1>`,
    `<p>${counts.started} calls in ${Number((durationMs / 1000).toFixed(1))} s, while parts broke</p>`,
    `<p class="dim">${escapeXml(startedAt.toISOString())}</p>`,
    thresholds.length === 0
      ? ""
      : `<p class="verdict ${ok ? "good" : "bad"}">${ok ? "Every threshold was kept" : "A threshold was missed"}</p>`,
    figureList([
      ["availability", formatShare(availability)],
      ["failed", String(counts.failed)],
      ["executions lost", count(executions?.lost)],
      ["duplicated", count(executions?.duplicated)],
      ["executed, but error", count(executions?.unanswered)],
      ["sent more than once", count(executions?.retried)],
    ]),
    `<h2>Timeline</h2><div class="charts">${charts(report).map(chartFigure).join("\n")}</div>`,
    `<h2>Faults</h2>${faultTable(report)}`,
    '<p class="dim">Seen: from the fault to the first call that failed or was slow. Over: to the start of the last one. Back: from its end to the next answer of that part.</p>',
    judged.length === 0
      ? ""
      : `<h2>Thresholds</h2>${htmlTable("Thresholds", ["Result", "Threshold", "Actual"], judged)}`,
    failed.length === 0 ? "" : `<h2>Errors</h2>${htmlTable("Errors", ["Calls", "Class", "First message"], failed)}`,
    `<h2>Is it true?</h2><p class="${isLate ? "bad" : "good"}">${isLate ? "NOT VALID: this machine has too little left for the generator." : "The generator kept up: the figures are valid."}</p>`,
  ];
  return htmlPage(`${target}: failover`, body.filter(Boolean).join("\n"));
}

function charts(report: FailoverReport): readonly Chart[] {
  const { durationMs, result } = report;
  const beat = beatsOf(report, beats);
  const stepMs = durationMs / beats;
  const marks = result.effects.map(({ fault, fromMs, toMs }) => ({
    from: fromMs / 1000,
    to: toMs / 1000,
    label: fault,
  }));
  const seconds = niceAxis(durationMs / 1000, (value) => `${Number(value.toPrecision(3))} s`, 5);
  const ticks = seconds.ticks.filter(([value]) => value <= durationMs / 1000);
  const x = { from: 0, to: durationMs / 1000, ticks };
  const slowest = Math.max(1, ...beat.map(({ slowestMs }) => slowestMs ?? 0));
  const kinds = ["succeeded", "failed"] as const;
  const most = Math.max(1, ...beat.map(({ started }) => started));
  return [
    {
      title: "Slowest call",
      description: `Up to ${formatMs(slowest)}; the faults are shaded.`,
      x,
      y: niceAxis(slowest, formatMs),
      marks,
      lines: [
        {
          name: "latency",
          points: beat.map(({ startMs, slowestMs }) =>
            slowestMs === null ? undefined : ([(startMs + stepMs / 2) / 1000, slowestMs] as const),
          ),
        },
      ],
    },
    {
      title: "Calls",
      description: `${result.counts.ok} succeeded, ${result.counts.failed} failed; the faults are shaded.`,
      x,
      y: niceAxis(most, String),
      marks,
      bars: kinds.map((name, index) => ({
        name,
        items: beat.map(({ startMs, started, failed }) => ({
          from: startMs / 1000,
          to: (startMs + stepMs) / 1000,
          base: index === 0 ? 0 : started - failed,
          value: index === 0 ? started - failed : failed,
        })),
      })),
    },
  ];
}

function faultTable({ result }: FailoverReport): string {
  return htmlTable(
    "Faults",
    ["Fault", "seen", "over", "back", "failed", "slow", "available", "p99"],
    effectRows(result),
  );
}
