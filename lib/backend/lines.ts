// Splits a byte stream into lines in time linear in its length, with a limit on one line.

/** How a line on stdout is told of that is no message. */
export const foreignLine = "stdout held a line that is no message";

const newline = 0x0a;
const carriageReturn = 0x0d;

export class LineSplitter {
  readonly #maxBytes: number;
  readonly #line: (line: Uint8Array) => void;
  readonly #tooLong: () => void;
  /** Pieces of the line that has not ended; joined once, when it does. */
  #pieces: Uint8Array[] = [];
  #length = 0;
  #skipping = false;

  /** `tooLong` is called once for a line over `maxBytes`; its bytes are dropped. */
  constructor(maxBytes: number, line: (line: Uint8Array) => void, tooLong: () => void) {
    this.#maxBytes = maxBytes;
    this.#line = line;
    this.#tooLong = tooLong;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      // Most lines lie in one chunk.
      if (this.#length === 0 && !this.#skipping && at - from <= this.#maxBytes) this.#emit(chunk, from, at);
      else {
        this.#add(chunk.subarray(from, at));
        this.#end();
      }
      from = at + 1;
    }
    if (from < chunk.length) this.#add(chunk.subarray(from));
  }

  /** The stream is over; what is left is a line too. */
  end(): void {
    if (this.#length > 0) this.#end();
  }

  #emit(chunk: Uint8Array, from: number, to: number): void {
    const end = chunk[to - 1] === carriageReturn && to > from ? to - 1 : to;
    if (end > from) this.#line(chunk.subarray(from, end));
  }

  #add(piece: Uint8Array): void {
    if (this.#skipping) return;
    this.#length += piece.length;
    if (this.#length > this.#maxBytes) {
      this.#skipping = true;
      this.#pieces = [];
      this.#tooLong();
      return;
    }
    this.#pieces.push(piece);
  }

  #end(): void {
    const [first] = this.#pieces;
    const whole = this.#pieces.length === 1 && first ? first : Buffer.concat(this.#pieces);
    const line = whole.at(-1) === carriageReturn ? whole.subarray(0, -1) : whole;
    const emit = !this.#skipping && line.length > 0;
    this.#pieces = [];
    this.#length = 0;
    this.#skipping = false;
    if (emit) this.#line(line);
  }
}
