// One of several processes of `mcpctl serve --workers`: what differs for it from a gateway that is alone.

import process from "node:process";
import type { Supervisor } from "../lib/crew.ts";
import { freeze, type Plan } from "../lib/index.ts";
import type { Signals } from "./signals.ts";

/** Undefined in a process that is none. */
export async function meet(signals: Signals): Promise<Supervisor | undefined> {
  if (!isWorker()) return undefined;
  const { meetSupervisor } = await import("../lib/crew.ts");
  return await meetSupervisor(signals.stop);
}

export function isWorker(): boolean {
  return process.env["MCPCTL_WORKER"] !== undefined;
}

/** The plan of a worker: all of them have the same port, and the same keys also where the config has none. */
export function planOf(plan: Plan, supervisor: Supervisor | undefined): Plan {
  if (!supervisor) return plan;
  const { port = plan.listen.port, sealKey } = supervisor.terms;
  const sealKeys = plan.sealKeys.length > 0 ? plan.sealKeys : [sealKey];
  return freeze({ ...plan, sealKeys, listen: { ...plan.listen, port } });
}
