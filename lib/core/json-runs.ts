// The long parts of JSON strings that need no look at each byte: a word at a time, and with native searches where that pays.

const quote = 0x22;
const backslash = 0x5c;
/** A word of the first character that is no control character. */
const spaces = 0x20202020;
/** Bytes that must be left of a message: words are not free to begin with. */
export const longRest = 128;
/** Words that are looked at before native searches pay. */
const nearWords = 128;

/** Of one message. */
export class PlainRuns {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  /** The first ones after the position for which they were looked for. */
  #quoteAt = -1;
  #backslashAt = -1;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer, 0, bytes.buffer.byteLength >>> 2);
  }

  /** Skips bytes from `start` (aligned) on that are no quote, no backslash and no control character, mostly all of them. */
  skip(start: number): number {
    const { byteOffset, length } = this.#bytes;
    const words = this.#words;
    const end = (byteOffset + length) >>> 2;
    let index = (byteOffset + start) >>> 2;
    const near = Math.min(end, index + nearWords);
    for (; index < near; index++) {
      // A byte below n borrows into its high bit when n is subtracted; an XOR makes a quote the next one above the
      // control characters, and a zero of a backslash.
      const word = words[index] ?? 0;
      const found = ((word ^ 0x02020202) - 0x21212121) | ((word ^ 0x5c5c5c5c) - 0x01010101);
      if ((found & ~word & 0x80808080) !== 0) return (index << 2) - byteOffset;
    }
    const pos = (index << 2) - byteOffset;
    const far = index < end ? this.#nextMark(pos) : 0;
    return far - pos < longRest ? pos : (skipPrintable(words, index, (byteOffset + far) >>> 2) << 2) - byteOffset;
  }

  /** Where the next quote or backslash is. Each byte is looked at once for either, however often this is asked. */
  #nextMark(pos: number): number {
    const bytes = this.#bytes;
    if (this.#quoteAt < pos) this.#quoteAt = indexOf(bytes, quote, pos);
    if (this.#backslashAt < pos) this.#backslashAt = indexOf(bytes, backslash, pos);
    return Math.min(this.#quoteAt, this.#backslashAt);
  }
}

/** The offset of the first such byte from `from` on, or the length. */
function indexOf(bytes: Uint8Array, byte: number, from: number): number {
  const at = bytes.indexOf(byte, from);
  return at < 0 ? bytes.length : at;
}

/** Skips words without a control character, up to `end`; may stop before it, but not after the first one. */
function skipPrintable(words: Int32Array, start: number, end: number): number {
  let index = start;
  // Eight at a time: the loads and the test of the result cost more than the arithmetic.
  for (const last = end - 7; index < last; index += 8) {
    const a = words[index] ?? 0;
    const b = words[index + 1] ?? 0;
    const c = words[index + 2] ?? 0;
    const d = words[index + 3] ?? 0;
    const e = words[index + 4] ?? 0;
    const f = words[index + 5] ?? 0;
    const g = words[index + 6] ?? 0;
    const h = words[index + 7] ?? 0;
    const low = ((a - spaces) & ~a) | ((b - spaces) & ~b) | ((c - spaces) & ~c) | ((d - spaces) & ~d);
    const high = ((e - spaces) & ~e) | ((f - spaces) & ~f) | ((g - spaces) & ~g) | ((h - spaces) & ~h);
    if (((low | high) & 0x80808080) !== 0) break;
  }
  return index;
}
