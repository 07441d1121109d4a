// The public names of the library.

import type * as Demo from "./ops/demo-plan.ts";

export { describeChange } from "./config/change.ts";
export { type Loaded, loadPlan, type Problem, formatProblem, configJsonSchema } from "./config/load.ts";
export type { LogPlan } from "./config/observe.ts";
export { type BackendPlan, defaultPlan, freeze, type Plan, type ReplicaPlan } from "./config/plan.ts";
export { formatPath, nearest as suggest } from "./config/problems.ts";
export { parseDuration } from "./config/units.ts";
export { watchFiles } from "./config/watch.ts";
export { asGatewayError, type ErrorCode, GatewayError } from "./core/errors.ts";
export { isLoopback } from "./core/loopback.ts";
export { shrink } from "./core/tcp.ts";
export type { BackendName } from "./core/nouns.ts";
export type { LogDetails, LogLevel, Observer } from "./core/observer.ts";
export { Gateway, type GatewayOptions } from "./gateway.ts";
export { listen, type Listener, type ListenOptions } from "./listen.ts";
export type { Faults } from "./ops/faults.ts";
export type { Arrival } from "./arrivals.ts";
export type { BackendLine } from "./ops/lines.ts";

/** Backends to try the gateway with. */
export const loadDemo = (): Promise<typeof Demo> => import("./ops/demo-plan.ts");
