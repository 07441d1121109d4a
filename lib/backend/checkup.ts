// Asks the replicas of a backend over HTTP whether they want calls, at the path that its plan names.

import type { BackendPlan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import { Scope, sleep } from "../core/scope.ts";
import type { BackendPolicies } from "./policies.ts";
import type { Replica } from "./replica.ts";

/** Returns what ends it. */
export function checkReplicas({ name, healthMs }: BackendPlan, policies: BackendPolicies): () => void {
  const { healthPath, downMs } = policies.plan;
  const scope = new Scope();
  if (healthPath !== undefined && healthMs > 0)
    for (const replica of policies.replicas) void check(replica, healthPath, { healthMs, downMs, policies, scope });
  return () => scope.cancel(new GatewayError("draining", `backend "${name}" is closed`));
}

interface Checking {
  readonly healthMs: number;
  readonly downMs: number;
  readonly policies: BackendPolicies;
  readonly scope: Scope;
}

async function check(replica: Replica, path: string, { healthMs, downMs, policies, scope }: Checking): Promise<void> {
  if (!replica.lookout) return;
  while (!scope.cancelled) {
    const status = await replica.lookout.status("GET", path);
    // Without an answer it is away, of which others know more.
    const isWell = status === undefined || (status >= 200 && status < 300);
    if (!scope.cancelled) policies.checked(replica, isWell ? undefined : `GET ${path} answers HTTP ${status}`);
    await sleep(isWell ? healthMs : Math.min(downMs, healthMs), scope).catch(() => {});
  }
}
