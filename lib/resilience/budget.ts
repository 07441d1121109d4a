// Repetitions as a share of traffic: when everything fails, repeating everything would only add to the load.

export interface BudgetTerms {
  /** Repetitions per call that is made: 0.2 lets one in five be repeated. */
  readonly share: number;
  /** Repetitions a second that are always allowed: a backend with little traffic may still be asked twice. */
  readonly perSecond: number;
  /** Unused ones that are kept. */
  readonly burst: number;
}

/** In any stretch of time at most `burst + share × calls + perSecond × (seconds + 1)` are granted. */
export class Budget {
  readonly #terms: BudgetTerms;
  #earned: number;
  #given: number;
  #at: number;
  /** How often it was used up. */
  refusals = 0;

  constructor(terms: BudgetTerms, now: number) {
    this.#terms = terms;
    this.#earned = terms.burst;
    this.#given = terms.perSecond;
    this.#at = now;
  }

  /** A call was made. */
  earn(): void {
    const { share, burst } = this.#terms;
    const earned = this.#earned + share;
    this.#earned = earned > burst ? burst : earned;
  }

  /** True where one more may be made, which is counted. */
  take(now: number): boolean {
    const { perSecond } = this.#terms;
    const passedMs = Math.max(0, now - this.#at);
    this.#at = Math.max(this.#at, now);
    this.#given = Math.min(perSecond, this.#given + (passedMs / 1000) * perSecond);
    if (this.#given >= 1) this.#given -= 1;
    else if (this.#earned >= 1) this.#earned -= 1;
    else {
      this.refusals += 1;
      return false;
    }
    return true;
  }

  /** Repetitions that would be granted now. */
  left(now: number): number {
    const { perSecond } = this.#terms;
    const passedMs = Math.max(0, now - this.#at);
    return Math.floor(Math.min(perSecond, this.#given + (passedMs / 1000) * perSecond)) + Math.floor(this.#earned);
  }
}
