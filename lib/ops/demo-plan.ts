// The backends of `serve --demo`: this program itself, started once for each.

import type { BackendPlan, ReplicaPlan } from "../config/plan.ts";
import { backendDefaults } from "../config/plan.ts";
import type { BackendName } from "../core/nouns.ts";
import type { DemoName } from "./demo.ts";

/** Backends whose replicas run `self demo <name> <replica>`; `self` is the command of this program. */
export function demoBackends(self: readonly string[]): readonly BackendPlan[] {
  const [command = "", ...args] = self;
  const replica = (name: DemoName, label: string): ReplicaPlan => ({
    kind: "stdio",
    command,
    args: [...args, "demo", name, label],
    env: {},
    cwd: undefined,
    inheritEnv: false,
  });
  const backend = (name: DemoName, labels: readonly string[]): BackendPlan => ({
    ...backendDefaults,
    name: name as string as BackendName,
    replicas: labels.map((label) => replica(name, label)),
  });
  return [backend("text", ["only"]), backend("clock", ["a", "b"]), backend("notes", ["only"])];
}
