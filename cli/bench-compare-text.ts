// A comparison for people, and as its document holds it.

import process from "node:process";
import { type Comparison, type Difference, formatMs, type SideResult, type Verdict } from "../lib/bench.ts";
import { screenWidth, table } from "./columns.ts";
import { type Color, foldAt, paintFor, plain } from "./output.ts";

export interface CompareReport {
  readonly nameA: string;
  readonly nameB: string;
  readonly call: string;
  readonly blocks: number;
  readonly roundMs: number;
  readonly comparison: Comparison;
}

const verdictColors: Readonly<Record<Verdict, Color | undefined>> = {
  slower: "red",
  faster: "green",
  "no difference": undefined,
};

const method =
  "Rounds A B B A, in pairs; the ratio is Hodges and Lehmann's, with the 95 % interval of Wilcoxon's signed ranks; a verdict needs p < 5 % after Holm.";

export function compareBody(report: CompareReport): Readonly<Record<string, unknown>> {
  const { nameA, nameB, call, blocks, roundMs, comparison } = report;
  const { differences, held, a, b, lagP99Ms, verdict } = comparison;
  return {
    verdict,
    a: { target: nameA, ...a },
    b: { target: nameB, ...b },
    call,
    blocks,
    roundMs,
    method,
    differences: [...differences, ...(held ? [held] : [])].map(differenceBody),
    generator: { valid: lagP99Ms <= 2, lagP99Ms: Number.isNaN(lagP99Ms) ? null : lagP99Ms },
  };
}

function differenceBody({ metric, a, b, estimate, adjustedP, verdict }: Difference): Readonly<Record<string, unknown>> {
  const figure = (value: number): number | null => (Number.isFinite(value) ? Number(value.toPrecision(5)) : null);
  const shown = estimate && {
    ratio: figure(estimate.ratio),
    low: figure(estimate.low),
    high: figure(estimate.high),
    p: figure(adjustedP),
  };
  return { metric, a: figure(a), b: figure(b), estimate: shown ?? null, verdict };
}

export function compareText(report: CompareReport, width: number = screenWidth()): readonly string[] {
  const { nameA, nameB, call, blocks, roundMs, comparison } = report;
  const { differences, held, a, b, lagP99Ms, verdict } = comparison;
  const isLate = lagP99Ms > 2;
  const lag = `generator: lag p99 ${formatMs(Number.isNaN(lagP99Ms) ? 0 : lagP99Ms)}`;
  return [
    ...foldAt(
      width,
      plain(`A ${nameA}, B ${nameB}: ${call}, ${blocks} blocks A B B A, ${Math.round(roundMs)} ms a round`),
    ),
    "",
    ...differenceTable([...differences, ...(held ? [held] : [])], width),
    "",
    ...sideTable(a, b, width),
    "",
    ...foldAt(width, method),
    ...foldAt(
      width,
      isLate
        ? paintFor(process.stdout, `${lag}: NOT VALID, this machine has too little left for the generator`, "yellow")
        : `${lag}: the figures are valid`,
    ),
    paintFor(
      process.stdout,
      verdict === "no difference" ? "B and A: no difference" : `B is ${verdict} than A`,
      verdictColors[verdict],
    ),
  ];
}

function differenceTable(differences: readonly Difference[], width: number): readonly string[] {
  const right = { align: "right" as const };
  const columns = [
    { title: "METRIC" },
    { title: "A", ...right },
    { title: "B", ...right },
    { title: "B TO A", ...right },
    { title: "95 % INTERVAL", ...right },
    {
      title: "VERDICT",
      color: (cell: string) =>
        cell === "slower" ? ("red" as const) : cell === "faster" ? ("green" as const) : undefined,
    },
  ];
  const rows = differences.map(({ metric, a, b, estimate, verdict }) => {
    const show = (value: number): string => (metric === "held rate" ? `${value.toFixed(0)}/s` : formatMs(value));
    const interval = estimate ? `${percent(estimate.low)} to ${percent(estimate.high)}` : "";
    return [metric, show(a), show(b), estimate ? percent(estimate.ratio) : "", interval, verdict];
  });
  return table(columns, rows, width);
}

function percent(ratio: number): string {
  const value = (ratio - 1) * 100;
  if (!Number.isFinite(value) || Math.abs(value) > 999) return `×${ratio.toPrecision(3)}`;
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(1)}%`;
}

function sideTable(a: SideResult, b: SideResult, width: number): readonly string[] {
  const right = { align: "right" as const };
  const columns = [
    { title: "" },
    { title: "CALLS", ...right },
    { title: "FAILED", ...right },
    { title: "CPU A CALL", ...right },
    { title: "MEMORY", ...right },
  ];
  const row = (name: string, { ok, failed, cpuMsPerCall, rssBytes }: SideResult): readonly string[] => [
    name,
    String(ok),
    String(failed),
    cpuMsPerCall === null ? "" : formatMs(cpuMsPerCall),
    rssBytes === null ? "" : `${Math.round(rssBytes / 2 ** 20)} MB`,
  ];
  return table(columns, [row("A", a), row("B", b)], width);
}
