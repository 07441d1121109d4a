// What the policies of a backend did so far, in numbers.

import type { Step } from "./course.ts";

export class Tally {
  /** Attempts beyond the first one of a call, without hedges. */
  retries = 0;
  hedges = 0;
  /** How often a breaker opened. */
  openings = 0;
  /** How often a replica came back that was away. */
  reconnects = 0;
  /** How often one went away, or could not be reached. */
  losses = 0;
  /** Failed attempts, by class and word: `notSent unreachable`. */
  readonly failures: Map<string, number> = new Map();

  /** `wasSent`: the call was sent before. */
  noted(step: Step, wasSent: boolean): void {
    if (step.kind === "sent" && step.hedge) this.hedges += 1;
    else if (step.kind === "sent" && wasSent) this.retries += 1;
    if (step.kind !== "failed") return;
    const { class: kind, error } = step.failing;
    const key = `${kind} ${error.code}`;
    this.failures.set(key, (this.failures.get(key) ?? 0) + 1);
  }
}
