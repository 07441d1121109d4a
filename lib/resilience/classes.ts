// What a failed attempt means: whether it may have run, whether another may be made, and whether its replica is to blame.

import { type ErrorCode, GatewayError } from "../core/errors.ts";

/** `notSent`: nothing was executed. `unknown`: it may have been. */
export type FailureClass = "notSent" | "unknown";

/** `again`: anywhere; `elsewhere`: only another replica may do better; `never`: none will. */
type Next = "again" | "elsewhere" | "never";

interface Row {
  readonly next: Next;
  /** The replica is to blame. */
  readonly counts: boolean;
  /** The replica got nothing of it: another attempt adds no load, and so costs nothing of the budget. */
  readonly free: boolean;
}

const row = (next: Next, counts: boolean, free: boolean): Row => ({ next, counts, free });

/** Failures of attempts; whatever is not here says nothing of the replica, and is told as it is. */
const rows: Partial<Readonly<Record<ErrorCode, Row>>> = {
  unreachable: row("again", true, true),
  connectTimeout: row("again", true, true),
  spawnFailed: row("elsewhere", true, true),
  exited: row("again", true, true),
  draining: row("again", false, true),
  sessionLost: row("again", false, false),
  lost: row("again", true, false),
  // Too many requests, or a server that is not ready: it has said so, and was not asked for long.
  unavailable: row("again", true, false),
  badProtocol: row("elsewhere", true, false),
  // Counted by whoever knows whether anything was heard of the replica meanwhile.
  callTimeout: row("never", false, false),
};
const other = row("never", false, false);

export interface Failing extends Row {
  readonly error: GatewayError;
  readonly class: FailureClass;
  /** Milliseconds that the backend wants to be left alone; undefined where it does not say. */
  readonly retryAfterMs: number | undefined;
}

export function classify(error: GatewayError): Failing {
  const { code, data } = error;
  const known = rows[code] ?? other;
  const { retryAfterMs } = data;
  const next = nextAfter(error, known.next);
  return {
    ...known,
    next,
    // Told to come back later is no fault.
    counts: known.counts && data["throttled"] !== true,
    free: known.free && data["sent"] === false,
    error,
    class: data["sent"] === false ? "notSent" : "unknown",
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
  };
}

function nextAfter({ code, data }: GatewayError, next: Next): Next {
  // What was sent and came back as nonsense may go well the next time.
  if (code === "badProtocol" && data["sent"] === true) return "again";
  // Not the time of the whole call: one that hangs here would hang again, but need not elsewhere.
  return code === "callTimeout" && data["sign"] !== undefined ? "elsewhere" : next;
}

/** True for a failure of a backend, of which its caller should know whether anything ran. */
export function concernsBackend(error: GatewayError): boolean {
  return rows[error.code] !== undefined || error.code === "overloaded";
}

/** True where the failed attempt cannot have been executed, and another one may be made. */
export function neverSent(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  const { class: kind, next } = classify(error);
  return kind === "notSent" && next === "again";
}
