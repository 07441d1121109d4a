// What the operating system tells a running gateway: stop, stop at once, look at your config again.

import process from "node:process";
import { isTerminal } from "../lib/sink.ts";

export interface Signals extends Disposable {
  /** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
  readonly stopped: Promise<void>;
  /** Stops as the first signal does. */
  readonly stop: () => void;
  /** Called on SIGHUP; without it, and where the terminal has gone, SIGHUP stops. */
  reload: (() => void) | undefined;
}

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** `isWorker`: a supervisor hears what the terminal says, and says what is to be done. */
export function listenForSignals(isWorker: boolean = false): Signals {
  const { promise, resolve } = Promise.withResolvers<void>();
  const hadTerminal = isTerminal(2);
  const signals: Signals = { stopped: promise, stop: resolve, reload: undefined, [Symbol.dispose]: dispose };
  let isStopping = false;
  const stop = (name: keyof typeof exitCodes): void => {
    if (isStopping) process.exit(exitCodes[name]);
    isStopping = true;
    resolve();
  };
  const onInterrupt = (): void => (isWorker ? undefined : stop("SIGINT"));
  const onTerminate = (): void => stop("SIGTERM");
  const onHangup = (): void => {
    if (isWorker) return signals.reload?.();
    // Closing a terminal sends the same signal as an operator who wants a reload.
    if (signals.reload && !(hadTerminal && !isTerminal(2))) signals.reload();
    else resolve();
  };
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  process.on("SIGHUP", onHangup);
  function dispose(): void {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onTerminate);
    process.off("SIGHUP", onHangup);
  }
  return signals;
}
