// What gateway processes of one machine keep together, in the memory of one of them.

import { every } from "../core/scope.ts";
import type { Lease, LeaseTerms } from "../core/wire.ts";

interface Kept {
  readonly fields: Map<string, string>;
  until: number;
}

interface Bucket {
  tokens: number;
  at: number;
  until: number;
}

const sweepMs = 60_000;

export class Memory implements Disposable {
  readonly #kept = new Map<string, Kept>();
  readonly #buckets = new Map<string, Bucket>();
  readonly #stop: () => void;

  constructor() {
    this.#stop = every(sweepMs, () => this.#sweep(Date.now()));
  }

  read(key: string): Readonly<Record<string, string>> {
    const kept = this.#kept.get(key);
    return kept && kept.until > Date.now() ? Object.fromEntries(kept.fields) : {};
  }

  write(key: string, fields: Readonly<Record<string, string>>, ttlMs: number): void {
    const kept = this.#kept.get(key) ?? { fields: new Map<string, string>(), until: 0 };
    for (const [name, value] of Object.entries(fields)) kept.fields.set(name, value);
    kept.until = Date.now() + ttlMs;
    this.#kept.set(key, kept);
  }

  erase(key: string, fields: readonly string[]): void {
    const kept = this.#kept.get(key);
    for (const field of fields) kept?.fields.delete(field);
    if (kept?.fields.size === 0) this.#kept.delete(key);
  }

  lease(key: string, { calls, perMs }: LeaseTerms, want: number, now: number = Date.now()): Lease {
    const known = this.#buckets.get(key) ?? { tokens: calls, at: now };
    const tokens = Math.min(calls, known.tokens + (Math.max(0, now - known.at) * calls) / perMs);
    const granted = Math.min(want, Math.floor(tokens));
    this.#buckets.set(key, { tokens: Math.min(calls, tokens - granted), at: now, until: now + perMs });
    return { granted, waitMs: want > 0 && granted < 1 ? Math.ceil(((1 - tokens) * perMs) / calls) : 0 };
  }

  add(key: string, amount: number, ttlMs: number): number {
    const total = Number(this.read(key)["total"] ?? "0") + amount;
    this.write(key, { total: String(total) }, ttlMs);
    return total;
  }

  #sweep(now: number): void {
    for (const [key, { until }] of this.#kept) if (until <= now) this.#kept.delete(key);
    for (const [key, { until }] of this.#buckets) if (until <= now) this.#buckets.delete(key);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}
