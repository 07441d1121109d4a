// One replica of a backend, as all its owners see it: its share of the calls, its breaker, and who looks for it when it is away.

import type { ReplicaPlan } from "../config/plan.ts";
import { resilienceDefaults, type ResiliencePlan } from "../config/resilience.ts";
import type { Candidate } from "../resilience/balance.ts";
import { Breaker } from "../resilience/breaker.ts";
import type { Site } from "../resilience/course.ts";
import { Lookout } from "./lookout.ts";

export class Replica implements Candidate, Site {
  readonly index: number;
  readonly plan: ReplicaPlan;
  readonly breaker: Breaker | undefined;
  readonly zone: string | undefined;
  /** A child process cannot be looked at. */
  readonly lookout: Lookout | undefined;
  readonly #weight: number;
  /** Calls in flight. */
  pending = 0;
  /** Unix ms until which it wants no calls. */
  closedUntil = 0;
  /** Why it wants no new calls, by its own word. */
  unwell: string | undefined;
  /** What is left of its weight while it comes back. */
  ramp = 1;

  constructor(index: number, plan: ReplicaPlan, { breaker }: ResiliencePlan = resilienceDefaults) {
    this.index = index;
    this.plan = plan;
    this.zone = plan.zone;
    this.#weight = plan.weight ?? 1;
    this.breaker = breaker && new Breaker(breaker);
    this.lookout = plan.kind === "http" ? new Lookout(plan) : undefined;
  }

  get weight(): number {
    return this.#weight * this.ramp;
  }

  /** For people; holds no secrets. */
  get label(): string {
    const { plan } = this;
    return plan.kind === "http" ? new URL(plan.url).host || plan.url : `${plan.command} #${this.index}`;
  }
}
