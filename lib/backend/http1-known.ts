// A head that was parsed before: one that reads the same but for the digits of its length need not be parsed again.

import type { Framing } from "./http1-head.ts";
import type { HeadMemory } from "./http1.ts";

const field = "\r\ncontent-length:";
const cr = 13;
const zero = 48;
/** Of a length; longer ones are parsed. */
const maxDigits = 9;

export class KnownHead<Head extends { readonly framing: Framing }> {
  readonly head: Head;
  /** What comes before the digits, and after them. */
  readonly #before: Buffer;
  readonly #after: Buffer;
  /** Length of the body, by the head that matched last. */
  length = 0;

  private constructor(head: Head, before: Buffer, after: Buffer) {
    this.head = head;
    this.#before = before;
    this.#after = after;
  }

  /** `block`: the bytes of the head with its empty line. Undefined where it has no length, or says it twice. */
  static of<Head extends { readonly framing: Framing }>(block: Buffer, head: Head): KnownHead<Head> | undefined {
    const text = block.toString("latin1").toLowerCase();
    const at = text.indexOf(field);
    if (head.framing.kind !== "length" || at < 0 || text.indexOf(field, at + 1) >= 0) return undefined;
    const start = at + field.length + (/^[ \t]*/.exec(text.slice(at + field.length))?.[0].length ?? 0);
    const end = start + String(head.framing.length).length;
    // Leading zeros, or blanks behind: too odd to go on with.
    if (text.slice(start, end) !== String(head.framing.length) || text.charCodeAt(end) !== cr) return undefined;
    return new KnownHead(head, Buffer.from(block.subarray(0, start)), Buffer.from(block.subarray(end)));
  }

  /** Where the body begins, if the bytes begin with this head, up to its digits; 0 where they do not. */
  match(bytes: Uint8Array): number {
    const before = this.#before;
    const after = this.#after;
    let at = before.length;
    if (bytes.length < at + after.length || before.compare(bytes, 0, at) !== 0) return 0;
    let length = 0;
    const first = at;
    for (let digit = (bytes[at] ?? 0) - zero; digit >= 0 && digit <= 9; digit = (bytes[at] ?? 0) - zero) {
      length = length * 10 + digit;
      at += 1;
    }
    const end = at + after.length;
    if (at === first || at - first > maxDigits || bytes.length < end) return 0;
    if (after.length > 4) {
      if (after.compare(bytes, at, end) !== 0) return 0;
    } else for (let index = 0; index < after.length; index += 1) if (bytes[at + index] !== after[index]) return 0;
    this.length = length;
    return end;
  }
}

/** Follows the head that a memory holds, as far as it is one that `accept` wants. */
export class KnownHeads<Head extends { readonly framing: Framing }> {
  readonly memory: HeadMemory<Head> = { known: undefined };
  readonly #accept: (head: Head) => boolean;
  #seen: HeadMemory<Head>["known"];
  #known: KnownHead<Head> | undefined;

  constructor(accept: (head: Head) => boolean) {
    this.#accept = accept;
  }

  get known(): KnownHead<Head> | undefined {
    const { known } = this.memory;
    if (known === this.#seen) return this.#known;
    this.#seen = known;
    this.#known = known && this.#accept(known.head) ? KnownHead.of(known.block, known.head) : undefined;
    return this.#known;
  }
}
