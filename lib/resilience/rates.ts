// How often somebody may do something: for each one a bucket of tokens that fills up as time passes.

import { GatewayError } from "../core/errors.ts";

export interface RateTerms {
  /** At once, and in the time that follows. */
  readonly calls: number;
  readonly perMs: number;
}

interface Bucket {
  tokens: number;
  /** When it was looked at last, Unix ms. */
  at: number;
}

/** Those that are full again say nothing, and go first. */
const maxBuckets = 10_000;

export class Rates {
  readonly terms: RateTerms;
  readonly #buckets = new Map<string, Bucket>();

  constructor(terms: RateTerms) {
    this.terms = terms;
  }

  /** Whether one more would be granted; nothing is counted. */
  allows(key: string, now: number = Date.now()): boolean {
    const bucket = this.#buckets.get(key);
    return bucket === undefined || this.#filled(bucket, now) >= 1;
  }

  /** Counts one more; throws `rateLimited`, with the time to wait, where it is one too many. `who`: for the message. */
  take(key: string, who: string, now: number = Date.now()): void {
    const known = this.#buckets.get(key);
    const tokens = known ? this.#filled(known, now) : this.terms.calls;
    if (tokens < 1) throw this.#refusal(tokens, who);
    if (!known) this.#makeRoom(now);
    this.#buckets.set(key, { tokens: tokens - 1, at: now });
  }

  #filled({ tokens, at }: Bucket, now: number): number {
    const { calls, perMs } = this.terms;
    return Math.min(calls, tokens + (Math.max(0, now - at) * calls) / perMs);
  }

  #refusal(tokens: number, who: string): GatewayError {
    const { calls, perMs } = this.terms;
    const retryAfterMs = Math.ceil(((1 - tokens) * perMs) / calls);
    const text = `${who} may make ${calls} calls in ${perMs / 1000} s, and this is one more`;
    return new GatewayError("rateLimited", text, { data: { retryAfterMs, limit: calls, windowMs: perMs } });
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
