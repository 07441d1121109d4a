// How much somebody may use in a day, which is one of UTC; kept in memory, so that a new process begins a new count.

import { GatewayError } from "../core/errors.ts";

const dayMs = 86_400_000;
/** Names come from whoever is let in. */
const maxNames = 100_000;

/** Adds to what a name has used on a day, over all processes; resolves to all of it. */
export type ShareUse = (key: string, day: number, cost: number) => Promise<number>;

export class Quota {
  units: number;
  readonly #share: ShareUse | undefined;
  readonly #used = new Map<string, number>();
  #day = 0;

  /** With `share`, what other processes count is seen a moment later: nobody waits for it. */
  constructor(units: number, share?: ShareUse) {
    this.units = units;
    this.#share = share;
  }

  allows(key: string, cost: number, now: number = Date.now()): boolean {
    return this.#usedBy(key, now) + cost <= this.units;
  }

  /** Throws `quotaSpent` where so much is not left today. `who`: for the message. */
  require(key: string, cost: number, who: string, now: number = Date.now()): void {
    const used = this.#usedBy(key, now);
    if (used + cost <= this.units) return;
    const retryAfterMs = (this.#day + 1) * dayMs - now;
    const text = `${who} may use ${this.units} units a day and has used ${used}; this call costs ${cost}`;
    const remaining = this.units - Math.min(used, this.units);
    throw new GatewayError("quotaSpent", text, {
      data: { retryAfterMs, limit: this.units, windowMs: dayMs, remaining, cost },
    });
  }

  take(key: string, cost: number, now: number = Date.now()): void {
    const used = this.#usedBy(key, now);
    if (this.#used.size >= maxNames && !this.#used.has(key)) this.#forgetOldest();
    this.#used.set(key, used + cost);
    const day = this.#day;
    this.#share?.(key, day, cost).then(
      (total) => day === this.#day && this.#used.set(key, Math.max(total, this.#used.get(key) ?? 0)),
      () => {},
    );
  }

  #forgetOldest(): void {
    const [oldest] = this.#used.keys();
    if (oldest !== undefined) this.#used.delete(oldest);
  }

  #usedBy(key: string, now: number): number {
    const day = Math.floor(now / dayMs);
    // A clock that is put back begins no day again.
    if (day > this.#day) this.#used.clear();
    this.#day = Math.max(day, this.#day);
    return this.#used.get(key) ?? 0;
  }
}
