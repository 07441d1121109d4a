// How long to wait before the next attempt: to connect, and to send a call again.

const stepsMs = [1_000, 2_000, 4_000, 8_000] as const;
const capMs = 30_000;
const retryBaseMs = 50;
const retryCapMs = 2_000;

/** Failures in a row after which a backend counts as unavailable and not as reconnecting. */
export const attemptsBeforeUnavailable: number = stepsMs.length + 1;

/**
 * Milliseconds to wait after `failures` failed attempts in a row: 1 s, 2 s, 4 s, 8 s, then 30 s with up to a quarter taken
 * off by `random` (0 … 1), so that many gateways do not come back at the same moment.
 */
export function backoffMs(failures: number, random: number = Math.random()): number {
  return stepsMs[failures - 1] ?? Math.round(capMs * (1 - random / 4));
}

/**
 * Milliseconds before a call is sent again after `retries` repetitions of it: full jitter, so anything from none to
 * 50 ms, 100 ms, 200 ms … 2 s. Callers that failed together do not come back together.
 */
export function retryMs(retries: number, random: number = Math.random()): number {
  return random * Math.min(retryCapMs, retryBaseMs * 2 ** Math.min(retries, 16));
}
