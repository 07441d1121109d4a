// Ejects replicas that do much worse than the others: by their errors, and by their latency.

export interface OutlierTerms {
  /** Share of failed calls, smoothed, from which a replica is ejected. */
  readonly errorRate: number;
  /** A replica this many times slower than the median of the others is ejected. */
  readonly slowness: number;
  /** Latencies below this are never slow. */
  readonly minMs: number;
  /** Calls before anything is judged. */
  readonly minCalls: number;
  /** The first time; longer by as much each time. */
  readonly ejectMs: number;
  readonly maxEjectMs: number;
  /** Share of the replicas that may be out at the same time; never all of them. */
  readonly maxShare: number;
  /** Time in which the traffic of one that is back grows to its full weight. */
  readonly rampMs: number;
}

/** How one replica does. */
interface Record {
  calls: number;
  /** Smoothed: 0 all well, 1 all failed. */
  errors: number;
  latencyMs: number;
  ejectedUntil: number;
  ejections: number;
  /** When it came back after it was away. */
  backAt: number;
}

const smoothing = 0.1;
/** The least part of its weight that a replica has while it comes back. */
const leastRamp = 0.05;

export class Outliers {
  readonly #terms: OutlierTerms;
  readonly #records: readonly Record[];

  constructor(terms: OutlierTerms, replicas: number) {
    this.#terms = terms;
    this.#records = Array.from({ length: replicas }, () => ({
      calls: 0,
      errors: 0,
      latencyMs: 0,
      ejectedUntil: -Infinity,
      ejections: 0,
      backAt: -Infinity,
    }));
  }

  isEjected(replica: number, now: number): boolean {
    return now < (this.#records[replica]?.ejectedUntil ?? -Infinity);
  }

  latencyMs(replica: number): number | undefined {
    const record = this.#records[replica];
    return record && record.calls > 0 ? record.latencyMs : undefined;
  }

  /** Notes a call, and why its replica was ejected because of it, if it was. */
  note(replica: number, failed: boolean, tookMs: number, now: number): string | undefined {
    const record = this.#records[replica];
    // What was sent to it before says nothing of how it will be when it is back.
    if (!record || now < record.ejectedUntil) return undefined;
    record.latencyMs = record.calls === 0 ? tookMs : record.latencyMs + smoothing * (tookMs - record.latencyMs);
    record.errors += smoothing * ((failed ? 1 : 0) - record.errors);
    record.calls += 1;
    if (record.calls < this.#terms.minCalls) return undefined;
    const why = this.#verdict(replica, record);
    if (why === undefined || !this.#mayEject(now)) return undefined;
    this.#eject(record, now);
    return why;
  }

  /** What is left of a replica's weight, 0 … 1: one that is just back gets little at first. */
  ramp(replica: number, now: number): number {
    const { rampMs } = this.#terms;
    const { ejectedUntil = -Infinity, backAt = -Infinity } = this.#records[replica] ?? {};
    const since = now - Math.max(ejectedUntil, backAt);
    return rampMs === 0 || since >= rampMs ? 1 : Math.max(leastRamp, since / rampMs);
  }

  /** A replica is back: what was known of it may be of another process. */
  renew(replica: number, now: number): void {
    const record = this.#records[replica];
    if (!record) return;
    record.calls = 0;
    record.errors = 0;
    record.ejectedUntil = -Infinity;
    record.backAt = now;
  }

  #verdict(replica: number, record: Record): string | undefined {
    const { errorRate, slowness, minMs } = this.#terms;
    if (record.errors >= errorRate) return `${Math.round(record.errors * 100)} % of its calls fail`;
    const others = this.#records
      .filter((each, at) => at !== replica && each.calls >= this.#terms.minCalls)
      .map(({ latencyMs }) => latencyMs)
      .toSorted((a, b) => a - b);
    const median = others[Math.floor((others.length - 1) / 2)];
    if (median === undefined || record.latencyMs < minMs || record.latencyMs < slowness * median) return undefined;
    return `it takes ${Math.round(record.latencyMs)} ms where others take ${Math.round(median)} ms`;
  }

  #mayEject(now: number): boolean {
    const out = this.#records.filter(({ ejectedUntil }) => now < ejectedUntil).length;
    const most = Math.min(Math.floor(this.#terms.maxShare * this.#records.length), this.#records.length - 1);
    return out < most;
  }

  #eject(record: Record, now: number): void {
    const { ejectMs, maxEjectMs } = this.#terms;
    record.ejections += 1;
    record.ejectedUntil = now + Math.min(maxEjectMs, ejectMs * record.ejections);
    // It is judged anew when it is back.
    record.calls = 0;
    record.errors = 0;
  }
}
