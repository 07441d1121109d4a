// A run in the forms that scripts and other programs read.

import type { BenchReport } from "../lib/bench.ts";
import { document, toJson } from "./answer.ts";
import type { BenchResult } from "./bench-result.ts";
import { escapeXml } from "./markup.ts";

export const benchFormats = ["table", "json", "ndjson", "csv", "html", "junit"] as const;
export type BenchFormat = (typeof benchFormats)[number];

function benchBody({ report, thresholds, ok }: BenchResult): Readonly<Record<string, unknown>> {
  return { ok, ...report, thresholds };
}

/** The text of every form but the table. */
export async function formatBench(result: BenchResult, format: Exclude<BenchFormat, "table">): Promise<string> {
  switch (format) {
    case "json":
      return `${toJson(document("BenchReport", benchBody(result)), 2)}\n`;
    case "ndjson":
      return ndjson(result);
    case "csv":
      return csv(result.report);
    case "junit":
      return junit(result);
    case "html":
      return (await import("./bench-html.ts")).htmlReport(result);
  }
}

/** One line for each slice of the run, and one for the whole. */
function ndjson(result: BenchResult): string {
  const lines = result.report.timeline.map((slice) => document("BenchSlice", { ...slice }));
  return [...lines, document("BenchReport", { ...benchBody(result), timeline: [] })]
    .map((line) => `${toJson(line)}\n`)
    .join("");
}

const columns = ["startMs", "started", "ok", "failed", "dropped", "p50", "p90", "p99", "max"] as const;

function csv({ timeline }: BenchReport): string {
  const rows = timeline.map((slice) => columns.map((name) => String(slice[name] ?? "")).join(","));
  return [columns.join(","), ...rows].map((line) => `${line}\n`).join("");
}

/** Each threshold is a test case; build servers know the form. */
function junit({ report, thresholds }: BenchResult): string {
  const { target, call, calls, load } = report;
  const failures = thresholds.filter(({ ok }) => !ok);
  const cases = thresholds.map(({ threshold, actual, ok }) => {
    const open = `    <testcase classname="${escapeXml(`mcpctl.bench.${target}`)}" name="${escapeXml(threshold)}">`;
    if (ok) return `${open}</testcase>`;
    return `${open}\n      <failure message="${escapeXml(`${threshold} was asked for, and it was ${actual}`)}"/>\n    </testcase>`;
  });
  const seconds = (load.durationMs / 1000).toFixed(3);
  const counts = `tests="${thresholds.length}" failures="${failures.length}" errors="0" skipped="0" time="${seconds}"`;
  const summary = `${calls.ok} calls succeeded, ${calls.failed} failed, ${calls.dropped} dropped`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="${escapeXml(`${target} ${call}`)}" ${counts} timestamp="${report.startedAt.slice(0, 19)}">`,
    ...cases,
    `    <system-out>${escapeXml(summary)}</system-out>`,
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}
