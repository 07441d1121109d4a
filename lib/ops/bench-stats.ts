// Whether two series differ: by ranks, so that a round that another program spoilt counts as one round and no more. On
// logarithms, so that differences are ratios.

/** A ratio of B to A: 1.05 is 5 % more. */
export interface Estimate {
  readonly ratio: number;
  /** 95 % interval. */
  readonly low: number;
  readonly high: number;
  /** How probable a difference as large is where there is none. */
  readonly p: number;
}

const error = 0.05;

/**
 * From the logarithms of paired ratios: the estimate after Hodges and Lehmann, interval and probability after Wilcoxon's
 * signed ranks. Undefined where there are less than two.
 */
export function pairedEstimate(logRatios: readonly number[]): Estimate | undefined {
  const { length } = logRatios;
  if (length < 2) return undefined;
  const sorted = logRatios.flatMap((a, at) => logRatios.slice(at).map((b) => (a + b) / 2)).toSorted((a, b) => a - b);
  const shares = signedRankShares(length);
  const above = sorted.filter((each) => each > 0).length + sorted.filter((each) => each === 0).length / 2;
  const extreme = Math.floor(Math.min(above, sorted.length - above));
  return intervalOf(sorted, largestBelow(shares), Math.min(1, 2 * (shares[extreme] ?? 1)));
}

/** From two series that belong together by nothing: Hodges and Lehmann's estimate, interval and probability by rank sums. */
export function unpairedEstimate(a: readonly number[], b: readonly number[]): Estimate | undefined {
  if (a.length < 4 || b.length < 4) return undefined;
  const sorted = b.flatMap((each) => a.map((other) => Math.log(each / other))).toSorted((x, y) => x - y);
  const spread = Math.sqrt((a.length * b.length * (a.length + b.length + 1)) / 12);
  const above = sorted.filter((each) => each > 0).length + sorted.filter((each) => each === 0).length / 2;
  const distance = Math.max(0, Math.abs(above - sorted.length / 2) - 0.5) / spread;
  const z = 1.96;
  return intervalOf(sorted, Math.floor(sorted.length / 2 - z * spread), 2 * normalTail(distance));
}

/** The middle of all differences, and between which of them the true one lies. */
function intervalOf(sorted: readonly number[], cut: number, p: number): Estimate {
  const { length } = sorted;
  const middle = ((sorted[Math.floor((length - 1) / 2)] ?? 0) + (sorted[Math.floor(length / 2)] ?? 0)) / 2;
  // Too few for 95 %: nothing is known of the ends.
  const low = cut < 0 ? 0 : Math.exp(sorted[cut] ?? 0);
  const high = cut < 0 ? Infinity : Math.exp(sorted[length - 1 - cut] ?? 0);
  return { ratio: Math.exp(middle), low, high, p };
}

/** By a rank sum from 0 on, how probable it or a smaller one is. */
function signedRankShares(count: number): readonly number[] {
  const most = (count * (count + 1)) / 2;
  let ways = [1];
  for (let rank = 1; rank <= count; rank += 1)
    ways = Array.from({ length: most + 1 }, (_, sum) => ((ways[sum] ?? 0) + (ways[sum - rank] ?? 0)) / 2);
  let total = 0;
  return ways.map((share) => (total += share));
}

/** The largest rank sum that is less probable than half of the error; -1 where none is. */
function largestBelow(shares: readonly number[]): number {
  return shares.findLastIndex((share) => share <= error / 2);
}

/** How much of the normal distribution lies above `z`, for `z` from 0 on (Abramowitz and Stegun, 26.2.17). */
function normalTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const terms = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const sum = terms.reduceRight((total, term) => (total + term) * t, 0);
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
}

/** Probabilities for several questions asked at once, after Holm: the more are asked, the more each needs. */
export function holm(values: readonly number[]): readonly number[] {
  const order = [...values.keys()].toSorted((a, b) => (values[a] ?? 1) - (values[b] ?? 1));
  const adjusted = [...values];
  let least = 0;
  for (const [rank, index] of order.entries()) {
    least = Math.max(least, Math.min(1, (values[index] ?? 1) * (values.length - rank)));
    adjusted[index] = least;
  }
  return adjusted;
}
