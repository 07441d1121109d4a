// A circuit breaker: stops sending to what fails, and lets a few calls through now and then to see whether it still does.

export interface BreakerTerms {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Share of failures in the window that opens it. */
  readonly rate: number;
  /** Calls in the window below which the share says nothing. */
  readonly minCalls: number;
  readonly windowMs: number;
  /** How long it stays open the first time; twice as long each time that the trial fails. */
  readonly openMs: number;
  readonly maxOpenMs: number;
  /** Calls that are let through at the same time to try it. */
  readonly trials: number;
}

export type BreakerState =
  | { readonly kind: "closed" }
  | { readonly kind: "open"; readonly until: number; readonly why: string }
  | { readonly kind: "halfOpen" };

/** What {@link Breaker.admit} gave; to be handed back once. */
export type Ticket = { readonly isTrial: boolean; readonly life: number } | undefined;
export type Verdict = "succeeded" | "failed" | "undecided";

const closed: BreakerState = { kind: "closed" };
const halfOpen: BreakerState = { kind: "halfOpen" };

export class Breaker {
  readonly #terms: BreakerTerms;
  readonly #opened: ((ms: number, why: string) => void) | undefined;
  #state: BreakerState = closed;
  /** Goes up with each change of state: what was admitted before it says nothing of what is now. */
  #life = 0;
  #ticket: Ticket = { isTrial: false, life: 0 };
  #inRow = 0;
  #failed = 0;
  #calls = 0;
  #windowStart = -Infinity;
  #openings = 0;
  #trialsOut = 0;

  /** `opened` hears when it opens, for how long and why. */
  constructor(terms: BreakerTerms, opened?: (ms: number, why: string) => void) {
    this.#terms = terms;
    this.#opened = opened;
  }

  /** As of `now`: what was open for its time is half open. */
  state(now: number): BreakerState {
    const state = this.#state;
    return state.kind === "open" && now >= state.until ? halfOpen : state;
  }

  /** True where {@link admit} would let a call through. */
  isPassable(now: number): boolean {
    const { kind } = this.state(now);
    return kind === "closed" || (kind === "halfOpen" && this.#trialsOut < this.#terms.trials);
  }

  /** Lets a call through, or not: nobody ever waits here. Undefined = refused. */
  admit(now: number): Ticket {
    const state = this.state(now);
    if (state.kind === "closed") return this.#ticket;
    if (state.kind === "open" || this.#trialsOut >= this.#terms.trials) return undefined;
    if (this.#state !== halfOpen) this.#become(halfOpen);
    this.#trialsOut += 1;
    return { isTrial: true, life: this.#life };
  }

  /** How a call that was admitted went; `undecided`: it says nothing (its caller went away). */
  settle(ticket: Ticket, verdict: Verdict, now: number, why: string = "it failed"): void {
    if (!ticket) return;
    if (ticket.isTrial) this.#trialsOut -= 1;
    if (ticket.life !== this.#life || verdict === "undecided") return;
    if (this.#state.kind === "halfOpen") {
      if (verdict === "failed") this.#open(now, why);
      else this.close();
      return;
    }
    if (verdict === "succeeded") {
      this.#inRow = 0;
      this.#calls += 1;
      return;
    }
    this.#count(now);
    const { failures, rate, minCalls } = this.#terms;
    const isRate = this.#calls >= minCalls && this.#failed >= rate * this.#calls;
    if (this.#inRow >= failures || isRate) this.#open(now, why);
  }

  /** What it guards is known to be well again. */
  close(): void {
    this.#openings = 0;
    this.#reset();
    this.#become(closed);
  }

  /** Milliseconds until it lets a call through again. */
  waitMs(now: number): number {
    const state = this.#state;
    return state.kind === "open" ? Math.max(0, state.until - now) : 0;
  }

  /** Successes are counted without looking at the clock: the window begins at a failure. */
  #count(now: number): void {
    if (now - this.#windowStart > this.#terms.windowMs) {
      this.#windowStart = now;
      this.#calls = 0;
      this.#failed = 0;
    }
    this.#inRow += 1;
    this.#calls += 1;
    this.#failed += 1;
  }

  #open(now: number, why: string): void {
    const { openMs, maxOpenMs } = this.#terms;
    const ms = Math.min(maxOpenMs, openMs * 2 ** Math.min(this.#openings, 30));
    const until = now + ms;
    this.#openings += 1;
    this.#reset();
    this.#become({ kind: "open", until, why });
    this.#opened?.(ms, why);
  }

  #reset(): void {
    this.#inRow = 0;
    this.#failed = 0;
    this.#calls = 0;
    this.#windowStart = -Infinity;
  }

  #become(state: BreakerState): void {
    this.#state = state;
    this.#life += 1;
    this.#ticket = { isTrial: false, life: this.#life };
  }
}
