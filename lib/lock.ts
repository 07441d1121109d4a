// The lock of a running gateway: read with the config, and again when its file changes.

import { watchFiles } from "./config/watch.ts";
import type { LockPlan } from "./config/catalog.ts";
import { asGatewayError, errorCodeOf, GatewayError } from "./core/errors.ts";
import { computeLock, type Deviation, type Lock, LockGuard } from "./merge/lock.ts";
import { readLock } from "./ops/lock-file.ts";
import { Scope } from "./core/scope.ts";
import type { Listings } from "./route/fanout.ts";
import type { Hub } from "./route/hub.ts";

/** Of the tools in one line of the log. */
const maxNamed = 5;

export class LockKeeper implements Disposable {
  readonly #hub: Hub;
  readonly #listings: Listings;
  #plan: LockPlan | undefined;
  #watch: Disposable | undefined;

  constructor(hub: Hub, listings: Listings) {
    this.#hub = hub;
    this.#listings = listings;
  }

  /** Called with each plan, after it is in place. */
  apply(plan: LockPlan): void {
    if (this.#plan?.mode === plan.mode && this.#plan.file === plan.file) return;
    this[Symbol.dispose]();
    this.#plan = plan;
    // Watched before it is read, so that no change falls in between.
    if (plan.mode !== "off") this.#watch = watchFiles([plan.file], () => this.#load(plan));
    this.#hub.lock = plan.mode === "off" ? undefined : this.#guard(plan, new Map());
    if (plan.mode === "off") this.#listings.shelves.judge();
    else this.#load(plan);
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }

  /** A file that is no lock leaves the one before in place. */
  #load(plan: LockPlan): void {
    const { observer } = this.#hub;
    try {
      const lock = readLock(plan.file);
      if (!lock) observer.log("warn", "gateway", `there is no ${plan.file}: write it with mcpctl lock`);
      this.#hub.lock = this.#guard(plan, lock ?? new Map());
    } catch (error) {
      observer.log("error", "gateway", asGatewayError(error).message);
    }
    this.#listings.shelves.judge();
  }

  #guard({ mode }: LockPlan, lock: Lock): LockGuard | undefined {
    return mode === "off" ? undefined : new LockGuard(mode, lock, (...told) => this.#tell(mode, ...told));
  }

  #tell(mode: string, backend: string, deviations: readonly Deviation[]): void {
    const named = deviations.slice(0, maxNamed).map(({ tool, what }) => `${tool} (${what})`);
    const more = deviations.length > maxNamed ? ` and ${deviations.length - maxNamed} more` : "";
    const fate = mode === "enforce" ? "; hidden until mcpctl lock accepts them" : "";
    const text = `not as the lock has them: ${named.join("; ")}${more}${fate}`;
    this.#hub.observer.log("warn", `backend ${backend}`, text);
  }
}

/** The lock of all tools as they are now, whatever the lock file says, and why those of some backends are missing. */
export async function lockOf(
  hub: Hub,
  listings: Listings,
  outer?: Scope,
): Promise<{ readonly lock: Lock; readonly missing: readonly GatewayError[] }> {
  using scope = new Scope(outer);
  const view = hub.view("");
  if (!view) return { lock: new Map(), missing: [] };
  const facts = { key: "", principal: "anonymous", capabilities: {}, view, era: "legacy" } as const;
  const { partial } = await listings.merged({ facts }, "tools", scope);
  const missing = partial.map(({ backend, code, message }) => {
    const state = hub.backendIn(view, backend)?.state;
    return state?.kind === "down" ? state.error : new GatewayError(errorCodeOf(code), message, { backend });
  });
  const slabs = [...hub.topology.values()].flatMap((backend) => {
    const shelf = listings.shelves.find(backend, hub.ownerOf(backend, { facts }));
    const isMissing = partial.some((each) => each.backend === backend.plan.name);
    return isMissing ? [] : (shelf?.get("tools")?.whole ?? []);
  });
  return { lock: computeLock(slabs), missing };
}
