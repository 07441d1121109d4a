// Ends a call that gives no sign of life: none at all for long, or none after the last one.

import { GatewayError } from "../core/errors.ts";
import { after, type Scope } from "../core/scope.ts";

export interface SignTimes {
  /** Until the first sign; 0 = no limit. */
  readonly firstMs: number;
  /** Between two signs; 0 = no limit. */
  readonly idleMs: number;
}

export class Signs implements Disposable {
  readonly #backend: string;
  readonly #times: SignTimes;
  readonly #scope: Scope;
  #limitMs: number;
  #kind: "first" | "idle" = "first";
  #heardAt = Date.now();
  #stop: (() => void) | undefined;

  /** Cancels `scope`, the call's own, when its time is over. */
  constructor(backend: string, times: SignTimes, scope: Scope) {
    this.#backend = backend;
    this.#times = times;
    this.#scope = scope;
    this.#limitMs = times.firstMs;
    this.#arm();
  }

  /** Something came of the call: progress, a log message. */
  heard(): void {
    this.#heardAt = Date.now();
    this.#kind = "idle";
    this.#set(this.#times.idleMs);
  }

  /** The backend waits for an answer of the client, which has its own time. */
  asked(): void {
    this.#set(0);
  }

  [Symbol.dispose](): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #set(limitMs: number): void {
    if (limitMs === this.#limitMs) return;
    this.#limitMs = limitMs;
    this[Symbol.dispose]();
    this.#arm();
  }

  /** A sign only moves the end: a timer for each would cost more than the sign. */
  #arm(): void {
    if (this.#limitMs === 0) return;
    const leftMs = this.#heardAt + this.#limitMs - Date.now();
    if (leftMs > 0) this.#stop = after(leftMs, () => this.#arm());
    else this.#scope.cancel(this.#late());
  }

  #late(): GatewayError {
    const text = `backend "${this.#backend}" gave no sign of the call for ${this.#limitMs} ms; see timeouts.${this.#kind}`;
    return new GatewayError("callTimeout", text, {
      backend: this.#backend,
      // Its caller may still have time: another replica may be better.
      data: { sent: true, sign: this.#kind },
    });
  }
}
