// Walks JSON bytes past what nobody looks at, for {@link Glance}: -1 says that another look is needed, and not what is wrong.

import { isHexDigit } from "./json.ts";

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const zero = 0x30;
/** Far below the limit of the scan: what nests deeper is rare. */
const maxDepth = 32;

export class Skim {
  bytes: Uint8Array = new Uint8Array();
  /** All bytes of strings, joined by OR. */
  high = 0;
  /** A line ended between two tokens. */
  breaks = false;

  /** Whether these ASCII characters are there. */
  reads(start: number, text: string): boolean {
    const bytes = this.bytes;
    for (let index = 0; index < text.length; index += 1)
      if (bytes[start + index] !== text.charCodeAt(index)) return false;
    return true;
  }

  blank(start: number): number {
    const { bytes } = this;
    let at = start;
    for (let byte = bytes[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[at]) {
      if (byte === 0x0a || byte === 0x0d) this.breaks = true;
      at += 1;
    }
    return at;
  }

  /** Where a string in plain ASCII ends, at its closing quote, that begins at `start`. */
  key(start: number): number {
    const bytes = this.bytes;
    if (bytes[start] !== quote) return -1;
    for (let at = start + 1; ; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === quote) return at;
      if (byte < 0x20 || byte === backslash || byte >= 0x80) return -1;
    }
  }

  /** Where the value after a key begins, whose closing quote is at `keyEnd`. */
  value(keyEnd: number): number {
    const at = this.blank(keyEnd + 1);
    return this.bytes[at] === colon ? this.blank(at + 1) : -1;
  }

  /** Where the string ends whose first character is at `start`. */
  string(start: number): number {
    const bytes = this.bytes;
    let high = 0;
    let at = start;
    for (;;) {
      const byte = bytes[at] ?? 0;
      if (byte === quote) break;
      if (byte < 0x20) return -1;
      at = byte === backslash ? this.#escape(at + 1) : at + 1;
      if (at < 0) return -1;
      high |= byte;
    }
    this.high |= high;
    return at + 1;
  }

  #escape(at: number): number {
    const bytes = this.bytes;
    const byte = bytes[at] ?? 0;
    if (byte === quote || byte === backslash || byte === 0x2f || byte === 0x6e || byte === 0x74 || byte === 0x72)
      return at + 1;
    if (byte === 0x62 || byte === 0x66) return at + 1;
    if (byte !== 0x75) return -1;
    for (let digit = at + 1; digit < at + 5; digit += 1) if (!isHexDigit(bytes[digit] ?? 0)) return -1;
    return at + 5;
  }

  number(start: number): number {
    const bytes = this.bytes;
    let at = bytes[start] === 0x2d ? start + 1 : start;
    at = bytes[at] === zero ? at + 1 : this.#digits(at);
    if (at >= 0 && bytes[at] === 0x2e) at = this.#digits(at + 1);
    if (at < 0 || ((bytes[at] ?? 0) | 0x20) !== 0x65) return at;
    const sign = bytes[at + 1];
    return this.#digits(sign === 0x2b || sign === 0x2d ? at + 2 : at + 1);
  }

  /** One digit or more. */
  #digits(start: number): number {
    const bytes = this.bytes;
    let at = start;
    for (let byte = bytes[at] ?? 0; byte >= zero && byte <= 0x39; byte = bytes[at] ?? 0) at += 1;
    return at > start ? at : -1;
  }

  /** Where the value at `start` ends, which lies in `depth` containers. */
  skip(start: number, depth: number): number {
    const first = this.bytes[start] ?? 0;
    if (first === quote) return this.string(start + 1);
    if (first === openBrace || first === openBracket) return depth < maxDepth ? this.#container(start, depth) : -1;
    if (first === 0x74) return this.reads(start, "true") ? start + 4 : -1;
    if (first === 0x66) return this.reads(start, "false") ? start + 5 : -1;
    if (first === 0x6e) return this.reads(start, "null") ? start + 4 : -1;
    return this.number(start);
  }

  // Recursion goes no deeper than `maxDepth`.
  #container(start: number, depth: number): number {
    const bytes = this.bytes;
    const isObject = bytes[start] === openBrace;
    const closer = isObject ? closeBrace : closeBracket;
    let at = this.blank(start + 1);
    if (bytes[at] === closer) return at + 1;
    for (;;) {
      if (isObject) {
        const keyEnd = bytes[at] === quote ? this.string(at + 1) : -1;
        at = keyEnd < 0 ? -1 : this.value(keyEnd - 1);
        if (at < 0) return -1;
      }
      at = this.skip(at, depth + 1);
      if (at < 0) return -1;
      at = this.blank(at);
      if (bytes[at] === closer) return at + 1;
      if (bytes[at] !== comma) return -1;
      at = this.blank(at + 1);
    }
  }
}
