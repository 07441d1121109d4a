// Writes messages as lines to a child's input, those of one turn together, and knows which of them it cannot have got.

import { toLine } from "../core/envelope.ts";

interface Waiting {
  readonly message: Uint8Array;
  readonly call: number | undefined;
  readonly taken: () => void;
  readonly refused: (error: unknown) => void;
}

const lineEnd = Buffer.from("\n");

export class LineWriter {
  readonly #output: NodeJS.WritableStream;
  readonly #broken: () => void;
  #waiting: Waiting[] = [];
  #busy = false;

  /** `broken` is called when nobody reads the other end any more. */
  constructor(output: NodeJS.WritableStream, broken: () => void) {
    this.#output = output;
    this.#broken = broken;
  }

  /** Calls of which no byte was written. */
  get unsent(): ReadonlySet<number> {
    return new Set(this.#waiting.flatMap(({ call }) => (call === undefined ? [] : [call])));
  }

  /** Resolves when the message was taken, or may have been; rejects where it cannot have been taken in full. */
  write(message: Uint8Array, call: number | undefined): Promise<void> {
    return new Promise((taken, refused) => {
      this.#waiting.push({ message: toLine(message), call, taken, refused });
      // One write for all messages of this turn.
      if (!this.#busy && this.#waiting.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    const batch = this.#waiting;
    if (this.#busy || batch.length === 0) return;
    this.#busy = true;
    this.#waiting = [];
    const output = this.#output;
    if ("cork" in output && typeof output.cork === "function") output.cork();
    for (const [at, { message }] of batch.entries()) {
      output.write(message);
      if (at === batch.length - 1) output.write(lineEnd, (error) => this.#written(batch, error ?? undefined));
      else output.write(lineEnd);
    }
    if ("uncork" in output && typeof output.uncork === "function") output.uncork();
  }

  #written(batch: readonly Waiting[], error: Error | undefined): void {
    this.#busy = false;
    const isBroken = error !== undefined && "code" in error && error.code === "EPIPE";
    const [only] = batch;
    // A broken pipe has not taken the end of what was written: a single message is not whole. Of several the first ones
    // may be, and any other error may come after all of it was read.
    if (isBroken && only && batch.length === 1) only.refused(error);
    else for (const { taken } of batch) taken();
    if (error === undefined) return this.#flush();
    for (const { refused } of this.#waiting.splice(0)) refused(error);
    if (isBroken) this.#broken();
  }
}
