// How long to wait before the next attempt to connect.

const stepsMs = [1_000, 2_000, 4_000, 8_000] as const;
const capMs = 30_000;

/** Failures in a row after which a backend counts as unavailable and not as reconnecting. */
export const attemptsBeforeUnavailable: number = stepsMs.length + 1;

/**
 * Milliseconds to wait after `failures` failed attempts in a row: 1 s, 2 s, 4 s, 8 s, then 30 s with up to a quarter taken
 * off by `random` (0 … 1), so that many gateways do not come back at the same moment.
 */
export function backoffMs(failures: number, random: number = Math.random()): number {
  return stepsMs[failures - 1] ?? Math.round(capMs * (1 - random / 4));
}
