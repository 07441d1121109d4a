// Reads the config again and hands it to the running gateway.

import process from "node:process";
import { describeChange, type Gateway, loadPlan, type Plan } from "../lib/index.ts";
import type { Log } from "./log.ts";
import { sayProblems } from "./problems.ts";

export interface Followed {
  readonly gateway: Gateway;
  readonly observer: Log;
  /** What the command line, and a supervisor, make of a plan. */
  readonly adjust: (plan: Plan) => Plan;
}

/** Fails where the gateway cannot apply it; a config with mistakes is said to be one, and changes nothing. */
export async function reload(named: readonly string[], { gateway, observer, adjust }: Followed): Promise<void> {
  const loaded = await loadPlan({ cwd: process.cwd(), files: named, env: process.env });
  sayProblems(loaded);
  if (loaded.kind === "invalid") {
    observer.log("error", "gateway", "the changed config has mistakes; the running one stays in place");
    return;
  }
  const plan = adjust(loaded.plan);
  const { host, port } = gateway.plan.listen;
  if (plan.listen.host !== host || plan.listen.port !== port) {
    observer.log("warn", "gateway", `it still listens on ${host}:${port}; restart to change that`);
  }
  if (JSON.stringify(plan.tls) !== JSON.stringify(gateway.plan.tls)) {
    observer.log("warn", "gateway", "tls keeps its files; restart to name others");
  }
  if (plan.sealKeys.join() !== gateway.plan.sealKeys.join()) {
    observer.log("warn", "gateway", "sealKeys stay as they were; restart to change them");
  }
  const change = describeChange(gateway.plan, plan);
  if (JSON.stringify(plan.cluster) !== JSON.stringify(gateway.plan.cluster)) {
    observer.log("warn", "gateway", "cluster stays as it was; restart to change it");
  }
  observer.apply(plan.observe.log);
  await gateway.apply({ ...plan, listen: gateway.plan.listen });
  if (change !== "") observer.log("info", "gateway", `topology: ${change}`);
  observer.log(
    "info",
    "gateway",
    `config applied: ${plan.backends.map(({ name }) => name).join(", ") || "no backends"}`,
  );
}
