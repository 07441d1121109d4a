// How long a connection may be silent in each of its phases.

/** Nothing, waiting for the rest of a request, for its answer, for its reader, or for the client to close its side. */
export type Phase = "idle" | "head" | "body" | "answering" | "streaming" | "writing" | "ending";

/** Times in ms. */
export interface Patience {
  /** Between two requests. */
  readonly idleMs: number;
  /** Without a byte of a request that has begun; for all of its head. */
  readonly silentMs: number;
  /** For all of a request. */
  readonly requestMs: number;
  /** Without the client taking a byte of its answer. */
  readonly writingMs: number;
  /** After the last answer, for what the client still sends. */
  readonly endingMs: number;
}

export const defaultPatience: Patience = {
  idleMs: 120_000,
  silentMs: 30_000,
  requestMs: 300_000,
  writingMs: 120_000,
  endingMs: 5_000,
};

/** Adds up what passes between two looks at a connection: nothing is asked of a clock for each of its bytes. */
export class Stillness {
  #silentMs = 0;
  #requestMs = 0;
  #request = 0;

  /** Something came or left. */
  heard(): void {
    this.#silentMs = 0;
  }

  /** True where the connection has been in its phase for too long; `request` is the number of its request. */
  isOver(phase: Phase, request: number, passedMs: number, patience: Patience): boolean {
    this.#silentMs += passedMs;
    this.#requestMs = request === this.#request ? this.#requestMs + passedMs : 0;
    this.#request = request;
    switch (phase) {
      case "answering":
      case "streaming":
        this.#requestMs = 0;
        return false;
      case "idle":
        this.#requestMs = 0;
        return this.#silentMs > patience.idleMs;
      case "head":
        return this.#requestMs > patience.silentMs;
      case "body":
        return this.#silentMs > patience.silentMs || this.#requestMs > patience.requestMs;
      case "writing":
        return this.#silentMs > patience.writingMs;
      case "ending":
        return this.#silentMs > patience.endingMs;
    }
  }
}
