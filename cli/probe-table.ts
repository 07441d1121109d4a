// Probes for people: one line a server, and below it what is wrong with whom.

import process from "node:process";
import { median, type ProbeReport, seconds, type State } from "../lib/toolbox.ts";
import { type Color, fold, plain } from "./output.ts";
import { table } from "./columns.ts";
import { failureLines } from "./report.ts";

export const stateColors: Readonly<Record<State, Color>> = {
  healthy: "green",
  degraded: "yellow",
  down: "red",
  auth: "red",
};

export function probeText(reports: readonly ProbeReport[], wide: boolean): readonly string[] {
  if (reports.length === 0) return [];
  return [...probeTable(reports, wide), ...troubles(reports)];
}

export function probeTable(reports: readonly ProbeReport[], wide: boolean): readonly string[] {
  const count = (value: number | undefined): string => (value === undefined ? "" : String(value));
  const color = (cell: string): Color | undefined =>
    cell === "healthy" || cell === "degraded" || cell === "down" || cell === "auth" ? stateColors[cell] : undefined;
  const columns = [
    { title: "SERVER", flexible: true, floor: 20 },
    { title: "STATE", color },
    { title: "PROTOCOL" },
    { title: wide ? "IMPLEMENTATION" : "", flexible: true },
    { title: "TOOLS", align: "right" as const },
    { title: wide ? "RESOURCES" : "", align: "right" as const },
    { title: wide ? "TEMPLATES" : "", align: "right" as const },
    { title: wide ? "PROMPTS" : "", align: "right" as const },
    { title: wide ? "TOKENS" : "", align: "right" as const },
    { title: "PING", align: "right" as const },
    { title: "TIME", align: "right" as const },
    { title: "NOTE", flexible: true },
  ];
  const used = columns.map(({ title }) => title !== "");
  const rows = reports.map((report) => {
    const { lists, pings, failure, warnings } = report;
    const ping = median(pings);
    const tokens = Object.values(lists).reduce((sum, list) => sum + list.tokens, 0);
    return [
      nameOf(report),
      report.state,
      report.protocolVersion,
      [report.serverName, report.serverVersion].filter(Boolean).join(" "),
      count(lists.tools?.items),
      count(lists.resources?.items),
      count(lists.templates?.items),
      count(lists.prompts?.items),
      String(tokens),
      ping === undefined ? "" : seconds1(ping),
      seconds1(report.ms),
      failure ? `${failure.code} ${failure.message}` : (warnings[0]?.text ?? ""),
    ].filter((_, index) => used[index]);
  });
  return table(
    columns.filter((_, index) => used[index]),
    rows,
  );
}

/** Below ten milliseconds the tenths matter. */
function seconds1(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : seconds(ms);
}

export function nameOf({ target, replica }: ProbeReport): string {
  return target.plan.replicas.length > 1 ? `${target.name}[${replica}]` : target.name;
}

function troubles(reports: readonly ProbeReport[]): readonly string[] {
  return reports.flatMap((report) => {
    const warnings = report.warnings.map(({ text }) => `warning: ${nameOf(report)}: ${text}`);
    const failure = report.failure ? failureLines(report.failure) : [];
    const lines = [...failure, ...warnings].flatMap((line) => fold(process.stdout, plain(line)));
    return lines.length === 0 ? [] : ["", ...lines];
  });
}
