// A simulated world: seeded chance and a clock that only moves when it is told to.
export interface World {
  /** Unix ms. */
  now: number;
  /** 0 … 1. */
  readonly random: () => number;
  /** 0 … below `end`. */
  readonly below: (end: number) => number;
  readonly chance: (share: number) => boolean;
}

/** How many steps the models of this folder are driven. */
export const steps = 1_000_000;

export function simulate(seed: number): World {
  let state = seed >>> 0;
  const random = (): number => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
  return { now: 1_000_000, random, below: (end) => Math.floor(random() * end), chance: (share) => random() < share };
}
