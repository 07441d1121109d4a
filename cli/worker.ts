// One of several processes of `mcpctl serve --workers`: what differs for it from a gateway that is alone.

import process from "node:process";
import { freeze, GatewayError, type Plan } from "../lib/index.ts";
import type { Supervisor } from "../lib/workers.ts";
import type { Signals } from "./signals.ts";

/** Undefined in a process that is none. */
export async function meet(signals: Signals): Promise<Supervisor | undefined> {
  if (!isWorker()) return undefined;
  const { meetSupervisor } = await import("../lib/workers.ts");
  return await meetSupervisor(signals.stop);
}

export function isWorker(): boolean {
  return process.env["MCPCTL_WORKER"] !== undefined;
}

/** One address for all of them would show one of them, and another one after each exchange: wrong without a sign of it. */
export function refuseMetricsAddress({ observe: { metrics } }: Plan): void {
  if (!metrics.listen || metrics.isOff) return;
  const why = "metrics.listen has no meaning with --workers: each process counts for itself, and they cannot share it";
  const fix = "to watch several, start each by itself behind a balancer, with addresses of its own";
  throw new GatewayError("configInvalid", `${why}; ${fix}`);
}

/** The plan of a worker: all of them have the same port, and the same keys also where the config has none. */
export function planOf(plan: Plan, supervisor: Supervisor | undefined): Plan {
  if (!supervisor) return plan;
  refuseMetricsAddress(plan);
  const { port = plan.listen.port, sealKey } = supervisor.terms;
  const sealKeys = plan.sealKeys.length > 0 ? plan.sealKeys : [sealKey];
  return freeze({ ...plan, sealKeys, listen: { ...plan.listen, port } });
}
