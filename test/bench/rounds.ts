// Rounds in which the contestants take turns, and what is left of their noise: medians, of ratios within a round.
import type { Effort, Field, Via } from "./field.ts";
import type { Load, Sample, Way } from "./load.ts";

export interface Contestant {
  readonly via: string;
  readonly way: Way;
}

/** The samples of each contestant, by round. One that fails is left out from then on, and why is kept. */
export interface Rounds {
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  readonly failures: ReadonlyMap<string, string>;
}

export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The median with an interval around it in which that of many more values is, 19 times of 20. */
export interface Estimate {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** By the order of the values alone, whatever their distribution is. */
export function estimate(values: readonly number[]): Estimate {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b);
  const reach = 0.98 * Math.sqrt(sorted.length);
  const at = (index: number): number => sorted[Math.max(0, Math.min(sorted.length - 1, index))] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return { median: median(sorted), low: at(Math.floor(middle - reach)), high: at(Math.ceil(middle + reach)) };
}

/** The median over the rounds of what the function makes of the two samples of one round. */
export function medianOf(
  rounds: Rounds,
  via: string,
  reference: string,
  value: (own: Sample, other: Sample) => number,
): number {
  const others = rounds.samples.get(reference) ?? [];
  const values = (rounds.samples.get(via) ?? []).map((own, round) => {
    const other = others[round];
    return other === undefined ? Number.NaN : value(own, other);
  });
  return median(values);
}

export async function runRounds(
  field: Field,
  vias: readonly Via[],
  load: Omit<Load, "seconds" | "requests">,
  effort: Effort,
): Promise<Rounds> {
  const contestants: Contestant[] = [];
  const failures = new Map<string, string>();
  for (const via of vias) {
    try {
      contestants.push({ via, way: await field.way(via) });
    } catch (error) {
      failures.set(via, messageOf(error));
    }
  }
  return takeTurns(field, contestants, load, effort, failures);
}

export async function takeTurns(
  field: Field,
  contestants: readonly Contestant[],
  load: Omit<Load, "seconds" | "requests">,
  effort: Effort,
  failures: Map<string, string> = new Map(),
): Promise<Rounds> {
  const samples = new Map<string, Sample[]>();
  for (let round = -1; round < effort.rounds; round++) {
    const seconds = round < 0 ? effort.warmSeconds : effort.seconds;
    for (const { via, way } of contestants) {
      if (failures.has(via)) continue;
      try {
        const sample = await field.peer.load(way, { ...load, seconds });
        if (round < 0) samples.set(via, []);
        else samples.get(via)?.push(sample);
      } catch (error) {
        samples.delete(via);
        failures.set(via, messageOf(error));
      }
    }
  }
  return { samples, failures };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
