// What a child process prints to stderr: passed on line by line within a rate, with a tail for error messages.

import { decodeText } from "../core/text.ts";
import { LineSplitter } from "./lines.ts";

const maxLineBytes = 8 * 1024;
const tailLines = 20;
/** Bytes that are passed on in one window. */
const windowBytes = 256 * 1024;
const windowMs = 10_000;

export class StderrTail {
  readonly #log: (line: string) => void;
  readonly #mask: (text: string) => string;
  readonly #splitter: LineSplitter;
  readonly #tail: string[] = [];
  #windowStart = 0;
  #windowUsed = 0;
  #dropped = 0;

  constructor(log: (line: string) => void, mask: (text: string) => string) {
    this.#log = log;
    this.#mask = mask;
    const tooLong = (): void => this.#take(`(a line of over ${maxLineBytes} bytes was dropped)`);
    this.#splitter = new LineSplitter(maxLineBytes, (line) => this.#take(decodeText(line)), tooLong);
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  /** The stream is over. */
  end(): void {
    this.#splitter.end();
  }

  /** The last line, for an error message; empty when nothing was printed. */
  get last(): string {
    return (this.#tail.findLast((line) => line.trim() !== "") ?? "").trim().slice(0, 300);
  }

  #take(said: string): void {
    const line = this.#mask(said);
    this.#tail.push(line);
    if (this.#tail.length > tailLines) this.#tail.shift();
    const now = Date.now();
    if (now - this.#windowStart > windowMs) {
      if (this.#dropped > 0) this.#log(`(${this.#dropped} lines were dropped: more than ${windowBytes} bytes in 10 s)`);
      this.#windowStart = now;
      this.#windowUsed = 0;
      this.#dropped = 0;
    }
    this.#windowUsed += line.length;
    if (this.#windowUsed > windowBytes) this.#dropped += 1;
    else this.#log(line);
  }
}
