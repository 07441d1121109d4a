// When to ask a second replica: after most calls would have been answered, and for a bounded share of the calls.

export interface HedgeTerms {
  /** Quantile of the latency after which a call is sent a second time: 0.95 hedges the slowest twentieth. */
  readonly quantile: number;
  /** Never sooner than this. */
  readonly minMs: number;
  /** Share of the calls that may be hedged. */
  readonly share: number;
}

/** Latencies up to this many milliseconds are told apart, by steps of a tenth. */
const maxMs = 600_000;
const step = Math.log(1.1);
const buckets = Math.ceil(Math.log(maxMs) / step) + 1;
/** After this many calls older ones count half. */
const halfLife = 1_000;
const minCalls = 20;
const burst = 10;

/** At most `burst + share × calls` are hedged, of those calls that are in flight in any stretch of time. */
export class Hedge {
  readonly #terms: HedgeTerms;
  /** Calls that may be hedged yet, with parts of calls. */
  #credit = burst;
  /** Calls in flight: what they have earned must not be lost before they can use it. */
  #open = 0;
  readonly #counts = new Float64Array(buckets);
  #total = 0;
  #sinceHalved = 0;

  constructor(terms: HedgeTerms) {
    this.#terms = terms;
  }

  /** A call was answered after `tookMs`. */
  note(tookMs: number): void {
    const at = Math.min(buckets - 1, Math.ceil(Math.log(Math.max(1, tookMs)) / step));
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#total += 1;
    this.#sinceHalved += 1;
    if (this.#sinceHalved >= halfLife) this.#halve();
  }

  /** Milliseconds after which a call should be hedged; undefined while too little is known. */
  delayMs(): number | undefined {
    if (this.#total < minCalls) return undefined;
    let left = this.#terms.quantile * this.#total;
    for (const [at, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.max(this.#terms.minMs, Math.exp(at * step));
    }
    return maxMs;
  }

  /** A call began that may be hedged. */
  began(): void {
    this.#open += 1;
    this.#earn(this.#terms.share);
  }

  /** It is over, hedged or not. */
  ended(): void {
    this.#open -= 1;
    this.#earn(0);
  }

  /** True where one may be hedged now, which is counted. */
  take(): boolean {
    const isAllowed = this.#credit >= 1;
    if (isAllowed) this.#credit -= 1;
    return isAllowed;
  }

  #earn(share: number): void {
    this.#credit = Math.min(this.#credit + share, burst + this.#terms.share * this.#open);
  }

  #halve(): void {
    this.#sinceHalved = 0;
    this.#total = 0;
    for (const [at, count] of this.#counts.entries()) {
      const half = count / 2;
      this.#counts[at] = half;
      this.#total += half;
    }
  }
}
