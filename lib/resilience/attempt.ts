// One attempt of a call: a slot, the send, perhaps a second replica meanwhile, and what its outcome means.

import { asGatewayError } from "../core/errors.ts";
import { Scope, sleep } from "../core/scope.ts";
import type { Ticket, Verdict } from "./breaker.ts";
import { classify, type Failing } from "./classes.ts";
import type { Course, Policies, Site } from "./course.ts";
import type { Hedge } from "./hedge.ts";

/** A replica that may be sent to: what its breaker and the one beside it gave for it. */
export interface Admitted<Each extends Site> {
  readonly site: Each;
  readonly own: Ticket;
  readonly beside: Ticket;
}

/** A failure, and where. */
export interface Failed<Each extends Site> {
  readonly site: Each;
  readonly failing: Failing;
}

/** What the attempts of one call leave behind. */
export interface Outcomes<Each extends Site> {
  sent(): void;
  failed(failed: Failed<Each>): void;
}

const lostRace = new Error("another replica was faster");

export class Attempts<Each extends Site, Reply> {
  readonly #course: Course<Each, Reply>;
  readonly #policies: Policies;
  readonly #outcomes: Outcomes<Each>;

  constructor(course: Course<Each, Reply>, policies: Policies, outcomes: Outcomes<Each>) {
    this.#course = course;
    this.#policies = policies;
    this.#outcomes = outcomes;
  }

  /** Resolves to the reply; rejects with a `GatewayError` of the attempt, or the scope's reason. */
  async make(admitted: Admitted<Each>, other: () => Admitted<Each> | undefined): Promise<Reply> {
    const { bulkhead, hedge } = this.#policies;
    const { scope, lane } = this.#course;
    try {
      await bulkhead?.enter(lane, scope);
    } catch (error) {
      this.settle(admitted, "undecided");
      throw error;
    }
    const since = Date.now();
    try {
      const delayMs = hedge && this.#course.isRepeatable() ? hedge.delayMs() : undefined;
      if (hedge && delayMs !== undefined) return await this.#hedged(admitted, other, hedge, delayMs);
      return await this.#send(admitted, false, scope);
    } finally {
      bulkhead?.leave(lane, Date.now() - since);
    }
  }

  /** Sends it to a second replica where the first takes long; the first answer counts, and ends the other. */
  async #hedged(
    admitted: Admitted<Each>,
    other: () => Admitted<Each> | undefined,
    hedge: Hedge,
    delayMs: number,
  ): Promise<Reply> {
    hedge.began();
    using race = new Scope(this.#course.scope);
    const first = this.#send(admitted, false, race);
    try {
      const second = await this.#whenLate(first, delayMs, race, () => this.#second(hedge, other));
      return await (second ? this.#either(first, second, race) : first);
    } finally {
      hedge.ended();
    }
  }

  /** What `second` gives as soon as it gives something, after the delay and later on; undefined where the first was in time. */
  async #whenLate(
    first: Promise<Reply>,
    delayMs: number,
    race: Scope,
    second: () => Admitted<Each> | undefined,
  ): Promise<Admitted<Each> | undefined> {
    using patience = new Scope(race);
    const inTime = first.then(() => false);
    // Nobody may be free for it at one moment, or the share may be used up: that must not leave it to the first one for good.
    try {
      for (let ms = delayMs; ; ms *= 2) {
        const isLate = await Promise.race([sleep(ms, patience).then(() => true), inTime]);
        const admitted = isLate ? second() : undefined;
        if (admitted || !isLate) return admitted;
      }
    } finally {
      // Nobody waits for its timer any more.
      patience.cancel();
    }
  }

  async #either(first: Promise<Reply>, second: Admitted<Each>, race: Scope): Promise<Reply> {
    try {
      return await Promise.any([first, this.#send(second, true, race)]);
    } catch {
      // Where both fail, the failure of the first is told.
      return await first;
    } finally {
      race.cancel(lostRace);
      this.#policies.bulkhead?.leave(this.#course.lane);
    }
  }

  /** It needs a place of its own: the backend works on both. */
  #second(hedge: Hedge, other: () => Admitted<Each> | undefined): Admitted<Each> | undefined {
    const { bulkhead } = this.#policies;
    const { lane } = this.#course;
    if (bulkhead && !bulkhead.tryEnter(lane)) return undefined;
    let second: Admitted<Each> | undefined;
    try {
      second = hedge.take() ? other() : undefined;
    } catch {
      // The breaker of the tool has opened meanwhile: the first attempt goes on.
    }
    if (!second) bulkhead?.leave(lane);
    return second;
  }

  async #send(admitted: Admitted<Each>, hedge: boolean, scope: Scope): Promise<Reply> {
    const { site } = admitted;
    const since = Date.now();
    this.#outcomes.sent();
    site.pending += 1;
    this.#course.noted({ kind: "sent", replica: site.index, hedge });
    try {
      const reply = await this.#course.send(site, scope);
      const tookMs = Date.now() - since;
      const fault = this.#course.faultOf(reply);
      this.settle(admitted, fault === undefined ? "succeeded" : "failed", fault, true);
      this.#policies.hedge?.note(tookMs);
      this.#policies.noted(site, fault, tookMs);
      this.#course.noted({ kind: "answered", replica: site.index, tookMs });
      return reply;
    } catch (error) {
      if (error !== lostRace) throw this.fail(admitted, error, since);
      this.settle(admitted, "undecided");
      throw error;
    } finally {
      site.pending -= 1;
    }
  }

  /** Notes a failure, and whose fault it is; gives what to tell. */
  fail(admitted: Admitted<Each>, error: unknown, since: number): unknown {
    const { site } = admitted;
    const { scope } = this.#course;
    const failing = classify(asGatewayError(error));
    const now = Date.now();
    // A caller who went away says nothing; one whose time was over does, where nothing at all was heard meanwhile.
    const isSilent = failing.error.code === "callTimeout" && !this.#course.heardSince(site, since);
    const isFault = isSilent || (failing.counts && !scope.cancelled);
    this.#close(site, failing, now);
    this.settle(admitted, isFault ? "failed" : "undecided", failing.error.message, failing.class === "unknown");
    const tookMs = now - since;
    if (isFault) this.#policies.noted(site, failing.error.message, tookMs);
    // No failure of anybody: neither the record nor the metrics should say so.
    const isTakenBack = scope.cancelled && failing.error.code === "internal";
    const [kind, replica] = ["failed" as const, site.index];
    this.#course.noted(isTakenBack ? { kind: "cancelled", replica, tookMs } : { kind, replica, tookMs, failing });
    this.#outcomes.failed({ site, failing });
    return scope.cancelled ? error : failing.error;
  }

  /** A server that is not ready speaks for itself; one that gets too many requests, for all of them. */
  #close(site: Each, { retryAfterMs, counts }: Failing, now: number): void {
    if (retryAfterMs === undefined) return;
    const until = now + retryAfterMs;
    if (counts) site.closedUntil = Math.max(site.closedUntil, until);
    else this.#policies.closedUntil = Math.max(this.#policies.closedUntil, until);
    this.#policies.closed(counts ? site : undefined, until);
  }

  /** `isOfTool`: what failed had reached the backend, and so may be the tool's fault where tools have breakers. */
  settle({ site, own, beside }: Admitted<Each>, verdict: Verdict, why?: string, isOfTool: boolean = false): void {
    const now = Date.now();
    const { breaker } = this.#course;
    const isTools = verdict === "failed" && breaker !== undefined && isOfTool;
    site.breaker?.settle(own, isTools ? "undecided" : verdict, now, why);
    breaker?.settle(beside, verdict === "failed" && !isTools ? "undecided" : verdict, now, why);
  }
}
