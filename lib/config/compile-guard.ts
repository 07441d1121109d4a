// What a config says of the trust in a server, as a plan.

import { type GuardPlan, maskedBytes, type SandboxPlan } from "./guard.ts";
import type { GuardConfig, SandboxConfig } from "./rules-guard.ts";

/** `absolute`: a path of the config from the root on. */
export function compileSandbox(sandbox: SandboxConfig, absolute: (path: string) => string): SandboxPlan {
  const { read = [], write = [], hide = [], network = false } = sandbox === "bubblewrap" ? {} : sandbox;
  return { read: read.map(absolute), write: write.map(absolute), hide: hide.map(absolute), network };
}

/** Undefined where the config says nothing of it. */
export function compileGuard(guard: GuardConfig | undefined): GuardPlan | undefined {
  if (!guard) return undefined;
  const { size, types, mask = [] } = guard;
  const bytes = size ?? (mask.length > 0 ? maskedBytes : undefined);
  return {
    ...(bytes === undefined ? {} : { bytes }),
    ...(types === undefined ? {} : { types: types.map((type) => type.toLowerCase()) }),
    mask,
  };
}
