// Asks the replicas of a backend over HTTP whether they want calls, at the path that its plan names.

import type { BackendPlan } from "../config/plan.ts";
import { type Scope, sleep } from "../core/scope.ts";
import type { BackendPolicies } from "./policies.ts";
import type { Replica } from "./replica.ts";

/** Until the scope ends. */
export function checkReplicas({ healthMs }: BackendPlan, path: string, policies: BackendPolicies, scope: Scope): void {
  const { downMs } = policies.plan;
  for (const replica of policies.replicas) void check(replica, path, { healthMs, downMs, policies, scope });
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
