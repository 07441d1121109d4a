// How late the event loop is: a timer that should come every so often says by how much it came too late.

import { every } from "../core/scope.ts";

const everyMs = 500;
/** Of the last minutes. */
const maxSamples = 240;

export class LoopLag implements Disposable {
  readonly #stop: () => void;
  readonly #lags: number[] = [];
  #due: number;

  constructor() {
    this.#due = performance.now() + everyMs;
    this.#stop = every(everyMs, () => this.#tick());
  }

  /** The last lag, and the largest of the last two minutes; ms. */
  get figures(): { readonly last: number; readonly most: number } {
    return { last: this.#lags.at(-1) ?? 0, most: Math.max(0, ...this.#lags) };
  }

  #tick(): void {
    const now = performance.now();
    this.#lags.push(Math.max(0, now - this.#due));
    if (this.#lags.length > maxSamples) this.#lags.shift();
    this.#due = now + everyMs;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}
