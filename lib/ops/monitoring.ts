// Probe reports in the forms of monitoring systems: one plugin line, and a page for Prometheus's textfile collector.

import { median, type ProbeReport } from "./probe.ts";

/** Exit codes of monitoring plugins. */
export const pluginExits = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;
export type PluginState = keyof typeof pluginExits;

/** One line with performance data, and the state that its exit code says. */
export function pluginLine(reports: readonly ProbeReport[]): { readonly state: PluginState; readonly line: string } {
  const bad = reports.filter(({ state }) => state === "down" || state === "auth");
  const weak = reports.filter(({ state }) => state === "degraded");
  const state: PluginState =
    reports.length === 0 ? "UNKNOWN" : bad.length > 0 ? "CRITICAL" : weak.length > 0 ? "WARNING" : "OK";
  const healthy = reports.length - bad.length - weak.length;
  const named = [...bad, ...weak].map((report) => `${labelOf(report)} ${report.state}: ${reasonOf(report)}`);
  const summary = [`${healthy} of ${reports.length} healthy`, ...named].join("; ").replaceAll(/[|\n\r]/g, " ");
  const data = [
    `healthy=${healthy};;;0;${reports.length}`,
    ...reports.flatMap((report) => {
      const name = labelOf(report).replaceAll(/['=|]/g, "_");
      const ping = median(report.pings);
      const time = `'${name}_time'=${(report.ms / 1000).toFixed(6)}s;;;0`;
      return ping === undefined ? [time] : [time, `'${name}_ping'=${(ping / 1000).toFixed(6)}s;;;0`];
    }),
  ];
  return { state, line: `MCP ${state} - ${summary} | ${data.join(" ")}` };
}

function reasonOf({ failure, warnings }: ProbeReport): string {
  return failure ? `${failure.code} ${failure.message}` : (warnings[0]?.text ?? "");
}

function labelOf({ target, replica }: ProbeReport): string {
  return target.plan.replicas.length > 1 ? `${target.name}_${replica}` : target.name;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** Text exposition format; one HELP and TYPE a metric, samples of one metric together. */
export function prometheusPage(reports: readonly ProbeReport[], now: number): string {
  const of = (report: ProbeReport, more: Labels = {}): Labels => ({
    server: report.target.name,
    replica: String(report.replica),
    ...more,
  });
  const states = ["healthy", "degraded", "down", "auth"] as const;
  const metrics: readonly (readonly [name: string, help: string, samples: readonly Sample[]])[] = [
    [
      "mcpctl_probe_up",
      "1 where the server answered as an MCP server.",
      reports.map((each) => [of(each), each.state === "healthy" || each.state === "degraded" ? 1 : 0]),
    ],
    [
      "mcpctl_probe_state",
      "1 for the state that the server is in.",
      reports.flatMap((each) => states.map((state): Sample => [of(each, { state }), each.state === state ? 1 : 0])),
    ],
    ["mcpctl_probe_duration_seconds", "Time of the whole probe.", reports.map((each) => [of(each), each.ms / 1000])],
    [
      "mcpctl_probe_phase_duration_seconds",
      "Time of one phase of the probe.",
      reports.flatMap((each) => each.phases.map(({ name, ms }): Sample => [of(each, { phase: name }), ms / 1000])),
    ],
    [
      "mcpctl_probe_ping_seconds",
      "Median time of a ping.",
      reports.flatMap((each): readonly Sample[] => {
        const ping = median(each.pings);
        return ping === undefined ? [] : [[of(each), ping / 1000]];
      }),
    ],
    ...(["items", "pages", "tokens"] as const).map(
      (fact) =>
        [
          `mcpctl_probe_${fact}`,
          `What the server lists, in ${fact}.`,
          reports.flatMap((each) =>
            Object.entries(each.lists).map(([type, list]): Sample => [of(each, { type }), list[fact]]),
          ),
        ] as const,
    ),
    [
      "mcpctl_probe_certificate_expiry_timestamp_seconds",
      "When the server's certificate ends.",
      reports.flatMap((each): readonly Sample[] =>
        each.certificateExpiresAt === undefined ? [] : [[of(each), each.certificateExpiresAt / 1000]],
      ),
    ],
    ["mcpctl_probe_timestamp_seconds", "When the probe ended.", [[{}, now / 1000]]],
  ];
  return metrics
    .filter(([, , samples]) => samples.length > 0)
    .map(([name, help, samples]) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${linesOf(name, samples)}`)
    .join("");
}

function linesOf(name: string, samples: readonly Sample[]): string {
  return samples.map(([labels, value]) => `${name}${writeLabels(labels)} ${value}\n`).join("");
}

function writeLabels(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function escape(value: string): string {
  return value
    .replaceAll("\\", String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll("\n", String.raw`\n`);
}
