// Blocks of lines: bytes are collected up to an empty line, and every line must end with CRLF.

const CR = 13;
const LF = 10;

const nothing = new Uint8Array();

/** What is wrong with the bytes, in words that go into an error message. */
export type Violation = string;

/** Collects bytes until an empty line; a block that comes in one piece is not copied. */
export class LineBuffer {
  #held = nothing;
  #size = 0;
  #scanned = 0;

  /** Bytes that are held of a block that is not complete. */
  get size(): number {
    return this.#size;
  }

  /** `used` counts the bytes of this call that belong to the block. */
  take(
    bytes: Uint8Array,
    room: number,
  ): { readonly block: Uint8Array; readonly used: number } | "more" | "full" | { readonly bad: Violation } {
    const before = this.#size;
    const fit = bytes.length > room - before ? bytes.subarray(0, room - before + 1) : bytes;
    const all = before === 0 ? bytes : this.#append(fit);
    const found = findEndOfLines(all, this.#scanned);
    if (typeof found === "number") {
      if (found > room) return "full";
      this.#size = 0;
      this.#scanned = 0;
      return { block: all.subarray(0, found), used: found - before };
    }
    if (found !== "more") return found;
    if (all.length > room) return "full";
    if (before === 0) this.#append(bytes);
    this.#scanned = all.length;
    return "more";
  }

  #append(bytes: Uint8Array): Uint8Array {
    const size = this.#size + bytes.length;
    if (size > this.#held.length) {
      // Doubling keeps a head that comes byte by byte linear.
      const grown = new Uint8Array(Math.max(size, this.#held.length * 2, 512));
      grown.set(this.#held.subarray(0, this.#size));
      this.#held = grown;
    }
    this.#held.set(bytes, this.#size);
    this.#size = size;
    return this.#held.subarray(0, size);
  }
}

/** Where the lines of `bytes` up to and including the empty one end: an offset, "more", or what is wrong. */
function findEndOfLines(bytes: Uint8Array, from: number): number | "more" | { readonly bad: Violation } {
  let start = from;
  for (;;) {
    const lf = bytes.indexOf(LF, start);
    if (lf < 0) return "more";
    if (lf === 0 || bytes[lf - 1] !== CR) return { bad: "a line ends without CR" };
    if (lf === 1 || bytes[lf - 2] === LF) return lf + 1;
    start = lf + 1;
  }
}

/** The lines of a complete block, without its empty last line. */
export function splitLines(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
    "latin1",
    0,
    bytes.byteLength - 2,
  );
  const lines = text.split("\r\n");
  lines.pop();
  return lines;
}
