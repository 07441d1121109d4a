// Repeats an attempt where that is safe: only what never reached a backend is tried again.

import { GatewayError } from "../core/errors.ts";

/** Failures after which nothing was executed and another link may do better at once. */
const notSent: ReadonlySet<string> = new Set(["unreachable", "connectTimeout", "sessionLost", "exited", "draining"]);

/** True where the failed attempt cannot have been executed. */
export function neverSent(error: unknown): boolean {
  return error instanceof GatewayError && error.data["sent"] === false && notSent.has(error.code);
}

/** The outcome of the first attempt that was sent, or the failure of the last one. */
export async function execute<T>(attempts: number, attempt: () => Promise<T>): Promise<T> {
  for (let left = attempts - 1; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left <= 0 || !neverSent(error)) throw error;
    }
  }
}
