// `mcpctl probe --deep`: when each phase began and how long it took, where the time went, and what the checks found.

import process from "node:process";
import { type Finding, type ProbeReport, seconds, whereabouts } from "../lib/toolbox.ts";
import { fold, paintFor, plain } from "./output.ts";
import { nameOf, stateColors } from "./probe-table.ts";
import type { Probed } from "./probe-document.ts";
import { failureLines } from "./report.ts";

const barWidth = 24;

export function deepText(probed: readonly Probed[]): readonly string[] {
  const lines = probed.flatMap((each, index) => [...(index > 0 ? [""] : []), ...oneText(each)]);
  return lines.flatMap((line) => fold(process.stdout, line));
}

function oneText({ report, findings }: Probed): readonly string[] {
  const { target, replica, state, protocolVersion, era, serverName, serverVersion, failure, warnings } = report;
  const endpoint = target.plan.replicas[replica];
  const head = `${nameOf(report)}  ${paintFor(process.stdout, state, stateColors[state])}`;
  const speaks =
    era === undefined
      ? []
      : [`  speaks ${protocolVersion} (${era}): ${plain(`${serverName} ${serverVersion}`.trim())}`];
  const at = target.place ? [`  config ${target.place.file}:${target.place.line}:${target.place.column}`] : [];
  return [
    head,
    ...(endpoint ? [`  ${plain(whereabouts(endpoint))}`] : []),
    ...at,
    ...speaks,
    "",
    ...bars(report),
    ...split(report),
    ...warnings.map(({ text }) => `  warning: ${plain(text)}`),
    ...(failure ? ["", ...failureLines(failure)] : []),
    ...foundText(findings),
    ...costText(report),
  ];
}

function bars({ phases, ms }: ProbeReport): readonly string[] {
  const scale = ms > 0 ? barWidth / ms : 0;
  return phases.map(({ name, startMs, ms: took, ok, detail }) => {
    const from = Math.min(barWidth - 1, Math.floor(startMs * scale));
    const length = Math.max(1, Math.min(barWidth - from, Math.round(took * scale)));
    const bar = `${" ".repeat(from)}${"█".repeat(length)}`.padEnd(barWidth);
    const time = `${took.toFixed(1)} ms`.padStart(11);
    return `  ${name.padEnd(9)} ${time}  ${paintFor(process.stdout, bar, ok ? "cyan" : "red")}  ${ok ? "" : "failed: "}${plain(detail)}`.trimEnd();
  });
}

/** A round trip takes about as long as a connection does; a child process has none. */
function split({ phases, ms, pings }: ProbeReport): readonly string[] {
  const time = (...names: readonly string[]): number =>
    phases.filter(({ name }) => names.includes(name)).reduce((sum, each) => sum + each.ms, 0);
  const talk = time("handshake", "tools", "resources", "templates", "prompts", "ping");
  if (talk === 0) return [];
  const trips =
    2 + phases.filter(({ name }) => !["dns", "tcp", "tls", "handshake", "ping"].includes(name)).length + pings.length;
  const network = time("dns", "tcp", "tls") + Math.min(talk, trips * time("tcp"));
  const server = Math.max(0, talk - trips * time("tcp"));
  const client = Math.max(0, ms - network - server);
  return [
    `  in all ${seconds(ms)}: network about ${seconds(network)}, server ${seconds(server)}, client ${seconds(client)}`,
  ];
}

const marks: Readonly<Record<Finding["severity"], readonly [string, "red" | "yellow" | "green" | "dim"]>> = {
  error: ["✗", "red"],
  warning: ["!", "yellow"],
  info: ["·", "dim"],
  ok: ["✓", "green"],
};

function foundText(findings: readonly Finding[]): readonly string[] {
  if (findings.length === 0) return [];
  const order = ["error", "warning", "ok", "info"];
  const sorted = findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  const lines = sorted.map(({ severity, rule, text }) => {
    const [mark, color] = marks[severity];
    return `  ${paintFor(process.stdout, mark, color)} ${rule}: ${plain(text)}`;
  });
  return ["", ...lines];
}

function costText({ lists }: ProbeReport): readonly string[] {
  const entries = Object.entries(lists);
  if (entries.length === 0) return [];
  const tokens = entries.reduce((sum, [, list]) => sum + list.tokens, 0);
  return [
    `  catalog: ${entries.map(([kind, { items }]) => `${items} ${items === 1 ? kind.replace(/s$/, "") : kind}`).join(", ")}, about ${tokens} tokens`,
  ];
}
