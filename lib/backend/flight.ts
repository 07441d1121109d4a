// A call on its way to a backend, from the moment in which it leaves to its answer.

import type { Glance } from "../core/glance.ts";
import { GatewayError } from "../core/errors.ts";
import type { SendMeter } from "../core/meter.ts";
import type { Sample } from "../core/sample.ts";
import { Scope, type Watcher } from "../core/scope.ts";
import type { Span } from "../core/trace.ts";
import type { Caller, SignListener } from "./caller.ts";
import type { Crossing } from "./crossing.ts";

/** `open`: the answer may come at any time; `ended`: no answer can come any more. */
export type SendOutcome = "open" | "ended";

export interface Outgoing {
  readonly method: string;
  /** Of the request as it goes out; of one that goes straight its own `size` says it. */
  readonly bytes?: number;
  /** The client's own id. */
  readonly id: Uint8Array;
  readonly token: Uint8Array | undefined;
  readonly caller: Caller | undefined;
  /** Where the call is recorded. */
  readonly span?: Span | undefined;
  /** That the request has beside those of the wire. */
  readonly headers?: MessageHeaders | undefined;
  /** Only where somebody waits for signs of life. */
  readonly signs?: SignListener | undefined;
  /** The request asked for a task. */
  readonly augmented: boolean;
  /** Where the client speaks another era than the server. */
  readonly crossing?: Crossing | undefined;
}

export type MessageHeaders = readonly (readonly [name: string, value: string])[];

/** Where a call is in flight. */
export interface FlightOwner {
  readonly meter: SendMeter | undefined;
  /** The bytes from `start` on are all that came, and JSON by what the wire says. */
  arrived(flight: InFlight, bytes: Uint8Array, start: number): void;
  /** As the promise of `Transport.send` says it. */
  sent(flight: InFlight, outcome: SendOutcome): void;
  broken(flight: InFlight, error: unknown): void;
  /** Its caller waits no more. */
  abandoned(flight: InFlight, reason: unknown): void;
}

/** Settles the promise of a call. */
export interface Settle {
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** A call whose bytes are all here, and who hears of its end. */
export interface StraightCall extends Outgoing, Settle {
  /** Bytes of the request under this id. */
  size(upstream: number): number;
  /** Writes the request under this id; returns where it ends. */
  put(upstream: number, target: Uint8Array, at: number): number;
  /** Called instead of `resolve`: the bytes from `start` on are its result, and `found` has the place of the id there. */
  finish(bytes: Uint8Array, start: number, found: Glance): void;
}

/** A larger request, or answer, costs so much for itself that nothing is gained. */
export const maxStraightBytes: number = 16 * 1024;

/** A call without an answer. */
export class InFlight implements Watcher {
  readonly upstream: number;
  readonly call: Outgoing;
  readonly owner: FlightOwner;
  /** Where it goes the straight way. */
  readonly straight: StraightCall | undefined;
  /** What carries it there. */
  carrier: { destroy(reason: unknown): void } | undefined;
  #wire: Scope | undefined;
  readonly #scope: Scope;
  readonly #settle: Settle;
  /** When it left, where somebody counts; `performance.now()`. */
  readonly #leftAt: number;
  /** Why something on its stream was no message; what to say if no answer follows. */
  wrong: GatewayError | undefined;
  /** Nothing more comes on its own stream. */
  over = false;
  /** Of the progress on its own stream. */
  sample: Sample | undefined;
  /** The caller's progress token in bytes of its own, once there was progress. */
  token: Uint8Array | undefined;

  /** `scope`: of who waits for the answer. */
  constructor(
    owner: FlightOwner,
    upstream: number,
    call: Outgoing,
    scope: Scope,
    settle: Settle,
    straight?: StraightCall,
  ) {
    this.owner = owner;
    this.upstream = upstream;
    this.call = call;
    this.#scope = scope;
    this.#settle = settle;
    this.straight = straight;
    const { meter } = owner;
    this.#leftAt = meter ? performance.now() : 0;
    if (meter) call.caller?.flight?.left(this.#leftAt);
    if (meter) meter.traffic.sent += straight ? straight.size(upstream) : (call.bytes ?? 0);
    scope.watch(this);
  }

  /** Of its own request on the wire; cancelled when nobody waits any more. */
  get wire(): Scope {
    this.#wire ??= new Scope();
    return this.#wire;
  }

  /** Nobody waits for its answer any more. */
  get isCut(): boolean {
    return this.#wire?.cancelled === true;
  }

  cancelled(reason: unknown): void {
    this.owner.abandoned(this, reason);
  }

  /** Ends its own request on the wire. */
  cut(reason: unknown): void {
    this.carrier?.destroy(reason);
    this.#wire?.cancel(reason);
  }

  /** Its own request on the wire is at its end. */
  end(): void {
    this.over = true;
    this.#wire?.[Symbol.dispose]();
  }

  /** It is in nobody's hands any more but those of the caller, who takes the answer. */
  leave(fault: string = ""): void {
    this.#scope.unwatch(this);
    const { meter } = this.owner;
    this.call.span?.end(fault);
    if (!meter) return;
    const now = performance.now();
    this.call.caller?.flight?.back(now);
    meter.attempted(this.call.method, now - this.#leftAt, fault);
  }

  resolve(reply: Uint8Array, fault?: string): void {
    this.leave(fault);
    this.#settle.resolve(reply);
  }

  reject(error: unknown): void {
    this.leave(error instanceof GatewayError ? error.code : "cancelled");
    this.#settle.reject(error);
  }
}
