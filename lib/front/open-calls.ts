// The calls of all clients that are answered by a stream, or may be.

import type { CallStream } from "./callstream.ts";

export class OpenCalls {
  readonly #calls = new Set<CallStream>();
  #empty: PromiseWithResolvers<void> | undefined;

  get size(): number {
    return this.#calls.size;
  }

  add(call: CallStream): void {
    this.#calls.add(call);
  }

  /** It was answered. */
  delete(call: CallStream): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#empty?.resolve();
  }

  [Symbol.iterator](): IterableIterator<CallStream> {
    return this.#calls.values();
  }

  /** Resolves when all are answered. */
  answered(): Promise<void> {
    if (this.#calls.size === 0) return Promise.resolve();
    this.#empty ??= Promise.withResolvers();
    return this.#empty.promise;
  }
}
