// Cancellation and deadlines: everything that waits takes a Scope, and every timer of the program is set here.

export type CancelReason = unknown;

const deadlinePassed = (): CancelReason => new Error("deadline passed");

/**
 * What bounds a piece of work: it ends when it is cancelled, when its deadline (Unix ms) passes, or when its parent ends.
 * Waiters are called synchronously, in the order in which they came.
 */
export class Scope implements Disposable {
  readonly deadline: number;
  #reason: CancelReason;
  #cancelled = false;
  #waiters: Set<(reason: CancelReason) => void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #detach: (() => void) | undefined;

  constructor(parent?: Scope, timeoutMs: number = Infinity, timeoutReason: () => unknown = deadlinePassed) {
    const own = timeoutMs === Infinity ? Infinity : Date.now() + timeoutMs;
    this.deadline = Math.min(own, parent?.deadline ?? Infinity);
    if (parent?.cancelled) {
      this.cancel(parent.reason);
      return;
    }
    this.#detach = parent?.onCancel((reason) => this.cancel(reason));
    if (own !== Infinity) this.#timer = setTimeout(() => this.cancel(timeoutReason()), timeoutMs);
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
    const waiters = this.#waiters;
    this[Symbol.dispose]();
    for (const waiter of waiters ?? []) waiter(reason);
  }

  /** Calls `waiter` on cancellation, at once if that has happened. Returns what takes it back. */
  onCancel(waiter: (reason: CancelReason) => void): () => void {
    if (this.#cancelled) {
      waiter(this.#reason);
      return () => {};
    }
    this.#waiters ??= new Set();
    this.#waiters.add(waiter);
    return () => this.#waiters?.delete(waiter);
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
    this.#timer = undefined;
    this.#detach?.();
    this.#detach = undefined;
    this.#waiters = undefined;
  }
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

/** Calls `action` every `ms` milliseconds until the returned function is called. */
export function every(ms: number, action: () => void): () => void {
  const timer = setInterval(action, ms);
  return () => clearInterval(timer);
}
