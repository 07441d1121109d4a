// One replica of a backend, as all its owners see it: its share of the calls, its breaker, and whether anything listens.

import type { HttpReplicaPlan, ReplicaPlan } from "../config/plan.ts";
import { resilienceDefaults, type ResiliencePlan } from "../config/resilience.ts";
import { Scope } from "../core/scope.ts";
import type { Candidate } from "../resilience/balance.ts";
import { Breaker } from "../resilience/breaker.ts";
import type { Site } from "../resilience/course.ts";
import { Dialer } from "./socket.ts";
import { readTrust } from "./trust.ts";

/** Longer than this a look at a port says that nothing listens. */
const lookMs = 1_000;
/** A look is true for so long. */
const restMs = 15;

export class Replica implements Candidate, Site {
  readonly index: number;
  readonly plan: ReplicaPlan;
  readonly breaker: Breaker | undefined;
  readonly zone: string | undefined;
  readonly #weight: number;
  /** Calls in flight. */
  pending = 0;
  /** Unix ms until which it wants no calls. */
  closedUntil = 0;
  /** What is left of its weight while it comes back. */
  ramp = 1;
  #dialer: Dialer | undefined;
  #lookedAt = 0;
  #look: Promise<boolean> = Promise.resolve(false);

  constructor(index: number, plan: ReplicaPlan, { breaker }: ResiliencePlan = resilienceDefaults) {
    this.index = index;
    this.plan = plan;
    this.zone = plan.zone;
    this.#weight = plan.weight ?? 1;
    this.breaker = breaker && new Breaker(breaker);
  }

  get weight(): number {
    return this.#weight * this.ramp;
  }

  /** For people; holds no secrets. */
  get label(): string {
    const { plan } = this;
    return plan.kind === "http" ? new URL(plan.url).host || plan.url : `${plan.command} #${this.index}`;
  }

  /** True where a connection can be opened right now; one look is for all owners that ask at about the same time. */
  listens(scope: Scope): Promise<boolean> {
    const now = Date.now();
    if (now - this.#lookedAt > restMs) {
      this.#lookedAt = now;
      this.#look = this.#dial();
    }
    return scope.race(this.#look).catch(() => false);
  }

  async #dial(): Promise<boolean> {
    if (this.plan.kind !== "http") return false;
    using scope = new Scope(undefined, lookMs);
    try {
      this.#dialer ??= dialerOf(this.plan);
      const socket = await this.#dialer.open(scope);
      socket.on("error", () => {});
      socket.destroy();
      return true;
    } catch {
      return false;
    }
  }
}

function dialerOf({ url, tls }: HttpReplicaPlan): Dialer {
  return new Dialer(new URL(url), { connectTimeoutMs: lookMs, tls: readTrust(tls) });
}
