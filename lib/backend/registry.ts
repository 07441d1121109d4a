// The topology: which backends are live right now, and how it follows a new plan.

import { type BackendPlan, samePlan } from "../config/plan.ts";
import { Scope } from "../core/scope.ts";
import type { Backend } from "./backend.ts";

/** The backends that are live, in config order. Never changed; a reload makes another one. */
export type Topology = ReadonlyMap<string, Backend>;

export interface TopologyChange {
  readonly topology: Topology;
  readonly added: readonly string[];
  /** Backends that are gone or were replaced; they still finish their calls. */
  readonly removed: readonly Backend[];
}

/** The topology of new plans: a backend whose settings did not change lives on with its links. */
export function nextTopology(
  current: Topology,
  plans: readonly BackendPlan[],
  create: (plan: BackendPlan) => Backend,
): TopologyChange {
  const topology = new Map<string, Backend>();
  const added: string[] = [];
  for (const plan of plans) {
    const known = current.get(plan.name);
    const keep = known !== undefined && samePlan(known.plan, plan);
    topology.set(plan.name, keep ? known : create(plan));
    if (!keep) added.push(plan.name);
  }
  const removed = [...current.values()].filter((backend) => topology.get(backend.plan.name) !== backend);
  return { topology, added, removed };
}

/** Lets the calls in flight of removed backends end, within `drainMs`. */
export async function drain(backends: readonly Backend[], drainMs: number): Promise<void> {
  using scope = new Scope(undefined, drainMs);
  await Promise.all(backends.map((backend) => backend.close(scope)));
}
