// Starts calls: in an open loop when their time has come, in a closed loop when the last answer has.

import { Alarm, atTurnEnd, type Scope, sleep } from "../core/scope.ts";
import { dueMs, type Rate } from "./bench-rate.ts";
import type { Latencies } from "./bench-histogram.ts";

export type Load =
  | { readonly kind: "open"; readonly rate: Rate }
  /** `maxRate`: calls a second of all clients together. */
  | { readonly kind: "closed"; readonly clients: number; readonly maxRate: number };

export interface Stretch {
  /** `performance.now()` of its beginning. */
  readonly beganAt: number;
  readonly durationMs: number;
  /** Calls at most. */
  readonly count: number;
}

/** Who makes the calls. */
export interface Launcher {
  /** Makes a call that was to start at `intendedAt`; resolves, never rejects, when it is over; false where it failed. */
  readonly launch: (intendedAt: number) => Promise<boolean>;
  /** How late a call was started. */
  readonly lag: Latencies;
}

/** A client whose calls fail at once must not spin. */
const failurePauseMs = 10;
const watchMs = 10;
/** Who is behind starts so many calls and then looks for answers: those that wait would seem to be slow. */
const burst = 64;

/** Resolves when the last call of the stretch has started (open) or ended (closed), or the scope is over. */
export function drive(load: Load, stretch: Stretch, launcher: Launcher, scope: Scope): Promise<void> {
  return load.kind === "open"
    ? driveOpen(load.rate, stretch, launcher, scope)
    : driveClosed(load.clients, load.maxRate, stretch, launcher, scope);
}

async function driveOpen(rate: Rate, stretch: Stretch, { launch, lag }: Launcher, scope: Scope): Promise<void> {
  const { beganAt, durationMs, count } = stretch;
  using alarm = new Alarm();
  const { promise, resolve } = Promise.withResolvers<void>();
  let next = 0;
  const step = (): void => {
    for (let begun = 0; !scope.cancelled; next += 1, begun += 1) {
      const due = dueMs(rate, durationMs, next);
      if (next >= count || due >= durationMs) break;
      const now = performance.now();
      if (beganAt + due > now) return alarm.set(beganAt + due, step);
      if (begun === burst) return atTurnEnd(step);
      lag.add(now - beganAt - due);
      void launch(beganAt + due);
    }
    // A run that ends with its last call would be shorter than it says.
    if (scope.cancelled || durationMs === Infinity) resolve();
    else alarm.set(next >= count ? 0 : beganAt + durationMs, resolve);
  };
  const release = scope.onCancel(() => resolve());
  alarm.set(beganAt, step);
  await promise;
  release();
}

async function driveClosed(
  clients: number,
  maxRate: number,
  { beganAt, durationMs, count }: Stretch,
  { launch, lag }: Launcher,
  scope: Scope,
): Promise<void> {
  const endsAt = beganAt + durationMs;
  let started = 0;
  let earliest = beganAt;
  const isOver = (): boolean => scope.cancelled || started >= count || performance.now() >= endsAt;
  const client = async (): Promise<void> => {
    while (!isOver()) {
      const now = performance.now();
      const waitMs = earliest - now;
      earliest = Math.max(earliest, now) + 1000 / maxRate;
      started += 1;
      if (waitMs > 0) await sleep(waitMs, scope).catch(() => {});
      if (scope.cancelled) return;
      const startedAt = performance.now();
      const isFine = await launch(startedAt);
      const isSpinning = !isFine && performance.now() - startedAt < 1;
      if (isSpinning) await sleep(failurePauseMs, scope).catch(() => {});
    }
  };
  // In a closed loop nothing tells of a generator that is too slow but a clock beside it.
  using alarm = new Alarm();
  const watch = (at: number): void =>
    alarm.set(at, () => {
      const now = performance.now();
      lag.add(now - at);
      watch(now + watchMs);
    });
  watch(beganAt + watchMs);
  await Promise.all(Array.from({ length: clients }, client));
}
