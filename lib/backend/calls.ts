// The calls of one link: those that have no answer yet, by upstream id, and those whose streams outlive their answers.

import { type Envelope, spanNumber } from "../core/envelope.ts";
import type { GatewayError } from "../core/errors.ts";
import { Scope, type Watcher } from "../core/scope.ts";
import type { Caller, SignListener } from "./caller.ts";
import type { Crossing } from "./crossing.ts";

export interface Outgoing {
  /** The client's own id. */
  readonly id: Uint8Array;
  readonly token: Uint8Array | undefined;
  readonly caller: Caller | undefined;
  /** Only where somebody waits for signs of life. */
  readonly signs?: SignListener | undefined;
  /** The request asked for a task. */
  readonly augmented: boolean;
  /** Where the client speaks another era than the server. */
  readonly crossing?: Crossing | undefined;
}

/** Where a call is in flight. */
export interface FlightOwner {
  /** Its caller waits no more. */
  abandoned(flight: InFlight, reason: unknown): void;
}

/** Settles the promise of a call. */
export interface Settle {
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** A call without an answer. */
export class InFlight implements Watcher {
  readonly upstream: number;
  readonly call: Outgoing;
  /** Of its own request on the wire; cancelled when nobody waits any more. */
  readonly wire: Scope = new Scope();
  readonly #owner: FlightOwner;
  readonly #scope: Scope;
  readonly #settle: Settle;
  /** Why something on its stream was no message; what to say if no answer follows. */
  wrong: GatewayError | undefined;
  /** Nothing more comes on its own stream. */
  over = false;

  /** `scope`: of who waits for the answer. */
  constructor(owner: FlightOwner, upstream: number, call: Outgoing, scope: Scope, settle: Settle) {
    this.#owner = owner;
    this.upstream = upstream;
    this.call = call;
    this.#scope = scope;
    this.#settle = settle;
    scope.watch(this);
  }

  cancelled(reason: unknown): void {
    this.#owner.abandoned(this, reason);
  }

  resolve(reply: Uint8Array): void {
    this.#scope.unwatch(this);
    this.#settle.resolve(reply);
  }

  reject(error: unknown): void {
    this.#scope.unwatch(this);
    this.#settle.reject(error);
  }
}

/** A server should end a call's stream after the answer (2025-11-25, Transports); one that does not is left after this. */
const lingerMs = 5_000;

export class Calls {
  readonly #byId = new Map<number, InFlight>();
  /** Answered, with a stream that is not at its end. */
  readonly #lingering = new Set<InFlight>();

  get size(): number {
    return this.#byId.size;
  }

  get(upstream: number | undefined): InFlight | undefined {
    return upstream === undefined ? undefined : this.#byId.get(upstream);
  }

  add(flight: InFlight): void {
    this.#byId.set(flight.upstream, flight);
  }

  /** The call, which is in flight no more. */
  take(upstream: number | undefined): InFlight | undefined {
    const flight = this.get(upstream);
    if (flight) this.#byId.delete(flight.upstream);
    return flight;
  }

  /** False where the call is not in flight. */
  fail(upstream: number, error: unknown): boolean {
    const flight = this.take(upstream);
    flight?.reject(error);
    return flight !== undefined;
  }

  failAll(errorOf: (upstream: number) => unknown): void {
    for (const upstream of [...this.#byId.keys()]) this.fail(upstream, errorOf(upstream));
  }

  /** The wire is gone. */
  cut(error: GatewayError): void {
    for (const { wire } of [...this.#byId.values(), ...this.#lingering]) wire.cancel(error);
  }

  /** The call that a reply answers, which came on the stream of `cause`. */
  answered(reply: Envelope, cause: number | undefined): number | undefined {
    // Some servers give back a number as text; the SDKs take it.
    const id = spanNumber(reply, "id");
    if (this.get(id)) return id;
    // An error without the call's id (null, or a text like "server-error") ends the call on whose stream it came.
    return reply.spans.error ? cause : undefined;
  }

  /** A call has its answer; its stream may go on, for a task without a limit. */
  linger(flight: InFlight, isTask: boolean): void {
    const { wire, over } = flight;
    if (over || wire.cancelled) return;
    this.#lingering.add(flight);
    // Disposed of with the scope, where the stream ends before.
    if (!isTask) wire.limit(lingerMs);
  }

  /** Nothing more comes on the call's own stream. */
  over(flight: InFlight): void {
    flight.over = true;
    flight.wire[Symbol.dispose]();
    if (this.#lingering.size > 0) this.#lingering.delete(flight);
  }

  /** Something came of a call before its answer. */
  heard(upstream: number | undefined): Outgoing | undefined {
    const call = this.get(upstream)?.call;
    call?.signs?.heard();
    return call;
  }

  /** The backend asked something: for this call, or for any of them where nothing says for which. */
  asked(upstream: number | undefined): Outgoing | undefined {
    const flight = this.get(upstream);
    for (const { call } of flight ? [flight] : this.#byId.values()) call.signs?.asked();
    return flight?.call;
  }

  /** One waiting call of each session that waits right now. */
  callers(): readonly Caller[] {
    const bySession = new Map<object, Caller>();
    for (const { call } of this.#byId.values()) if (call.caller) bySession.set(call.caller.session, call.caller);
    return [...bySession.values()];
  }
}
