// Whether anything can come right now that a server says on its own, and when it may have said something that nobody heard.

import { after } from "../core/scope.ts";

/** A server that ends its streams at once must not have all of its listings read each time. */
const restMs = 5_000;

export class Hearing {
  readonly #missed: () => void;
  /** Before the first stream it is not known that there is none: what is read meanwhile need not be read again. */
  #isDeaf = false;
  /** Something may have been said that will not be said again. */
  #hasGap = false;
  /** Unix ms. */
  #toldAt = 0;

  /** `missed` is told where something may have been missed, as soon as nothing more is. */
  constructor(missed: () => void) {
    this.#missed = missed;
  }

  get hears(): boolean {
    return !this.#isDeaf;
  }

  /** There is no stream. `forGood`: what the server says until there is one is lost. */
  ended(forGood: boolean): void {
    this.#isDeaf = true;
    this.#hasGap ||= forGood;
  }

  /** There is a stream. Call what it returns when that is over. */
  began(): () => void {
    if (this.#hasGap) return after(Math.max(0, this.#toldAt + restMs - Date.now()), () => this.#tell());
    this.#isDeaf = false;
    return () => {};
  }

  #tell(): void {
    this.#isDeaf = false;
    this.#hasGap = false;
    this.#toldAt = Date.now();
    this.#missed();
  }
}
