// A limit of calls in flight, with a short and fair queue before it: one principal's flood is not the others' wait.

import { GatewayError } from "../core/errors.ts";
import type { Scope, Watcher } from "../core/scope.ts";

export interface BulkheadTerms {
  readonly inFlight: number;
  readonly queued: number;
  /** The same for one principal. */
  readonly inFlightEach: number;
  readonly queuedEach: number;
}

/** Calls of one principal. */
interface Lane {
  readonly key: string;
  inFlight: number;
  readonly queue: Set<Waiter>;
}

class Waiter implements Watcher {
  readonly lane: Lane;
  readonly #scope: Scope;
  readonly #bulkhead: Bulkhead;
  readonly #entry = Promise.withResolvers<void>();

  constructor(bulkhead: Bulkhead, lane: Lane, scope: Scope) {
    this.#bulkhead = bulkhead;
    this.lane = lane;
    this.#scope = scope;
  }

  wait(): Promise<void> {
    this.#scope.watch(this);
    return this.#entry.promise;
  }

  enter(): void {
    this.#scope.unwatch(this);
    this.#entry.resolve();
  }

  cancelled(reason: unknown): void {
    this.#bulkhead.drop(this);
    this.#entry.reject(reason);
  }
}

/** How fast a guess of the time that a call takes follows what is seen. */
const smoothing = 0.1;

export class Bulkhead {
  readonly #terms: BulkheadTerms;
  readonly #name: string;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with somebody in their queue, the next one first. */
  readonly #turns = new Set<Lane>();
  #inFlight = 0;
  #queued = 0;
  #heldMs = 100;

  /** `name`: what is guarded, for messages. */
  constructor(name: string, terms: BulkheadTerms) {
    this.#name = name;
    this.#terms = terms;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get queued(): number {
    return this.#queued;
  }

  /**
   * Takes a slot for a call of `key`. Undefined where there is one at once; a promise of one where it must wait. Rejects at
   * once where the queue is full, with how long to stay away, and with the scope's reason as soon as that is cancelled.
   */
  enter(key: string, scope: Scope): Promise<void> | undefined {
    const lane = this.#lanes.get(key) ?? this.#addLane(key);
    if (this.#hasRoom(lane) && lane.queue.size === 0) {
      this.#take(lane);
      return undefined;
    }
    const { queued, queuedEach } = this.#terms;
    if (scope.cancelled) return Promise.reject(scope.reason);
    if (this.#queued >= queued || lane.queue.size >= queuedEach) {
      this.#forget(lane);
      return Promise.reject(this.#full());
    }
    const waiter = new Waiter(this, lane, scope);
    lane.queue.add(waiter);
    this.#turns.add(lane);
    this.#queued += 1;
    return waiter.wait();
  }

  /** Takes a slot for one more attempt of `key`, if there is one for which nobody waits. */
  tryEnter(key: string): boolean {
    const lane = this.#lanes.get(key) ?? this.#addLane(key);
    const isFree = this.#queued === 0 && this.#hasRoom(lane);
    if (isFree) this.#take(lane);
    else this.#forget(lane);
    return isFree;
  }

  /** Gives a slot back; `heldMs`: how long a call held it. */
  leave(key: string, heldMs?: number): void {
    if (heldMs !== undefined) this.#heldMs += smoothing * (heldMs - this.#heldMs);
    const lane = this.#lanes.get(key);
    if (!lane) return;
    lane.inFlight -= 1;
    this.#inFlight -= 1;
    this.#admit();
    this.#forget(lane);
  }

  /** A waiter gave up. */
  drop(waiter: Waiter): void {
    const { lane } = waiter;
    if (!lane.queue.delete(waiter)) return;
    this.#queued -= 1;
    if (lane.queue.size === 0) this.#turns.delete(lane);
    this.#forget(lane);
  }

  /** One call of each principal in turn. */
  #admit(): void {
    for (const lane of this.#turns) {
      if (this.#inFlight >= this.#terms.inFlight) return;
      if (lane.inFlight >= this.#terms.inFlightEach) continue;
      const [waiter] = lane.queue;
      this.#turns.delete(lane);
      if (!waiter) continue;
      lane.queue.delete(waiter);
      this.#queued -= 1;
      // Behind all others; a set visits what is added to it while it is walked.
      if (lane.queue.size > 0) this.#turns.add(lane);
      this.#take(lane);
      waiter.enter();
    }
  }

  #hasRoom({ inFlight }: Lane): boolean {
    return this.#inFlight < this.#terms.inFlight && inFlight < this.#terms.inFlightEach;
  }

  #take(lane: Lane): void {
    lane.inFlight += 1;
    this.#inFlight += 1;
  }

  #addLane(key: string): Lane {
    const lane: Lane = { key, inFlight: 0, queue: new Set() };
    this.#lanes.set(key, lane);
    return lane;
  }

  #forget(lane: Lane): void {
    if (lane.inFlight === 0 && lane.queue.size === 0) this.#lanes.delete(lane.key);
  }

  #full(): GatewayError {
    const retryAfterMs = Math.ceil(Math.max(100, (this.#heldMs * (this.#queued + 1)) / this.#terms.inFlight));
    const text = `backend "${this.#name}" has ${this.#inFlight} calls in flight and ${this.#queued} waiting`;
    return new GatewayError("overloaded", text, { backend: this.#name, data: { sent: false, retryAfterMs } });
  }
}
