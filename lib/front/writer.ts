// Messages as lines on a stream that may be slower than they come.

import { toLine } from "../core/envelope.ts";

export interface WriterEvents {
  /** More waits than the stream takes at once. */
  full(): void;
  /** Everything that waited was taken. */
  drained(): void;
  /** Nobody reads any more. */
  gone(): void;
}

/** Beyond this, what answers nothing is dropped: a client that is this far behind is not reading. */
const maxWaitingBytes = 16 * 2 ** 20;
const newline = Buffer.from("\n");

export class LineWriter {
  readonly #output: NodeJS.WritableStream;
  readonly #events: WriterEvents;
  #waiting = 0;
  #gone = false;

  constructor(output: NodeJS.WritableStream, events: WriterEvents) {
    this.#output = output;
    this.#events = events;
    output.on("drain", () => events.drained());
    // EPIPE: without a listener it would end the program.
    output.on("error", () => this.#lose());
    output.on("close", () => this.#lose());
  }

  /** Writes a message that the client waits for. */
  write(message: Uint8Array): void {
    if (this.#gone) return;
    const line = Buffer.concat([toLine(message), newline]);
    this.#waiting += line.length;
    const taken = this.#output.write(line, () => {
      this.#waiting -= line.length;
    });
    if (!taken) this.#events.full();
  }

  /** Writes a message unless too much waits already. */
  offer(message: Uint8Array): void {
    if (this.#waiting < maxWaitingBytes) this.write(message);
  }

  /** Resolves when all that was written has left, or nobody reads any more. */
  flushed(): Promise<void> {
    if (this.#gone || this.#waiting === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#output.once("error", () => resolve());
      this.#output.once("close", () => resolve());
      this.#output.write("", () => resolve());
    });
  }

  #lose(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#events.gone();
  }
}
