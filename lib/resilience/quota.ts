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
  readonly #used = new Map<string, { units: number }>();
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
    const used = this.#of(key, now);
    if (used) used.units += cost;
    else this.#add(key, cost);
    if (this.#share) this.#tell(this.#share, key, cost);
  }

  #add(key: string, units: number): void {
    if (this.#used.size >= maxNames) this.#forgetOldest();
    this.#used.set(key, { units });
  }

  #tell(share: ShareUse, key: string, cost: number): void {
    const day = this.#day;
    share(key, day, cost).then(
      (total) => {
        if (day !== this.#day) return;
        const used = this.#used.get(key);
        if (used) used.units = Math.max(total, used.units);
        else this.#add(key, total);
      },
      () => {},
    );
  }

  #forgetOldest(): void {
    const [oldest] = this.#used.keys();
    if (oldest !== undefined) this.#used.delete(oldest);
  }

  #usedBy(key: string, now: number): number {
    return this.#of(key, now)?.units ?? 0;
  }

  #of(key: string, now: number): { units: number } | undefined {
    // A clock that is put back begins no day again.
    if (now >= (this.#day + 1) * dayMs) {
      this.#used.clear();
      this.#day = Math.floor(now / dayMs);
    }
    return this.#used.get(key);
  }
}
