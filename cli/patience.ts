// How long a command may take, and Ctrl-C: one scope for all that it does.

import process from "node:process";
import { asGatewayError, GatewayError } from "../lib/index.ts";
import { type Patience, Scope } from "../lib/toolbox.ts";

export interface Limits extends Patience, Disposable {
  /** True once somebody has asked to stop; what there is by then is still printed. */
  readonly interrupted: boolean;
}

const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof exitCodes;

/** The first signal cancels the scope; a second one ends the program, and with it all its children. */
export function limits(timeoutMs: number): Limits {
  const scope = new Scope();
  let interrupted = false;
  const listeners = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name: Signal) => {
    const listener = (): void => {
      if (interrupted) process.exit(exitCodes[name]);
      interrupted = true;
      scope.cancel(new GatewayError("interrupted", `interrupted by ${name}`, { data: { exit: exitCodes[name] } }));
    };
    process.on(name, listener);
    return [name, listener] as const;
  });
  return {
    scope,
    until: Date.now() + timeoutMs,
    get interrupted() {
      return interrupted;
    },
    [Symbol.dispose]: () => {
      for (const [name, listener] of listeners) process.off(name, listener);
      scope[Symbol.dispose]();
    },
  };
}

/** From now on the end of the command's time ends what would go on, too; what there is by then is shown. */
export function limitRun({ scope, until }: Limits): void {
  const late = (): GatewayError => new GatewayError("callTimeout", "the time was over before the run was");
  if (until !== Infinity) scope.limit(Math.max(1, until - Date.now()), late);
}

/** The time of a run was over before the run was. */
export function isCut({ scope, interrupted }: Limits): boolean {
  return scope.cancelled && !interrupted;
}

/** 128 and the number of the signal, as shells count. */
export function interruptedExit({ scope }: Patience): number {
  const { exit } = asGatewayError(scope.reason).data;
  return typeof exit === "number" ? exit : exitCodes.SIGINT;
}
