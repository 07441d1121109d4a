// What becomes of the calls of a run: latencies of those that succeeded, errors by class, and all of it over time.

import { type Bucket, Latencies, type LatencySummary } from "./bench-histogram.ts";

/** One call, in milliseconds of `performance.now()`. */
export interface Sample {
  readonly seq: number;
  readonly session: number;
  readonly intendedAt: number;
  /** When it went to the wire; 0 before. */
  sentAt: number;
  /** When the head of its answer came, where the wire has one; 0 before. */
  headAt: number;
  endedAt: number;
  /** A single client that sends when the last answer has come would have sent this one. */
  isClosed: boolean;
  /** It was sent again, after its session was lost. */
  retried: boolean;
}

export type Outcome =
  | { readonly kind: "ok" }
  /** `class`: one word or two for people to count by. */
  | { readonly kind: "failed"; readonly class: string; readonly message: string };

export interface ErrorCount {
  readonly class: string;
  readonly count: number;
  /** Of the first one. */
  readonly message: string;
}

/** A stretch of the run; calls belong to that in which they were to start. */
export interface Slice {
  readonly startMs: number;
  readonly started: number;
  readonly ok: number;
  readonly failed: number;
  readonly dropped: number;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export interface Phases {
  readonly queue: LatencySummary | null;
  readonly firstByte: LatencySummary | null;
  readonly body: LatencySummary | null;
}

interface OpenSlice {
  started: number;
  ok: number;
  failed: number;
  dropped: number;
  readonly latencies: Latencies;
}

const maxClasses = 50;
/** Exact ones take memory. */
const exactSlices = 100;

export class Recorder {
  readonly latencies: Latencies = new Latencies();
  readonly #service = new Latencies();
  readonly #closed = new Latencies();
  readonly #queue = new Latencies();
  readonly #firstByte = new Latencies();
  readonly #body = new Latencies();
  readonly #errors = new Map<string, { count: number; readonly message: string }>();
  readonly #slices: OpenSlice[] = [];
  readonly sliceMs: number;
  #beganAt = 0;
  /** The client of a closed loop that is imagined beside the open one waits for an answer. */
  #isAway = false;
  started = 0;
  ok = 0;
  failed = 0;
  dropped = 0;
  retried = 0;

  constructor(sliceMs: number) {
    this.sliceMs = sliceMs;
  }

  begin(at: number): void {
    this.#beganAt = at;
  }

  get beganAt(): number {
    return this.#beganAt;
  }

  get ended(): number {
    return this.ok + this.failed;
  }

  start(sample: Sample): void {
    this.started += 1;
    this.#slice(sample.intendedAt).started += 1;
    if (this.#isAway) return;
    this.#isAway = true;
    sample.isClosed = true;
  }

  /** A call whose time came, and that was not made because too many were in flight. */
  drop(intendedAt: number): void {
    this.dropped += 1;
    this.#slice(intendedAt).dropped += 1;
  }

  end(sample: Sample, outcome: Outcome): void {
    const { intendedAt, sentAt, headAt, endedAt } = sample;
    if (sample.isClosed) this.#isAway = false;
    if (sample.retried) this.retried += 1;
    const slice = this.#slice(intendedAt);
    if (outcome.kind === "failed") {
      this.failed += 1;
      slice.failed += 1;
      this.#count(outcome.class, outcome.message);
      return;
    }
    this.ok += 1;
    slice.ok += 1;
    const latencyMs = endedAt - intendedAt;
    slice.latencies.add(latencyMs);
    this.latencies.add(latencyMs);
    this.#service.add(endedAt - sentAt);
    if (sample.isClosed) this.#closed.add(endedAt - sentAt);
    this.#queue.add(sentAt - intendedAt);
    if (headAt === 0) return;
    this.#firstByte.add(headAt - sentAt);
    this.#body.add(endedAt - headAt);
  }

  #count(name: string, message: string): void {
    const key = this.#errors.has(name) || this.#errors.size < maxClasses ? name : "other";
    const known = this.#errors.get(key);
    if (known) known.count += 1;
    else this.#errors.set(key, { count: 1, message });
  }

  #slice(at: number): OpenSlice {
    const index = Math.max(0, Math.floor((at - this.#beganAt) / this.sliceMs));
    for (let next = this.#slices.length; next <= index; next += 1)
      this.#slices.push({
        started: 0,
        ok: 0,
        failed: 0,
        dropped: 0,
        latencies: new Latencies(next < exactSlices ? 3 : 2),
      });
    return this.#slices[index] ?? { started: 0, ok: 0, failed: 0, dropped: 0, latencies: new Latencies(2) };
  }

  /** Most frequent first. */
  errors(): readonly ErrorCount[] {
    return [...this.#errors]
      .map(([name, { count, message }]) => ({ class: name, count, message }))
      .toSorted((a, b) => b.count - a.count || (a.class < b.class ? -1 : 1));
  }

  timeline(): readonly Slice[] {
    return this.#slices.map(({ started, ok, failed, dropped, latencies }, index) => {
      const at = (percent: number): number | null => (latencies.count === 0 ? null : latencies.percentile(percent));
      const max = latencies.count === 0 ? null : latencies.maxMs;
      const startMs = Math.round(index * this.sliceMs);
      return { startMs, started, ok, failed, dropped, p50: at(50), p90: at(90), p99: at(99), max };
    });
  }

  phases(): Phases {
    return { queue: this.#queue.summary(), firstByte: this.#firstByte.summary(), body: this.#body.summary() };
  }

  /** From when a call was sent, whenever it was to be. */
  service(): LatencySummary | null {
    return this.#service.summary();
  }

  /** What one client would have seen that sends when the last answer has come. */
  closed(): LatencySummary | null {
    return this.#closed.summary();
  }

  spread(): readonly Bucket[] {
    return this.latencies.spread();
  }
}
