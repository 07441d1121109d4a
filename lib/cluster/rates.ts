// How often somebody may do something, over all processes: each takes calls in advance, and asks for more in time.

import type { Wire } from "../core/wire.ts";
import { type RateLimit, rateRefusal, Rates, type RateTerms } from "../resilience/rates.ts";

interface Held {
  tokens: number;
  /** Until when none is granted, Unix ms. */
  closedUntil: number;
  refill: Promise<void> | undefined;
}

/** Calls that are taken in advance: few enough that others do not wait in vain, and so many that few of them wait. */
const share = 50;
/** Those who have not called for the longest time are forgotten, and what they held is given back. */
const maxHeld = 10_000;

export class SharedRates implements RateLimit {
  readonly terms: RateTerms;
  readonly #wire: Wire;
  readonly #nameOf: (key: string) => string;
  readonly #held = new Map<string, Held>();
  readonly #chunk: number;
  /** While the engine is away: each process for itself. */
  readonly #alone: Rates;

  /** `nameOf`: what a key is called where all processes can read it. */
  constructor(wire: Wire, terms: RateTerms, nameOf: (key: string) => string) {
    this.terms = terms;
    this.#wire = wire;
    this.#nameOf = nameOf;
    this.#chunk = Math.max(1, Math.floor(terms.calls / share));
    this.#alone = new Rates(terms);
  }

  allows(key: string): boolean {
    return this.#isAlone ? this.#alone.allows(key) : (this.#held.get(key)?.tokens ?? 0) >= 1;
  }

  ready(key: string): Promise<void> | undefined {
    if (this.#isAlone || this.allows(key)) return undefined;
    const held = this.#of(key);
    return held.closedUntil > Date.now() ? undefined : this.#refill(key, held);
  }

  take(key: string, who: string): void {
    if (this.#isAlone) return this.#alone.take(key, who);
    const held = this.#of(key);
    if (held.tokens < 1) throw rateRefusal(this.terms, Math.max(1, held.closedUntil - Date.now()), who);
    held.tokens -= 1;
    if (this.#chunk > 1 && held.tokens < this.#chunk / 2) void this.#refill(key, held);
  }

  get #isAlone(): boolean {
    return this.#wire.state.kind === "away";
  }

  #of(key: string): Held {
    const known = this.#held.get(key);
    if (known) return known;
    const held: Held = { tokens: 0, closedUntil: 0, refill: undefined };
    this.#held.set(key, held);
    const [oldest] = this.#held;
    if (this.#held.size > maxHeld && oldest) this.#giveBack(...oldest);
    return held;
  }

  #refill(key: string, held: Held): Promise<void> {
    held.refill ??= this.#ask(key, held).finally(() => (held.refill = undefined));
    return held.refill;
  }

  async #ask(key: string, held: Held): Promise<void> {
    if (held.closedUntil > Date.now()) return;
    try {
      const { granted, waitMs } = await this.#wire.lease(this.#nameOf(key), this.terms, this.#chunk);
      held.tokens += granted;
      if (granted === 0) held.closedUntil = Date.now() + waitMs;
    } catch {
      // The engine does not answer: better one call too many than none.
      held.tokens += 1;
    }
  }

  #giveBack(key: string, { tokens }: Held): void {
    this.#held.delete(key);
    if (tokens >= 1) void this.#wire.lease(this.#nameOf(key), this.terms, -tokens).catch(() => {});
  }
}
