// Who is calling, after authentication: one type, whatever it was proved with.

import { after } from "./scope.ts";

export interface Principal {
  /** Unique over all ways to sign in; sessions, cursors, states and links are bound to it. */
  readonly id: string;
  /** Name of the key, subject of the token, or name in the certificate. */
  readonly subject: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  /** Of the token; empty for others. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Until when what was shown is good, Unix ms; Infinity where it does not end. */
  readonly expiresAt: number;
}

/** Everybody, where there is no authentication. */
export const anonymous: Principal = Object.freeze({
  id: "anonymous",
  subject: "anonymous",
  groups: Object.freeze([]),
  scopes: Object.freeze([]),
  claims: Object.freeze({}),
  expiresAt: Infinity,
});

/** Whoever has the gateway's own stdin and stdout: nobody signs in there, whatever the config says. */
export const local: Principal = Object.freeze({ ...anonymous });

/** Longer than this a timer of the runtimes overflows and fires at once. */
const maxTimerMs = 2 ** 31 - 1;

/** Calls `action` when what a principal showed is good no more; returns what takes that back. */
export function untilExpiry({ expiresAt }: Principal, action: () => void): () => void {
  if (expiresAt === Infinity) return () => {};
  return after(Math.min(maxTimerMs, Math.max(0, expiresAt - Date.now())), action);
}
