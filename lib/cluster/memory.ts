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
/** Begins the names of what says whose a task is: clients make as many of those as they like. */
const taskPrefix = "task:";
/** The oldest are forgotten, as they are in each process. */
const maxTasks = 100_000;

export class Memory implements Disposable {
  readonly #kept = new Map<string, Kept>();
  /** Last the one that was written last. */
  readonly #tasks = new Map<string, Kept>();
  readonly #mostTasks: number;
  readonly #buckets = new Map<string, Bucket>();
  readonly #stop: () => void;

  constructor(mostTasks: number = maxTasks) {
    this.#mostTasks = mostTasks;
    this.#stop = every(sweepMs, () => this.#sweep(Date.now()));
  }

  read(key: string): Readonly<Record<string, string>> {
    const kept = this.#of(key).get(key);
    return kept && kept.until > Date.now() ? Object.fromEntries(kept.fields) : {};
  }

  write(key: string, fields: Readonly<Record<string, string>>, ttlMs: number): void {
    const all = this.#of(key);
    const kept = all.get(key) ?? { fields: new Map<string, string>(), until: 0 };
    for (const [name, value] of Object.entries(fields)) kept.fields.set(name, value);
    kept.until = Date.now() + ttlMs;
    if (all === this.#tasks) all.delete(key);
    all.set(key, kept);
    const [oldest] = this.#tasks.size > this.#mostTasks ? this.#tasks.keys() : [];
    if (oldest !== undefined) this.#tasks.delete(oldest);
  }

  erase(key: string, fields: readonly string[]): void {
    const all = this.#of(key);
    const kept = all.get(key);
    for (const field of fields) kept?.fields.delete(field);
    if (kept?.fields.size === 0) all.delete(key);
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

  #of(key: string): Map<string, Kept> {
    return key.startsWith(taskPrefix) ? this.#tasks : this.#kept;
  }

  #sweep(now: number): void {
    for (const all of [this.#kept, this.#tasks]) for (const [key, { until }] of all) if (until <= now) all.delete(key);
    for (const [key, { until }] of this.#buckets) if (until <= now) this.#buckets.delete(key);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}
