// How many streams are open; after many were opened or closed, memory that only this needed is given back.

import { after } from "../core/scope.ts";
import { shrink } from "../core/tcp.ts";

/** Fewer need too little to look for it. */
const manyStreams = 1_000;
/** What is kept for the next requests of so few of them is little. */
const fewStreams = 250;
/** Nothing is looked for in the midst of it. */
const quietMs = 1_000;

export class Crowd {
  #open = 0;
  /** How many were open when memory was given back. */
  #settled = 0;
  /** Streams that were opened or closed. */
  #changes = 0;
  #stop: (() => void) | undefined;
  #isOver = false;
  readonly #giveBack: () => void;

  constructor(giveBack: () => void = shrink) {
    this.#giveBack = giveBack;
  }

  /** There are so many that each should need as little as it can. */
  get isLarge(): boolean {
    return this.#open > fewStreams;
  }

  opened(): void {
    this.#open += 1;
    this.#changed();
  }

  closed(): void {
    this.#open -= 1;
    this.#changed();
  }

  /** No more is heard of it. */
  end(): void {
    this.#isOver = true;
    this.#stop?.();
  }

  #changed(): void {
    this.#changes += 1;
    if (!this.#isOver && !this.#stop && Math.abs(this.#open - this.#settled) >= manyStreams) this.#await(this.#changes);
  }

  #await(changes: number): void {
    this.#stop = after(quietMs, () => {
      if (changes !== this.#changes) return this.#await(this.#changes);
      this.#stop = undefined;
      this.#settled = this.#open;
      this.#giveBack();
    });
  }
}
