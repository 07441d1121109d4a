// Chance that comes again with the same seed, and what it does to bytes.

/** Numbers from 0 to 2³²−1, by xorshift: the properties of good chance do not matter here, speed and a seed do. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state;
  }

  /** From 0 up to, and without, `end`. */
  below(end: number): number {
    return end <= 0 ? 0 : this.next() % end;
  }

  /** True once in so many times. */
  once(inTimes: number): boolean {
    return this.below(inTimes) === 0;
  }

  pick<T>(all: readonly T[]): T {
    const found = all[this.below(all.length)];
    if (found === undefined) throw new Error("nothing to pick from");
    return found;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at += 1) bytes[at] = this.next();
    return bytes;
  }
}

/** What parsers trip over. */
const nasty: readonly Buffer[] = [
  ...'\0|\r\n|\n|\r|\t| |"|\\|\\u0000|\\ud800|{|}|[|]|,|:|null|true|-0|1e999|9007199254740993|-|.|0x|NaN|\u2028|\ufeff'.split(
    "|",
  ),
  '"__proto__":{"x":1},',
  '"constructor":{"prototype":{"x":1}},',
  '"jsonrpc":"2.0",',
  '"id":null,',
  '"id":{},',
  '"method":"initialize",',
  "[".repeat(300),
  '{"a":'.repeat(300),
  "9".repeat(400),
  "\\".repeat(31),
  "%00%2e%2e%2f",
  "\r\nX: y",
  "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
  "0\r\n\r\n",
  "ffffffffffffffff\r\n",
]
  .map((text) => Buffer.from(text))
  .concat([
    Buffer.from([0xff, 0xfe]),
    Buffer.from([0xc0, 0xaf]),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from([0xf4, 0x90, 0x80, 0x80]),
  ]);

/** The same bytes with a few changes that know nothing of what they are. */
export function mutate(random: Random, bytes: Buffer, other: Buffer): Buffer {
  let changed = bytes;
  for (let times = 1 + random.below(3); times > 0; times -= 1) changed = mutateOnce(random, changed, other);
  return changed;
}

function mutateOnce(random: Random, bytes: Buffer, other: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(random.once(4) ? 200 : 8));
  const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)];
  switch (random.below(9)) {
    case 0: {
      const copy = Buffer.from(bytes);
      if (copy.length > 0) copy[random.below(copy.length)] = random.next();
      return copy;
    }
    case 1: {
      const copy = Buffer.from(bytes);
      const place = random.below(copy.length);
      if (copy.length > 0) copy[place] = (copy[place] ?? 0) ^ (1 << random.below(8));
      return copy;
    }
    case 2:
      return Buffer.concat([before, after]);
    case 3:
      return Buffer.concat([before, part, part, after]);
    case 4:
      return Buffer.concat([before, random.bytes(1 + random.below(16)), after]);
    case 5:
      return Buffer.from(before);
    case 6: {
      const from = random.below(other.length);
      return Buffer.concat([before, other.subarray(from, from + random.below(100)), after]);
    }
    default:
      return Buffer.concat([before, random.pick(nasty), after]);
  }
}
