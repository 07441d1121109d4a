// How often somebody may do something: for each one a bucket of tokens that fills up as time passes.

import { GatewayError } from "../core/errors.ts";

export interface RateTerms {
  /** At once, and in the time that follows. */
  readonly calls: number;
  readonly perMs: number;
}

export interface RateLimit {
  readonly terms: RateTerms;
  /** Whether one more would be granted; nothing is counted. */
  allows(key: string, now?: number): boolean;
  /** Counts one more; throws `rateLimited`, with the time to wait, where it is one too many. `who`: for the message. */
  take(key: string, who: string, now?: number): void;
  /** What has to be waited for before one more can be counted, where others count too. */
  ready?(key: string): Promise<void> | undefined;
}

interface Bucket {
  tokens: number;
  /** When it was looked at last, Unix ms. */
  at: number;
}

/** Those that are full again say nothing, and go first. */
const maxBuckets = 10_000;

export class Rates implements RateLimit {
  readonly terms: RateTerms;
  readonly #buckets = new Map<string, Bucket>();

  constructor(terms: RateTerms) {
    this.terms = terms;
  }

  allows(key: string, now: number = Date.now()): boolean {
    const bucket = this.#buckets.get(key);
    return bucket === undefined || this.#filled(bucket, now) >= 1;
  }

  take(key: string, who: string, now: number = Date.now()): void {
    const known = this.#buckets.get(key);
    const tokens = known ? this.#filled(known, now) : this.terms.calls;
    if (tokens < 1) throw rateRefusal(this.terms, ((1 - tokens) * this.terms.perMs) / this.terms.calls, who);
    if (known) {
      known.tokens = tokens - 1;
      known.at = now;
      return;
    }
    this.#makeRoom(now);
    this.#buckets.set(key, { tokens: tokens - 1, at: now });
  }

  #filled({ tokens, at }: Bucket, now: number): number {
    const { calls, perMs } = this.terms;
    return Math.min(calls, tokens + (Math.max(0, now - at) * calls) / perMs);
  }

  #makeRoom(now: number): void {
    if (this.#buckets.size < maxBuckets) return;
    const { calls } = this.terms;
    for (const [key, bucket] of this.#buckets) if (this.#filled(bucket, now) >= calls) this.#buckets.delete(key);
    // A flood of names: the oldest is forgotten, which gives it no more than it would have had after its window.
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size >= maxBuckets && oldest !== undefined) this.#buckets.delete(oldest);
  }
}

/** One call too many. */
export function rateRefusal({ calls, perMs }: RateTerms, waitMs: number, who: string): GatewayError {
  const text = `${who} may make ${calls} calls in ${perMs / 1000} s, and this is one more`;
  return new GatewayError("rateLimited", text, {
    data: { retryAfterMs: Math.ceil(waitMs), limit: calls, windowMs: perMs },
  });
}
