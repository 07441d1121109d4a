// The form of a notification of progress that was looked at: most of those that follow differ from it in their numbers alone.

import type { Glance } from "./glance.ts";
import { cut } from "./text.ts";

const zero = 0x30;
const nine = 0x39;
const point = 0x2e;
const backslash = 0x5c;
/** Longer ones cost so much for themselves that nothing is gained. */
const maxBytes = 1024;
/** Digits that a number holds without a loss. */
const maxDigits = 15;

export class Sample {
  readonly #bytes: Uint8Array;
  /** Where the runs of digits in its params begin and end, in turns; then where it ends itself. */
  readonly #runs: readonly number[];
  /** Where the run begins that is the progress token. */
  readonly #token: number;
  /** Of the raw token of the message that fitted last. */
  tokenStart = 0;
  tokenEnd = 0;

  private constructor(bytes: Uint8Array, runs: readonly number[], token: number) {
    this.#bytes = bytes;
    this.#runs = runs;
    this.#token = token;
  }

  /** Of the message there, which the glance has just found in order; undefined where its form is no help. */
  static of(bytes: Uint8Array, start: number, end: number, found: Glance): Sample | undefined {
    if (end - start > maxBytes) return undefined;
    const own = cut(bytes, start, end);
    // An escape may end in digits, and has so many of them.
    if (own.includes(backslash)) return undefined;
    const runs: number[] = [];
    for (let at = found.paramsStart - start; at < found.paramsEnd - start; at += 1) {
      if (!isDigit(own[at])) continue;
      const from = at;
      while (isDigit(own[at])) at += 1;
      runs.push(from, at);
    }
    return new Sample(own, [...runs, own.length], found.tokenStart - start);
  }

  /** The progress token of the message there, where a glance would find it in order and it has this form; -1 elsewhere. */
  token(bytes: Uint8Array, start: number, end: number): number {
    const own = this.#bytes;
    const runs = this.#runs;
    let token = -1;
    let at = start;
    let from = 0;
    for (let next = 0; next < runs.length; next += 2) {
      const until = runs[next] ?? 0;
      for (; from < until; from += 1, at += 1) if (bytes[at] !== own[from]) return -1;
      if (until === own.length) break;
      const run = at;
      while (isDigit(bytes[at])) at += 1;
      // A number may not begin with a zero that other digits follow, but for what comes behind its point.
      if (at === run || (bytes[run] === zero && at > run + 1 && bytes[run - 1] !== point)) return -1;
      if (until === this.#token) token = this.#value(bytes, run, at);
      from = runs[next + 1] ?? 0;
    }
    return at === end ? token : -1;
  }

  #value(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > maxDigits) return -1;
    this.tokenStart = start;
    this.tokenEnd = end;
    let value = 0;
    for (let at = start; at < end; at += 1) value = value * 10 + (bytes[at] ?? 0) - zero;
    return value;
  }
}

function isDigit(byte: number = 0): boolean {
  return byte >= zero && byte <= nine;
}
