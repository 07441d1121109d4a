// How often something took how long: counts between fixed bounds, which cost one addition a value.

/** One value that was counted, with the trace that it is of. */
export interface Exemplar {
  readonly trace: string;
  readonly span: string;
  /** In the unit of the bounds. */
  readonly value: number;
  /** Unix ms. */
  readonly at: number;
}

export class Histogram {
  /** Ascending; what is larger than the last one is counted behind it. */
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  /** The last one of each part; undefined until there is any. */
  exemplars: (Exemplar | undefined)[] | undefined;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Counts a value; returns the part that it is in. */
  add(value: number): number {
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? 0)) at += 1;
    counts[at] = (counts[at] ?? 0) + 1;
    this.sum += value;
    return at;
  }

  /** The value that the part was given last belongs to a trace. */
  mark(part: number, exemplar: Exemplar): void {
    this.exemplars ??= this.bounds.map(() => undefined);
    this.exemplars[part] = exemplar;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}

/** All of them together; they have the same bounds. */
export function sumOf(all: readonly Histogram[], bounds: readonly number[]): Histogram {
  const total = new Histogram(bounds);
  for (const { counts, sum } of all) {
    for (const [at, count] of counts.entries()) total.counts[at] = (total.counts[at] ?? 0) + count;
    total.sum += sum;
  }
  return total;
}

/** About the value below which this share of them is; undefined where nothing was counted. */
export function quantileOf({ bounds, counts, count }: Histogram, share: number): number | undefined {
  if (count === 0) return undefined;
  let left = share * count;
  for (const [at, each] of counts.entries()) {
    if (each > 0 && left <= each) {
      const from = at === 0 ? 0 : (bounds[at - 1] ?? 0);
      // Beyond the last bound nothing is known but that.
      return from + ((bounds[at] ?? from) - from) * (left / each);
    }
    left -= each;
  }
  return bounds.at(-1);
}
