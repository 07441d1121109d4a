// A probe as documents hold it.

import { type Finding, median, type ProbeReport, whereabouts } from "../lib/toolbox.ts";
import { failureBody } from "./report.ts";

/** A report, and with --deep what the checks found. */
export interface Probed {
  readonly report: ProbeReport;
  readonly findings: readonly Finding[];
}

export function probeBody({ report, findings }: Probed, isDeep: boolean): Readonly<Record<string, unknown>> {
  const { target, replica, state, ms, phases, protocolVersion, era, serverName, serverVersion, lists, pings } = report;
  const endpoint = target.plan.replicas[replica];
  const { certificateExpiresAt, warnings, failure } = report;
  return {
    server: target.name,
    replica,
    where: endpoint ? whereabouts(endpoint) : "",
    ...(target.place ? { place: target.place } : {}),
    state,
    exit: failure?.exit ?? (state === "degraded" ? 1 : 0),
    ms: round(ms),
    ...(protocolVersion === "" ? {} : { protocolVersion, era, serverName, serverVersion }),
    phases: phases.map((phase) => ({ ...phase, startMs: round(phase.startMs), ms: round(phase.ms) })),
    lists,
    pings: { count: pings.length, medianMs: median(pings) === undefined ? null : round(median(pings) ?? 0) },
    ...(certificateExpiresAt === undefined
      ? {}
      : { certificateExpiresAt: new Date(certificateExpiresAt).toISOString() }),
    warnings,
    ...(isDeep ? { findings } : {}),
    ...(failure ? { error: failureBody(failure) } : {}),
  };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
