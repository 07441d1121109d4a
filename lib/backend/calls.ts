// The calls of one link that have no answer yet, by upstream id.

import type { GatewayError } from "../core/errors.ts";
import type { Caller } from "./caller.ts";

export interface Outgoing {
  /** The client's own id. */
  readonly id: Uint8Array;
  readonly token: Uint8Array | undefined;
  readonly caller: Caller | undefined;
  /** The request asked for a task. */
  readonly augmented: boolean;
}

export interface InFlight extends Outgoing {
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  /** Why something on its stream was no message; what to say if no answer follows. */
  wrong: GatewayError | undefined;
}

export class Calls {
  readonly #byId = new Map<number, InFlight>();

  get size(): number {
    return this.#byId.size;
  }

  get(upstream: number | undefined): InFlight | undefined {
    return upstream === undefined ? undefined : this.#byId.get(upstream);
  }

  /** Enters a call; its promise is settled with {@link take} and `resolve`, or with {@link fail}. */
  add(upstream: number, call: Outgoing): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#byId.set(upstream, { ...call, resolve, reject, wrong: undefined });
    return promise;
  }

  /** The call, which is in flight no more. */
  take(upstream: number | undefined): InFlight | undefined {
    const call = this.get(upstream);
    if (upstream !== undefined) this.#byId.delete(upstream);
    return call;
  }

  /** False where the call is not in flight. */
  fail(upstream: number, error: unknown): boolean {
    const call = this.take(upstream);
    call?.reject(error);
    return call !== undefined;
  }

  failAll(errorOf: (upstream: number) => unknown): void {
    for (const upstream of [...this.#byId.keys()]) this.fail(upstream, errorOf(upstream));
  }

  /** One waiting call of each session that waits right now. */
  callers(): readonly Caller[] {
    const bySession = new Map<object, Caller>();
    for (const { caller } of this.#byId.values()) if (caller) bySession.set(caller.session, caller);
    return [...bySession.values()];
  }
}
