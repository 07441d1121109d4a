// Probes servers at the same time, with progress, and shows what came of it.

import {
  checkDeep,
  type Finding,
  loadItemChecks,
  type PhaseName,
  pluginExits,
  pluginLine,
  probeServer,
  prometheusPage,
  type Target,
  tokensOf,
} from "../lib/toolbox.ts";
import { document, type Format, show } from "./answer.ts";
import { Live } from "./live.ts";
import { print } from "./output.ts";
import { interruptedExit, type Limits } from "./patience.ts";
import { probeBody, type Probed } from "./probe-document.ts";
import { version } from "./version.ts";

export interface ProbeRequest {
  readonly targets: readonly Target[];
  readonly format: Format | "nagios" | "prometheus";
  readonly failOn: "degraded" | "down";
  readonly bound: Limits;
  readonly timeoutMs: number;
  readonly only: ReadonlySet<PhaseName> | undefined;
  readonly pings: number;
  readonly isDeep: boolean;
  readonly isTracing: boolean;
}

export async function probeServers(request: ProbeRequest): Promise<number> {
  const probed = await probeAll(request);
  await showProbed(request, probed);
  if (request.bound.interrupted) return interruptedExit(request.bound);
  if (request.format === "nagios") return pluginExits[pluginLine(probed.map(({ report }) => report)).state];
  return exitOf(request, probed);
}

/** All replicas of all servers at once: the slowest one decides how long it takes. */
export async function probeAll(request: ProbeRequest): Promise<readonly Probed[]> {
  const live = new Live(request.isTracing ? false : undefined);
  const states = new Map<string, string>();
  const draw = (): void => live.draw([...states].map(([name, phase]) => `  ${name}: ${phase}`.slice(0, 78)));
  const jobs = request.targets.flatMap((target) => target.plan.replicas.map((_, replica) => ({ target, replica })));
  try {
    return await Promise.all(
      jobs.map(async ({ target, replica }) => {
        const name = target.plan.replicas.length > 1 ? `${target.name}[${replica}]` : target.name;
        states.set(name, "begins");
        draw();
        const probed = await probeOne(request, target, replica, (phase) => {
          states.set(name, phase);
          draw();
        });
        states.delete(name);
        draw();
        return probed;
      }),
    );
  } finally {
    live.clear();
  }
}

async function probeOne(
  { only, pings, isDeep, isTracing, bound, timeoutMs }: ProbeRequest,
  target: Target,
  index: number,
  phase: (name: string) => void,
): Promise<Probed> {
  const patience = { scope: bound.scope, until: Math.min(bound.until, Date.now() + timeoutMs) };
  const tap = isTracing ? (await import("./trace.ts")).createTrace(target.name) : undefined;
  const checks = isDeep ? new (await loadItemChecks()).ItemChecks() : undefined;
  const replica = target.plan.replicas[index];
  const findings: Finding[] = [];
  const report = await probeServer(
    target,
    index,
    {
      version,
      only,
      pings,
      tap,
      phase: ({ name, detail }) => phase(`${name} ${detail}`),
      item: checks && ((kind, item) => checks.item(kind, item, tokensOf(item.text))),
      more:
        isDeep && replica
          ? async (peer) => {
              phase("checks");
              findings.push(...(await checkDeep(target, replica, peer, version, patience)));
            }
          : undefined,
    },
    patience,
  );
  return { report, findings: [...findings, ...(checks?.conclude() ?? [])] };
}

async function showProbed({ format, isDeep }: ProbeRequest, probed: readonly Probed[]): Promise<void> {
  const reports = probed.map(({ report }) => report);
  if (format === "nagios") return void (await print(`${pluginLine(reports).line}\n`));
  if (format === "prometheus") return void (await print(prometheusPage(reports, Date.now())));
  const bodies = probed.map((each) => probeBody(each, isDeep));
  await show(format, {
    kind: "ProbeReport",
    body: { ok: reports.every(({ state }) => state === "healthy"), servers: bodies },
    lines: bodies.map((body) => document("Probe", body)),
    names: reports.filter(({ state }) => state === "healthy").map(({ target }) => target.name),
    text: async (wide) => {
      if (isDeep) return (await import("./probe-deep.ts")).deepText(probed);
      return (await import("./probe-table.ts")).probeText(reports, wide);
    },
  });
}

/** Of one server its own code; of several whether one of them is not as it should be. */
function exitOf({ failOn }: ProbeRequest, probed: readonly Probed[]): number {
  const isBad = ({ report: { state } }: Probed): boolean =>
    state === "degraded" ? failOn === "degraded" : state !== "healthy";
  const only = probed.find(isBad);
  if (!only) return 0;
  return probed.length === 1 ? (only.report.failure?.exit ?? 1) : 1;
}
