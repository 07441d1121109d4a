// What only some configs ask for: each feature is loaded when a plan first asks for it, and costs nothing until then.
//
// A new feature: a line here, `import type` everywhere else, and its file among those of test/weight.test.ts. What is
// decided later than by the plan (a child process, a modern client) has its `import()` where that is decided.

import process from "node:process";
import { wantsTraces } from "./config/observe.ts";
import type { Plan } from "./config/plan.ts";
import type * as AuditingModule from "./auditing.ts";
import type * as ClusteringModule from "./clustering.ts";
import type { Environment, TraceTerms, Tracing } from "./observe/otlp.ts";
import type * as GateModule from "./front/gate.ts";
import type * as SseModule from "./front/sse-front.ts";
import type * as LockModule from "./lock.ts";
import type * as ObservingModule from "./observing.ts";
import type { RouteFeatures } from "./route/hub.ts";
import type * as SignInModule from "./sign-in.ts";

export interface Features extends RouteFeatures {
  readonly auditing?: typeof AuditingModule | undefined;
  readonly clustering?: typeof ClusteringModule | undefined;
  readonly gate?: typeof GateModule | undefined;
  readonly lock?: typeof LockModule | undefined;
  readonly observing?: typeof ObservingModule | undefined;
  /** Starts to trace. */
  readonly tracing?: ((terms: TraceTerms) => Tracing) | undefined;
  readonly sse?: typeof SseModule | undefined;
  readonly signIn?: typeof SignInModule | undefined;
}

/** Resolves to what a plan asks for; what was loaded before is there at once. */
export async function loadFeatures(plan: Plan, isWorker: boolean, env: Environment = process.env): Promise<Features> {
  const { audit, auth, backends, cluster, disclosure, front, lock, observe, policy, views } = plan;
  const { rate, concurrency, quota } = plan.limits;
  const isLimited = [rate, concurrency, quota, ...backends.map(({ limits }) => limits)].some(
    (each) => each !== undefined,
  );
  const isSearched = [disclosure, ...views.map((view) => view.disclosure)].includes("search");
  const signsIn = backends.some(({ replicas }) =>
    replicas.some((each) => each.kind === "http" && each.auth?.kind === "oauth"),
  );
  const isTraced = wantsTraces(observe, env);
  const [
    auditing,
    gate,
    observing,
    tracing,
    sse,
    signIn,
    lockModule,
    admission,
    policyModule,
    filter,
    rules,
    finder,
    clustering,
  ] = await Promise.all([
    audit && import("./auditing.ts"),
    auth && import("./front/gate.ts"),
    observe.metrics.isOff && !isTraced && observe.log.requests === "off" ? undefined : import("./observing.ts"),
    isTraced ? import("./observe/otlp.ts").then(({ loadTracing }) => loadTracing(env)) : undefined,
    front.sse ? import("./front/sse-front.ts") : undefined,
    signsIn ? import("./sign-in.ts") : undefined,
    lock.mode === "off" ? undefined : import("./lock.ts"),
    isLimited ? import("./route/admission.ts") : undefined,
    policy && import("./merge/policy.ts"),
    views.length > 0 ? import("./merge/filter.ts") : undefined,
    backends.some((backend) => backend.rules) ? import("./merge/rules.ts") : undefined,
    isSearched ? import("./route/finder.ts") : undefined,
    cluster || isWorker ? import("./clustering.ts") : undefined,
  ]);
  const route = { admission, policy: policyModule, filter, rules, finder };
  return { ...route, auditing, gate, observing, tracing, sse, signIn, lock: lockModule, clustering };
}
