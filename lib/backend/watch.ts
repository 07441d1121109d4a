// Looks now and then whether the replicas of a backend are still heard.

import type { BackendPlan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import { every, Scope } from "../core/scope.ts";
import type { BackendPolicies } from "./policies.ts";
import type { Uplink } from "./uplink.ts";

/** Between two looks at links that work on calls. */
const feelMs = 1_000;

/** Pings links that were not heard for `timeouts.health`, and asks their replicas; returns what ends that. */
export function watchUplinks(
  plan: BackendPlan,
  policies: BackendPolicies,
  uplinks: () => Iterable<Uplink>,
): () => void {
  const { healthPath } = policies.plan;
  const checks = new Scope();
  if (healthPath !== undefined && plan.healthMs > 0)
    void import("./checkup.ts").then(({ checkReplicas }) => checkReplicas(plan, healthPath, policies, checks));
  const stopPings = pingUplinks(plan, uplinks);
  return () => {
    checks.cancel(new GatewayError("draining", `backend "${plan.name}" is closed`));
    stopPings();
  };
}

function pingUplinks({ healthMs, replicas }: BackendPlan, uplinks: () => Iterable<Uplink>): () => void {
  if (healthMs === 0) return () => {};
  const stopIdle = every(healthMs, () => {
    const since = Date.now() - healthMs;
    for (const { strands } of uplinks())
      for (const strand of strands) if (strand.link && strand.link.heardAt <= since) void strand.verify(new Scope());
  });
  if (replicas.length === 1) return stopIdle;
  // Where a call could go elsewhere, it is worth while to know sooner.
  const stopFeeling = every(Math.min(feelMs, healthMs), () => {
    for (const { strands } of uplinks()) for (const { link, pulse } of strands) if (link) pulse.feel(link, healthMs);
  });
  return () => {
    stopIdle();
    stopFeeling();
  };
}
