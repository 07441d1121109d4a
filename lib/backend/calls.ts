// The calls of one link: those that have no answer yet, by upstream id, and those whose streams outlive their answers.

import { type Envelope, spanNumber } from "../core/envelope.ts";
import type { GatewayError } from "../core/errors.ts";
import { Glance } from "../core/glance.ts";
import { partBytes, type Taken } from "../core/part.ts";
import { Sample } from "../core/sample.ts";
import { cut as cutOut } from "../core/text.ts";
import type { Caller } from "./caller.ts";
import { type InFlight, maxStraightBytes, type Outgoing } from "./flight.ts";

/** A server should end a call's stream after the answer (2025-11-25, Transports); one that does not is left after this. */
const lingerMs = 5_000;

export class Calls {
  readonly #byId = new Map<number, InFlight>();
  /** How many of them go straight. */
  #straight = 0;
  readonly #glance = new Glance();
  /** Of the progress that was looked at last: that of another call mostly has the same form. */
  #sample: Sample | undefined;
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
    if (flight.straight) this.#straight += 1;
  }

  /** The call, which is in flight no more. */
  take(upstream: number | undefined): InFlight | undefined {
    const flight = this.get(upstream);
    if (!flight) return undefined;
    this.#byId.delete(flight.upstream);
    if (flight.straight) this.#straight -= 1;
    return flight;
  }

  /** Hands the result of a straight call on, which is all of the bytes from `start` on; false where they are not that. */
  finish(bytes: Uint8Array, start: number): boolean {
    if (this.#straight === 0 || bytes.length - start > maxStraightBytes) return false;
    const flight = this.get(this.#glance.result(bytes, start));
    if (!flight?.straight) return false;
    this.take(flight.upstream);
    this.linger(flight, false);
    flight.leave();
    flight.straight.finish(bytes, start, this.#glance);
    return true;
  }

  /**
   * Hands progress on that lies in other bytes, and came on the stream of `cause`; false where it is something else, or
   * of no call in flight; a promise where whoever waits for `cause` is behind.
   */
  progress(bytes: Uint8Array, start: number, end: number, cause: number): Taken {
    const own = this.#byId.get(cause);
    const sample = own?.sample ?? this.#sample;
    if (own && sample?.token(bytes, start, end) === cause) {
      own.sample = sample;
      return pass(own, bytes, start, end, sample.tokenStart, sample.tokenEnd);
    }
    const upstream = end - start > maxStraightBytes ? -1 : this.#glance.progress(bytes, start, end);
    const flight = this.get(upstream);
    if (!flight) return false;
    // The next one is looked at less closely.
    this.#sample = flight.sample = Sample.of(bytes, start, end, this.#glance);
    const taken = pass(flight, bytes, start, end, this.#glance.tokenStart, this.#glance.tokenEnd);
    // What is held up is the stream of `cause`.
    return flight === own || taken === false ? taken : (own?.call.caller?.congestion ?? true);
  }

  /** False where the call is not in flight. */
  fail(upstream: number, error: unknown): boolean {
    const flight = this.take(upstream);
    flight?.reject(error);
    return flight !== undefined;
  }

  /** As `fail`, for an answer that is none: more may follow on its stream. */
  refuse(upstream: number, error: unknown): boolean {
    const flight = this.take(upstream);
    if (!flight) return false;
    this.linger(flight, false);
    flight.reject(error);
    return true;
  }

  /** Nothing comes on its stream behind what came now. */
  ending(upstream: number | undefined): void {
    const flight = this.get(upstream);
    if (flight) flight.over = true;
  }

  /** What came on its stream was no message: that is why, where no answer follows. */
  doubt(upstream: number | undefined, error: GatewayError): void {
    const flight = this.get(upstream);
    if (flight) flight.wrong = error;
  }

  failAll(errorOf: (upstream: number) => unknown): void {
    for (const upstream of [...this.#byId.keys()]) this.fail(upstream, errorOf(upstream));
  }

  /** The wire is gone. */
  cut(error: GatewayError): void {
    for (const flight of [...this.#byId.values(), ...this.#lingering]) flight.cut(error);
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
    if (flight.over) return;
    const { wire } = flight;
    if (wire.cancelled) return;
    this.#lingering.add(flight);
    // Disposed of with the scope, where the stream ends before.
    if (!isTask) wire.limit(lingerMs);
  }

  /** Nothing more comes on the call's own stream. */
  over(flight: InFlight): void {
    flight.end();
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

/** Hands a notification with its progress token from `cut` to `cutEnd` on. */
function pass(flight: InFlight, bytes: Uint8Array, start: number, end: number, cut: number, cutEnd: number): Taken {
  const { call } = flight;
  const { caller, signs } = call;
  // Of its own: what it is a part of may be large, and each event of the stream keeps it.
  const by = (flight.token ??= call.token && cutOut(call.token, 0, call.token.length));
  if (!by || !caller) return false;
  const { parts } = caller;
  signs?.heard();
  const part = { bytes, start, end, cut, cutEnd, by };
  if (parts) parts.sendPart(part);
  else caller.deliver(partBytes(part));
  return (parts ?? caller).congestion ?? true;
}
