// One call over the replicas of a backend, in one visible order: deadline, budget, replica, breaker, bulkhead, send, classify,
// and then again, elsewhere, or the answer.

import { GatewayError } from "../core/errors.ts";
import { type Scope, sleep } from "../core/scope.ts";
import { type Admitted, Attempts, type Failed, type Outcomes } from "./attempt.ts";
import { retryMs } from "./backoff.ts";
import type { Failing } from "./classes.ts";
import type { Course, Policies, Site } from "./course.ts";

/** Of more than so many that wait together, each comes back at a moment of its own. */
const crowd = 10;
const spreadMs = 1_000;
const maxWaiting = 5_000;
/** Attempts of which the backend got nothing are not counted as such, but they must end. */
const maxFree = 50;
const restMs = 100;

/** Up to so many milliseconds, by chance, and never so many that a call has no time left for its answer. */
export function spreadOver(ms: number, { deadline }: Scope, afterMs: number = 0): number {
  return Math.random() * Math.max(0, Math.min(ms, (deadline - Date.now() - afterMs) / 2));
}

export class Execution<Each extends Site, Reply> implements Outcomes<Each> {
  readonly #course: Course<Each, Reply>;
  readonly #policies: Policies;
  readonly #attempts: Attempts<Each, Reply>;
  readonly #tried = new Set<Each>();
  #last: Failed<Each> | undefined;
  /** The failure that was judged last: waiting for a replica is no other attempt. */
  #judged: Failed<Each> | undefined;
  #free = 0;
  /** Since when it waits for a replica, Unix ms. */
  #waitingSince: number | undefined;
  /** Attempts that were made. */
  made = 0;
  /** An attempt ended without anybody knowing whether it was executed. */
  mayHaveRun = false;

  constructor(course: Course<Each, Reply>, policies: Policies) {
    this.#course = course;
    this.#policies = policies;
    this.#attempts = new Attempts(course, policies, this);
  }

  /** The replica that failed last. */
  get site(): Each | undefined {
    return this.#last?.site;
  }

  /** An attempt was made before this execution took over, and failed. */
  begun(site: Each, error: unknown, since: number): void {
    this.made += 1;
    this.#attempts.fail({ site, own: site.breaker?.admit(since), beside: undefined }, error, since);
  }

  async run(): Promise<Reply> {
    try {
      return await this.#run();
    } finally {
      if (this.#waitingSince !== undefined) this.#policies.waiting -= 1;
    }
  }

  async #run(): Promise<Reply> {
    const { scope } = this.#course;
    for (;;) {
      // Deadline: a scope that is over says why.
      scope.throwIfCancelled();
      // Budget, and whether it may be sent again at all; and whoever asked to be left alone is.
      await this.#pause();
      // Replica, and its breaker: one that is open is none.
      const site = this.#course.choose(this.#tried);
      if (site && this.#waitingSince !== undefined) {
        await this.#spread(this.#waitingSince);
        continue;
      }
      const admitted = site && this.#admit(site);
      if (!admitted) {
        await this.#recover();
        continue;
      }
      try {
        // Bulkhead, send, classify.
        return await this.#attempts.make(admitted, () => this.#second(admitted.site));
      } catch (error) {
        if (scope.cancelled || error !== this.#last?.failing.error) throw error;
      }
    }
  }

  sent(): void {
    this.made += 1;
  }

  failed(failed: Failed<Each>): void {
    this.#last = failed;
    this.#tried.add(failed.site);
    if (failed.failing.class === "unknown") this.mayHaveRun = true;
  }

  /** Waits as long as must be before the next attempt; throws the failure of the last one where none may be made. */
  async #pause(): Promise<void> {
    const { closedUntil, retry } = this.#policies;
    const { scope } = this.#course;
    const last = this.#judged === this.#last ? undefined : this.#last;
    this.#judged = this.#last;
    if (last) await this.#mayRepeat(last);
    const now = Date.now();
    const closedMs = closedUntil - now;
    const waitMs = Math.max(closedMs, last ? this.#backoffMs(last.failing) : 0);
    if (waitMs <= 0) return;
    if (closedMs > retry.waitMs || now + waitMs > scope.deadline) throw this.#closed(waitMs);
    // They do not all come back at the same moment.
    const ms = closedMs > 0 ? waitMs + spreadOver(Math.min(spreadMs, closedMs) / 4, scope, waitMs) : waitMs;
    const why = closedMs > 0 ? "because the backend wants to be left alone" : "before the next attempt";
    await sleep(ms, scope);
    this.#course.noted({ kind: "waited", ms: Math.round(ms), why });
  }

  async #mayRepeat({ site, failing }: Failed<Each>): Promise<void> {
    const { error, next, free } = failing;
    const { retry, budget } = this.#policies;
    // Whatever failed last: what may have run before may not be sent again.
    if (this.mayHaveRun && !this.#course.isRepeatable()) throw this.#refuse(error, "it may have run already");
    if (next === "never") throw error;
    if (next === "elsewhere" && !this.#course.hasOther(this.#tried)) throw error;
    if (free) {
      this.#free += 1;
      if (this.#free > maxFree) throw this.#refuse(error, `${maxFree} attempts did not reach it`);
    } else if (this.made - this.#free >= retry.attempts) {
      throw this.#refuse(error, `it was sent ${retry.attempts} times`);
    } else if (!budget.take(Date.now()) && !(await this.#course.isAway(site))) {
      throw this.#refuse(error, "the budget for repetitions is used up");
    }
  }

  #refuse(error: GatewayError, why: string): GatewayError {
    this.#course.noted({ kind: "refused", why });
    return error;
  }

  /** Another replica is asked at once, the same one after a while. */
  #backoffMs({ free, error }: Failing): number {
    // The link of a session that is gone is made anew before anything is sent.
    if (error.code === "sessionLost" || (free && this.#free <= 2) || this.#course.hasOther(this.#tried)) return 0;
    return retryMs(this.made - 1);
  }

  #closed(waitMs: number): GatewayError {
    const retryAfterMs = Math.ceil(waitMs);
    this.#course.noted({ kind: "refused", why: `the next attempt would be ${retryAfterMs} ms from now` });
    if (this.#last) return this.#last.failing.error;
    const { backend } = this.#policies;
    const text = `backend "${backend}" wants no calls for ${retryAfterMs} ms`;
    return new GatewayError("unavailable", text, { backend, data: { sent: false, retryAfterMs } });
  }

  /** No replica is there: waits for one, if the backend went away only now; else says why there is none. */
  async #recover(): Promise<void> {
    const { retry, backend } = this.#policies;
    const { scope } = this.#course;
    if (this.#waitingSince === undefined) {
      if (this.#policies.waiting >= maxWaiting) {
        const text = `${maxWaiting} calls wait for backend "${backend}" already`;
        throw new GatewayError("overloaded", text, { backend, data: { sent: false, retryAfterMs: retry.waitMs } });
      }
      this.#policies.waiting += 1;
      this.#waitingSince = Date.now();
    }
    try {
      await this.#course.recover();
    } catch (error) {
      // Another one came up while this one could not be reached.
      if (!scope.cancelled && this.#course.hasOther(new Set())) return;
      const awayMs = Date.now() - (this.#course.lostAt ?? -Infinity);
      if (scope.cancelled || awayMs >= retry.waitMs) throw error;
      await sleep(restMs * (0.5 + Math.random() / 2), scope);
    }
  }

  /** A replica is back. A crowd that waited for it must not be a burst. */
  async #spread(since: number): Promise<void> {
    const waitedMs = Date.now() - since;
    const isCrowd = this.#policies.waiting > crowd;
    this.#policies.waiting -= 1;
    this.#waitingSince = undefined;
    this.#course.noted({ kind: "waited", ms: waitedMs, why: "for a replica" });
    const { scope } = this.#course;
    if (isCrowd) await sleep(spreadOver(Math.min(spreadMs, waitedMs), scope), scope);
  }

  #second(first: Each): Admitted<Each> | undefined {
    const site = this.#course.choose(new Set([first]));
    return site && site !== first ? this.#admit(site) : undefined;
  }

  /** Undefined where the breaker of the replica has closed the way since it was chosen. */
  #admit(site: Each): Admitted<Each> | undefined {
    const now = Date.now();
    const { breaker } = this.#course;
    const own = site.breaker?.admit(now);
    if (site.breaker && !own) return undefined;
    const beside = breaker?.admit(now);
    if (!breaker || beside) return { site, own, beside };
    site.breaker?.settle(own, "undecided", now);
    const { backend } = this.#policies;
    const retryAfterMs = breaker.waitMs(now);
    const text = `backend "${backend}": this tool failed too often; it is tried again in ${retryAfterMs} ms`;
    this.#course.noted({ kind: "refused", why: "the breaker of the tool is open" });
    throw new GatewayError("unavailable", text, { backend, data: { sent: false, retryAfterMs } });
  }
}
