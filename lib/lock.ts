// The lock of a running gateway: read with the config, and again when its file changes.

import { watchFiles } from "./config/watch.ts";
import type { LockPlan } from "./config/catalog.ts";
import { asGatewayError } from "./core/errors.ts";
import { type Deviation, type Lock, LockGuard } from "./merge/lock.ts";
import { readLock } from "./ops/lock-file.ts";
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
