// Cancellation and deadlines: everything that waits takes a Scope, and every timer of the program is set here.

import { TurnEnd } from "./turn-end.ts";

export type CancelReason = unknown;

const deadlinePassed = (): CancelReason => new Error("deadline passed");

type Listener = (reason: CancelReason) => void;

/** Who hears of a cancellation without a function of its own: on the way of every call that is cheaper. */
export interface Watcher {
  cancelled(reason: CancelReason): void;
}

type Waiter = Listener | Watcher;

/** A deadline this far away may be late by {@link tickMs}: many of them share one timer, and setting one costs nothing. */
const coarseMs = 2_000;
const tickMs = 100;

/** Scopes by the tick in which their time is over. */
class Wheel {
  readonly #slots = new Map<number, Set<Scope>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;

  /** Returns the tick, which {@link remove} needs. */
  add(scope: Scope): number {
    const tick = Math.ceil(scope.deadline / tickMs);
    const slot = this.#slots.get(tick);
    if (slot) slot.add(scope);
    else {
      this.#slots.set(tick, new Set([scope]));
      if (this.#slots.size === 1) this.#timer?.ref();
      if (tick < this.#due) this.#arm(tick);
    }
    return tick;
  }

  get size(): number {
    return this.#slots.values().reduce((sum, { size }) => sum + size, 0);
  }

  remove(scope: Scope, tick: number): void {
    const slot = this.#slots.get(tick);
    if (!slot?.delete(scope) || slot.size > 0) return;
    this.#slots.delete(tick);
    // The timer is left as it is: the next scope comes soon, or the program may end.
    if (this.#slots.size === 0) this.#timer?.unref();
  }

  #arm(tick: number): void {
    clearTimeout(this.#timer);
    this.#due = tick;
    this.#timer = setTimeout(() => this.#turn(), Math.max(0, tick * tickMs - Date.now()));
  }

  #turn(): void {
    this.#timer = undefined;
    this.#due = Infinity;
    const now = Date.now();
    for (const [tick, slot] of [...this.#slots]) {
      if (tick * tickMs > now) continue;
      this.#slots.delete(tick);
      for (const scope of slot) scope.expire();
    }
    const next = Math.min(...this.#slots.keys());
    if (next !== Infinity && next < this.#due) this.#arm(next);
  }
}

const wheel = new Wheel();

/** Scopes whose deadline is far away and has not come: one that is never disposed of stays here. */
export function heldDeadlines(): number {
  return wheel.size;
}

/**
 * What bounds a piece of work: it ends when it is cancelled, when its deadline (Unix ms) passes, or when its parent ends.
 * Waiters are called synchronously, in the order in which they came.
 */
export class Scope implements Disposable {
  #deadline: number;
  #reason: CancelReason;
  #cancelled = false;
  /** Most scopes have one waiter. */
  #first: Waiter | undefined;
  #others: Set<Waiter> | undefined;
  #timeoutReason: (() => unknown) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tick = 0;
  #detach: (() => void) | undefined;

  constructor(parent?: Scope, timeoutMs: number = Infinity, timeoutReason: () => unknown = deadlinePassed) {
    this.#deadline = parent?.deadline ?? Infinity;
    if (parent?.cancelled) {
      this.cancel(parent.reason);
      return;
    }
    this.#detach = parent?.onCancel((reason) => this.cancel(reason));
    if (timeoutMs !== Infinity) this.limit(timeoutMs, timeoutReason);
  }

  /** Unix ms; where the parent's time is over first, that ends this one too. */
  get deadline(): number {
    return this.#deadline;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  get reason(): CancelReason {
    return this.#reason;
  }

  cancel(reason: CancelReason = new Error("cancelled")): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#reason = reason;
    const first = this.#first;
    const others = this.#others;
    this[Symbol.dispose]();
    if (first) tell(first, reason);
    for (const waiter of others ?? []) tell(waiter, reason);
  }

  /** Ends it after `ms` milliseconds, if that is sooner; it must not have a time of its own yet. */
  limit(ms: number, reason: () => unknown = deadlinePassed): void {
    const end = Date.now() + ms;
    if (this.#cancelled || this.#tick > 0 || this.#timer !== undefined || end >= this.deadline) return;
    this.#deadline = end;
    this.#timeoutReason = reason;
    if (ms < coarseMs) this.#timer = setTimeout(() => this.expire(), ms);
    else this.#tick = wheel.add(this);
  }

  /** The time is over. */
  expire(): void {
    this.cancel(this.#timeoutReason?.());
  }

  /** Calls `listener` on cancellation, at once if that has happened. Returns what takes it back. */
  onCancel(listener: Listener): () => void {
    if (this.#cancelled) {
      listener(this.#reason);
      return () => {};
    }
    this.#add(listener);
    return () => this.#remove(listener);
  }

  /** Tells `watcher` of the cancellation, at once if that has happened; until {@link unwatch}. */
  watch(watcher: Watcher): void {
    if (this.#cancelled) watcher.cancelled(this.#reason);
    else this.#add(watcher);
  }

  unwatch(watcher: Watcher): void {
    this.#remove(watcher);
  }

  #add(waiter: Waiter): void {
    if (!this.#first && !this.#others) this.#first = waiter;
    else (this.#others ??= new Set()).add(waiter);
  }

  #remove(waiter: Waiter): void {
    if (this.#first === waiter) this.#first = undefined;
    else this.#others?.delete(waiter);
  }

  throwIfCancelled(): void {
    if (this.#cancelled) throw this.#reason;
  }

  /** The promise's outcome, or the reason of the cancellation if that comes first. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const release = this.onCancel(reject);
      promise.then(resolve, reject).finally(release);
    });
  }

  /** Frees the timer and leaves the parent; the work is over. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    if (this.#tick > 0) wheel.remove(this, this.#tick);
    this.#timer = undefined;
    this.#tick = 0;
    this.#detach?.();
    this.#detach = undefined;
    this.#first = undefined;
    this.#others = undefined;
  }
}

function tell(waiter: Waiter, reason: CancelReason): void {
  if (typeof waiter === "function") waiter(reason);
  else waiter.cancelled(reason);
}

/** Resolves after `ms` milliseconds; rejects with the reason as soon as the scope is cancelled. */
export function sleep(ms: number, scope: Scope): Promise<void> {
  return new Promise((resolve, reject) => {
    let release: () => void = () => {};
    const timer = setTimeout(() => {
      release();
      resolve();
    }, ms);
    release = scope.onCancel((reason) => {
      clearTimeout(timer);
      reject(reason);
    });
  });
}

/** Calls `action` once after `ms` milliseconds unless the returned function is called first. */
export function after(ms: number, action: () => void): () => void {
  const timer = setTimeout(action, ms);
  return () => clearTimeout(timer);
}

/** Calls `action` once when this turn of the event loop is over, and with it what the other sockets have brought. */
export function atTurnEnd(action: () => void): void {
  turnEnd.add(action);
}

/** The same; what it leaves for the end of the turn is done right behind it, and not in the next turn. */
export function beforeTurnEnd(action: () => void): void {
  turnEnd.addFirst(action);
}

const turnEnd = new TurnEnd((run) => void setImmediate(run));

/** Calls `action` every `ms` milliseconds until the returned function is called. */
export function every(ms: number, action: () => void): () => void {
  const timer = setInterval(action, ms);
  return () => clearInterval(timer);
}

/** Timers of a runtime are late by one or two milliseconds; what is left behind this is waited for more closely. */
const closeMs = 3;

/** One action at a time, at a moment of `performance.now()`, as exactly as the runtime can. */
export class Alarm implements Disposable {
  /** How late a close wait mostly is: it ends that much sooner, and the rest is spent in turns of the event loop. */
  #latenessMs = 0.1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #set = 0;
  readonly #cell = new Int32Array(new SharedArrayBuffer(4));

  /** Takes the place of what was set before. */
  set(at: number, action: () => void): void {
    this[Symbol.dispose]();
    this.#step(at, action, this.#set);
  }

  #step(at: number, action: () => void, set: number): void {
    if (set !== this.#set) return;
    const leftMs = at - performance.now();
    if (leftMs <= 0) return action();
    if (leftMs > closeMs) this.#timer = setTimeout(() => this.#step(at, action, set), leftMs - closeMs);
    else if (leftMs > this.#latenessMs) this.#wait(leftMs - this.#latenessMs, () => this.#step(at, action, set));
    else setImmediate(() => this.#step(at, action, set));
  }

  #wait(ms: number, next: () => void): void {
    const due = performance.now() + ms;
    const woken = (): void => {
      // Drifts to what two waits of three keep.
      const isLate = performance.now() - due > this.#latenessMs;
      this.#latenessMs = Math.min(closeMs, Math.max(0.05, this.#latenessMs + (isLate ? 0.02 : -0.01)));
      next();
    };
    const wait = Atomics.waitAsync(this.#cell, 0, 0, ms);
    void Promise.resolve(wait.value).then(woken);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#set += 1;
  }
}
