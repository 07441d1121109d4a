// Walks JSON bytes without building values: finds where a value ends, and refuses what JSON.parse would refuse.

import { longRest, PlainRuns } from "./json-runs.ts";

/** Byte offsets of a raw JSON value; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export const quote = 0x22;
export const openBrace = 0x7b;
const closeBrace = 0x7d;
export const openBracket = 0x5b;
const closeBracket = 0x5d;
export const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const minus = 0x2d;
const zero = 0x30;

/** A position that means "nested deeper than allowed"; other negative positions come from {@link failAt}. */
export const tooDeep: number = -Infinity;

/** Failures are negative positions rather than exceptions: hostile input must not cost a stack trace. */
export const failAt = (pos: number): number => -1 - pos;
/** Offset of the byte that made `failed` fail. */
export const offsetOf = (failed: number): number => -1 - failed;

/** Bytes that are looked at one by one before a string counts as long and is skipped a word at a time. */
const shortString = 16;
/** Bytes of a `\uXXXX`, the longest way to write one UTF-16 unit. */
const longestEscape = 6;

// The native decoder would drop a leading U+FEFF of a string without ignoreBOM.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of UTF-8 bytes. */
export const decode = (bytes: Uint8Array): string => decoder.decode(bytes);

/** True when the byte starts a JSON number. */
export const startsNumber = (byte: number | undefined): boolean => byte === minus || isDigit(byte ?? 0);

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

export const isHexDigit = (byte: number): boolean => isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);

/**
 * Positions in one JSON text, which must be valid UTF-8. Methods take an offset and return the offset after what they
 * read, or a negative one where it is not JSON. Past the end they see a NUL byte, which JSON allows nowhere.
 */
export class JsonReader {
  readonly bytes: Uint8Array;
  readonly #maxDepth: number;
  readonly #closers: number[] = [];
  /** Whether the key that was read last holds an escape. */
  escaped: boolean = false;
  #runs: PlainRuns | undefined;

  constructor(bytes: Uint8Array, maxDepth: number) {
    this.bytes = bytes;
    this.#maxDepth = maxDepth;
  }

  /** Skips white space. */
  blank(start: number): number {
    const { bytes } = this;
    let pos = start;
    let byte = bytes[pos] ?? 0;
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++pos] ?? 0;
    return pos;
  }

  /** Skips the value that starts at `start`, inside `depth` containers. Iterative: nesting cannot overflow the stack. */
  value(start: number, depth: number): number {
    const { bytes } = this;
    const closers = this.#closers;
    let level = depth;
    let closer = 0;
    let pos = start;
    for (;;) {
      const byte = bytes[pos] ?? 0;
      if (byte === quote) {
        pos = this.string(pos);
      } else if (byte === openBrace || byte === openBracket) {
        if (level >= this.#maxDepth) return tooDeep;
        const inner = byte + 2; // In ASCII both closing brackets follow their opening ones at this distance.
        pos = this.blank(pos + 1);
        if (bytes[pos] === inner) {
          pos++;
        } else {
          closers.push(closer);
          closer = inner;
          level++;
          if (inner === closeBrace) pos = this.#key(pos);
          if (pos < 0) return pos;
          continue;
        }
      } else {
        pos = this.#scalar(pos, byte);
      }
      if (pos < 0) return pos;

      // A value has ended here: close what closes after it, then go on to the next one.
      for (;;) {
        if (level === depth) return pos;
        pos = this.blank(pos);
        const next = bytes[pos];
        if (next === comma) {
          pos = this.blank(pos + 1);
          if (closer === closeBrace) pos = this.#key(pos);
          if (pos < 0) return pos;
          break;
        }
        if (next !== closer) return failAt(pos);
        pos++;
        level--;
        closer = closers.pop() ?? 0;
      }
    }
  }

  /** Skips a key and its colon, up to the member's value. */
  #key(start: number): number {
    if (this.bytes[start] !== quote) return failAt(start);
    const end = this.string(start);
    return end < 0 ? end : this.#afterKey(end);
  }

  /** Skips the colon after a key that ends at `end`, up to the member's value. */
  #afterKey(end: number): number {
    const pos = this.blank(end);
    return this.bytes[pos] === colon ? this.blank(pos + 1) : failAt(pos);
  }

  /**
   * Skips the object at `start`, which lies in `depth` containers. `visit` gets the span of each key without its quotes
   * and the start of the value, and returns the offset after that value.
   */
  members(start: number, depth: number, visit: (key: number, keyEnd: number, value: number) => number): number {
    const { bytes } = this;
    if (depth >= this.#maxDepth) return tooDeep;
    let pos = this.blank(start + 1);
    while (pos >= 0 && bytes[pos] !== closeBrace) {
      if (bytes[pos] !== quote) return failAt(pos);
      this.escaped = false;
      const keyEnd = this.string(pos);
      const value = keyEnd < 0 ? keyEnd : this.#afterKey(keyEnd);
      if (value < 0) return value;
      const end = visit(pos + 1, keyEnd - 1, value);
      pos = end < 0 ? end : this.#next(end, closeBrace);
    }
    return pos < 0 ? pos : pos + 1;
  }

  /** Skips the array at `start`, which lies in `depth` containers; `visit` returns the offset after each element. */
  elements(start: number, depth: number, visit: (element: number) => number): number {
    const { bytes } = this;
    if (depth >= this.#maxDepth) return tooDeep;
    let pos = this.blank(start + 1);
    while (pos >= 0 && bytes[pos] !== closeBracket) {
      const end = visit(pos);
      pos = end < 0 ? end : this.#next(end, closeBracket);
    }
    return pos < 0 ? pos : pos + 1;
  }

  /** Whether the content of a string, from `start` to `end` without its quotes, reads `text`. */
  reads(start: number, end: number, text: string): boolean {
    const { bytes } = this;
    const length = end - start;
    if (length < text.length) return false;
    for (let index = 0; index < text.length; index++) {
      const byte = bytes[start + index] ?? 0;
      if (byte === text.charCodeAt(index) && byte < 0x80) continue;
      // Only an escape or a longer encoding can still be the same text; no character takes more than an escape's bytes.
      if ((byte !== backslash && byte < 0x80) || length > text.length * longestEscape) return false;
      return JSON.parse(decode(bytes.subarray(start - 1, end + 1))) === text;
    }
    return length === text.length;
  }

  /** After a value in a container: the start of the next member or element, or the offset of the container's closer. */
  #next(end: number, closer: number): number {
    const pos = this.blank(end);
    if (this.bytes[pos] !== comma) return this.bytes[pos] === closer ? pos : failAt(pos);
    const start = this.blank(pos + 1);
    return this.bytes[start] === closer ? failAt(start) : start;
  }

  /** Skips the string whose opening quote is at `start`. */
  string(start: number): number {
    const { bytes } = this;
    let pos = start + 1;
    let long = pos + shortString;
    for (;;) {
      const byte = bytes[pos] ?? 0;
      if (byte === quote) return pos + 1;
      if (byte === backslash) {
        this.escaped = true;
        pos = this.#escape(pos);
        if (pos < 0) return pos;
      } else if (byte < 0x20) {
        return failAt(pos);
      } else {
        pos++;
      }
      if (pos >= long && bytes.length - pos > longRest && ((bytes.byteOffset + pos) & 3) === 0) {
        this.#runs ??= new PlainRuns(bytes);
        pos = this.#runs.skip(pos);
        long = pos + shortString;
      }
    }
  }

  /** Skips the escape whose backslash is at `start`. */
  #escape(start: number): number {
    const { bytes } = this;
    switch (bytes[start + 1] ?? 0) {
      case quote:
      case backslash:
      case 0x2f: // /
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        return start + 2;
      case 0x75: {
        // u
        for (let pos = start + 2; pos < start + 6; pos++) {
          if (!isHexDigit(bytes[pos] ?? 0)) return failAt(pos);
        }
        return start + 6;
      }
      default:
        return failAt(start + 1);
    }
  }

  #scalar(start: number, first: number): number {
    if (first === minus || isDigit(first)) return this.#number(start, first);
    if (first === 0x74) return this.#word(start, 0x72, 0x75, 0x65); // true
    if (first === 0x6e) return this.#word(start, 0x75, 0x6c, 0x6c); // null
    if (first === 0x66 && this.bytes[start + 1] === 0x61) return this.#word(start + 1, 0x6c, 0x73, 0x65); // false
    return failAt(start);
  }

  #word(start: number, second: number, third: number, fourth: number): number {
    const { bytes } = this;
    const same = bytes[start + 1] === second && bytes[start + 2] === third && bytes[start + 3] === fourth;
    return same ? start + 4 : failAt(start);
  }

  #number(start: number, first: number): number {
    const { bytes } = this;
    let pos = first === minus ? start + 1 : start;
    pos = bytes[pos] === zero ? pos + 1 : this.#digits(pos);
    if (pos < 0) return pos;
    if (bytes[pos] === 0x2e) pos = this.#digits(pos + 1);
    if (pos < 0) return pos;
    const mark = bytes[pos];
    if (mark !== 0x65 && mark !== 0x45) return pos;
    const sign = bytes[pos + 1];
    return this.#digits(sign === 0x2b || sign === minus ? pos + 2 : pos + 1);
  }

  /** Skips one digit or more. */
  #digits(start: number): number {
    const { bytes } = this;
    let pos = start;
    while (isDigit(bytes[pos] ?? 0)) pos++;
    return pos > start ? pos : failAt(start);
  }
}
