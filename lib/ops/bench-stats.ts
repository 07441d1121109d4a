// Whether two series differ: intervals and probabilities after Student and Welch, on logarithms, so that they are ratios.

/** A ratio of B to A: 1.05 is 5 % more. */
export interface Estimate {
  readonly ratio: number;
  /** 95 % interval. */
  readonly low: number;
  readonly high: number;
  /** How probable a difference as large is where there is none. */
  readonly p: number;
}

const confidence = 0.95;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: readonly number[]): number {
  const center = mean(values);
  return values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
}

/** From the logarithms of paired ratios, after Student; undefined where there are less than two. */
export function pairedEstimate(logRatios: readonly number[]): Estimate | undefined {
  if (logRatios.length < 2) return undefined;
  const error = Math.sqrt(variance(logRatios) / logRatios.length);
  return estimate(mean(logRatios), error, logRatios.length - 1);
}

/** From two series that belong together by nothing, after Welch. */
export function welchEstimate(a: readonly number[], b: readonly number[]): Estimate | undefined {
  if (a.length < 2 || b.length < 2) return undefined;
  const [logsA, logsB] = [a.map(Math.log), b.map(Math.log)];
  const [shareA, shareB] = [variance(logsA) / a.length, variance(logsB) / b.length];
  const freedom =
    (shareA + shareB) ** 2 / (shareA ** 2 / (a.length - 1) + shareB ** 2 / (b.length - 1)) || a.length + b.length - 2;
  return estimate(mean(logsB) - mean(logsA), Math.sqrt(shareA + shareB), freedom);
}

function estimate(center: number, error: number, freedom: number): Estimate {
  const ratio = Math.exp(center);
  // Series without any spread.
  if (error === 0) return { ratio, low: ratio, high: ratio, p: center === 0 ? 1 : 0 };
  const reach = studentQuantile(1 - (1 - confidence) / 2, freedom) * error;
  return {
    ratio,
    low: Math.exp(center - reach),
    high: Math.exp(center + reach),
    p: 2 * (1 - studentShare(Math.abs(center / error), freedom)),
  };
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

/** Share of Student's distribution below `t`, for `t` from 0 on. */
function studentShare(t: number, freedom: number): number {
  return 1 - incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
}

export function studentQuantile(share: number, freedom: number): number {
  let [low, high] = [0, 1e4];
  for (let step = 0; step < 80; step += 1) {
    const middle = (low + high) / 2;
    if (studentShare(middle, freedom) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The regularised incomplete beta function, by its continued fraction. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on one side alone.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log(1 - x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  const tiny = 1e-300;
  const guard = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 300; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guard(1 + even * d);
    c = guard(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guard(1 + odd * d);
    c = guard(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-12) break;
  }
  return front * fraction;
}

/** Lanczos' approximation. */
function logGamma(x: number): number {
  const terms = [
    76.18009172947146, -86.5053203294168, 24.01409824083091, -1.231739572450155, 0.001208650973866179,
    -0.000005395239384953,
  ];
  const base = x + 5.5;
  const sum = terms.reduce((total, term, index) => total + term / (x + 1 + index), 1.000000000190015);
  return (x + 0.5) * Math.log(base) - base + Math.log((2.506628274631 * sum) / x);
}
