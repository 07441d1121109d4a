// One live upstream connection: many callers share it, so ids and progress tokens are made unique here and restored.

import { type Edit, type Envelope, type Malformed, scan, spanBytes, spanNumber, splice } from "../core/envelope.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { errorCodeOf } from "../core/fault.ts";
import type { SendMeter } from "../core/meter.ts";
import type { Taken } from "../core/part.ts";
import { errorMessage, requestMessage, resultMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import { decodeText, encodeText } from "../core/text.ts";
import type { ServerFacts } from "../protocol/codec.ts";
import type { Caller, SignListener } from "./caller.ts";
import { Calls } from "./calls.ts";
import { linkClosed, noMessage, notSent, unanswered } from "./failures.ts";
import { type FlightOwner, InFlight, type Outgoing, type StraightCall } from "./flight.ts";
import { departing } from "./outgoing.ts";
import type { PeerOf } from "./peer.ts";
import { cancelNotice, isMalformedRequest, underId } from "./rewrite.ts";
import { TaskTokens } from "./tokens.ts";
import type { SendOutcome, Transport, TransportEvents } from "./transport.ts";

export { type Caller, ClientCancel } from "./caller.ts";
export type LinkPeer = PeerOf<Link>;

type Edits = readonly Edit[];

export class Link implements TransportEvents, FlightOwner {
  readonly backend: string;
  /** Whose link this is: the key of the principal or session, or the one of all. */
  readonly owner: string;
  readonly meter: SendMeter | undefined;
  readonly #peer: LinkPeer;
  /** Those in flight. */
  readonly calls: Calls = new Calls();
  readonly #tasks = new TaskTokens();
  /** Cancelled when the link takes no new calls. */
  readonly life: Scope = new Scope();
  readonly #wire: Scope = new Scope();
  readonly #gone = Promise.withResolvers<void>();
  /** Resolves when the wire and all that belongs to it (session, child processes) are gone. */
  readonly gone: Promise<void> = this.#gone.promise;
  #transport: Transport | undefined;
  /** Of the backend that has answered the handshake. */
  facts: ServerFacts | undefined;
  #lastId = 0;
  /** True once a client's call was answered. */
  served = false;
  /** When the backend was last heard, Unix ms. */
  heardAt: number = Date.now();

  constructor(backend: string, owner: string, peer: LinkPeer, meter?: SendMeter) {
    this.backend = backend;
    this.meter = meter;
    this.owner = owner;
    this.#peer = peer;
  }

  attach(transport: Transport): void {
    this.#transport = transport;
    if (this.#wire.cancelled) void transport.close();
  }

  /** The backend has answered the handshake. */
  negotiated(facts: ServerFacts): void {
    this.facts = facts;
    this.#transport?.negotiated(facts.protocolVersion);
  }

  /** The handshake is complete. */
  opened(): void {
    this.#transport?.opened();
  }

  get usable(): boolean {
    return !this.life.cancelled && this.facts !== undefined;
  }

  /** False where nothing can come right now that the backend says on its own. */
  get hears(): boolean {
    return this.#transport?.hears !== false;
  }

  missed(): void {
    this.#peer.missed?.(this);
  }

  /** A client session is over. */
  forget(session: object): void {
    this.#tasks.forget(session);
  }

  /** Who waits for a call. */
  caller(call: number): Caller | undefined {
    return this.calls.get(call)?.call.caller;
  }

  paused(call: number, retryMs: number): void {
    this.calls.heard(call)?.caller?.paused?.(retryMs);
  }

  congestion(call: number): Promise<void> | undefined {
    return this.calls.get(call)?.call.caller?.congestion;
  }

  waiting(call: number): boolean {
    return this.calls.get(call) !== undefined;
  }

  /** Forwards a request; resolves to its reply under the caller's own id. Rejects with a `GatewayError` or the scope's reason. */
  call(request: Envelope, edits: Edits, caller: Caller, scope: Scope, signs?: SignListener): Promise<Uint8Array> {
    const upstream = (this.#lastId += 1);
    const departure = departing({ backend: this.backend, request, edits, caller, signs, facts: this.facts }, upstream);
    if (departure instanceof GatewayError) return Promise.reject(departure);
    return this.#start(departure.message, upstream, departure.call, scope);
  }

  /** Sends a call the straight way; false, with nothing done, where it has to go the long one. */
  straight(call: StraightCall, scope: Scope): boolean {
    const way = this.usable && !scope.cancelled ? this.#transport?.straight?.() : undefined;
    if (!way) return false;
    const flight = new InFlight(this, (this.#lastId += 1), call, scope, call, call);
    this.calls.add(flight);
    way.carry(flight, call);
    return true;
  }

  arrived(flight: InFlight, bytes: Uint8Array, start: number): void {
    this.heardAt = Date.now();
    flight.end();
    if (!this.#finished(bytes, start)) this.message(bytes.subarray(start), flight.upstream, true);
    this.sent(flight, "ended");
  }

  #finished(bytes: Uint8Array, start: number): boolean {
    if (!this.calls.finish(bytes, start)) return false;
    if (this.meter) this.meter.traffic.received += bytes.length - start;
    this.served = true;
    this.#settled();
    return true;
  }

  progress(bytes: Uint8Array, start: number, end: number, cause: number): Taken {
    this.heardAt = Date.now();
    return this.calls.progress(bytes, start, end, cause);
  }

  /** A request of the gateway's own; resolves to the reply's bytes. */
  request(method: string, params: unknown, scope: Scope): Promise<Uint8Array> {
    const upstream = (this.#lastId += 1);
    const message = requestMessage(upstream, method, params);
    const own = { method, bytes: message.length, token: undefined, caller: undefined, augmented: false };
    return this.#start(message, upstream, { id: encodeText(String(upstream)), ...own }, scope);
  }

  /** Sends a notification or an answer. The wire says itself when it is at its end: one lost message is not the end. */
  send(message: Uint8Array): void {
    const transport = this.#transport;
    if (!transport || this.#wire.cancelled) return;
    transport.send(message, undefined, this.#wire).catch((error: unknown) => {
      if (!this.#wire.cancelled)
        this.#peer.strayed(this, `that a message could not be sent: ${asGatewayError(error).message}`);
    });
  }

  /** Sends a notification and resolves when the backend has it; rejects where it could not be sent. */
  async deliver(message: Uint8Array, scope: Scope): Promise<void> {
    await this.#transport?.send(message, undefined, scope);
  }

  /** Takes no new calls, lets those in flight end, then closes the wire. */
  retired(error: GatewayError): void {
    this.life.cancel(error);
    if (this.calls.size === 0) void this.close(error);
  }

  closed(error: GatewayError, unsent?: ReadonlySet<number>): void {
    this.life.cancel(error);
    if (this.#wire.cancelled) return;
    this.#wire.cancel(error);
    this.calls.cut(error);
    this.calls.failAll((upstream) => (unsent?.has(upstream) ? notSent(this.backend, error) : error));
    this.#peer.ended(this);
    this.#gone.resolve(this.#transport?.close());
  }

  /** Closes the wire at once; calls in flight fail with `error`. */
  async close(error: GatewayError = linkClosed(this.backend)): Promise<void> {
    this.closed(error);
    await this.#transport?.close();
  }

  #start(message: Uint8Array, upstream: number, call: Outgoing, scope: Scope): Promise<Uint8Array> {
    const transport = this.#transport;
    if (scope.cancelled) return Promise.reject(scope.reason);
    if (!transport) return Promise.reject(new GatewayError("internal", "a link has no wire yet"));
    // It ended since it was chosen.
    if (this.life.cancelled) return Promise.reject(notSent(this.backend, asGatewayError(this.life.reason)));
    const settle = Promise.withResolvers<Uint8Array>();
    const flight = new InFlight(this, upstream, call, scope, settle);
    this.calls.add(flight);
    transport.send(message, upstream, flight.wire, call.headers).then(
      (outcome) => this.sent(flight, outcome),
      (error: unknown) => this.broken(flight, error),
    );
    return settle.promise;
  }

  abandoned(flight: InFlight, reason: unknown): void {
    if (!this.calls.fail(flight.upstream, reason)) return;
    // 2025-11-25, Cancellation: initialize must not be cancelled.
    if (this.facts) this.send(cancelNotice(flight.upstream, reason));
    flight.cut(reason);
    this.#settled();
  }

  /** The wire has taken a call, or has all of its reply. */
  sent(flight: InFlight, outcome: SendOutcome): void {
    this.calls.over(flight);
    if (outcome === "open" || this.calls.get(flight.upstream) !== flight) return;
    this.calls.fail(flight.upstream, flight.wrong ?? unanswered(this.backend));
    this.#settled();
  }

  broken(flight: InFlight, error: unknown): void {
    this.calls.over(flight);
    if (this.calls.fail(flight.upstream, error)) this.#settled();
  }

  /** A link that takes no new calls ends with the last one. */
  #settled(): void {
    if (this.life.cancelled && this.calls.size === 0) void this.close();
  }

  message(bytes: Uint8Array, cause: number | undefined, last: boolean = false): void {
    this.heardAt = Date.now();
    if (last) this.calls.ending(cause);
    if (this.#finished(bytes, 0)) return;
    if (this.meter) this.meter.traffic.received += bytes.length;
    const scanned = scan(bytes);
    switch (scanned.kind) {
      case "malformed":
        return this.#malformed(bytes, scanned, cause);
      case "batch":
        return scanned.items.forEach(({ start, end }) => this.message(bytes.subarray(start, end), cause));
      case "message":
        return this.#take(scanned.envelope, cause, last);
    }
  }

  #take(envelope: Envelope, cause: number | undefined, last: boolean): void {
    if (envelope.kind === "response") return this.#answered(envelope, cause, last);
    if (envelope.kind === "notification") return this.#notified(envelope, cause);
    return this.#asked(envelope, cause);
  }

  /** JSON that is no message, or no JSON: the sender of a request is told, and the call that it answers fails. */
  #malformed(bytes: Uint8Array, { message, id }: Malformed, cause: number | undefined): void {
    this.#peer.strayed(this, message);
    const error = noMessage(this.backend, message);
    // The answer may still come on the same stream.
    this.calls.doubt(cause, error);
    if (!id) return;
    if (isMalformedRequest(bytes)) return this.send(errorMessage(id, new GatewayError("invalidRequest", message)));
    if (this.calls.refuse(Number(JSON.parse(decodeText(id))), error)) this.#settled();
  }

  #answered(envelope: Envelope, cause: number | undefined, last: boolean): void {
    const flight = this.calls.take(this.calls.answered(envelope, cause));
    if (!flight) return this.#peer.strayed(this, "an answer to no call in flight");
    const { call, upstream } = flight;
    if (call.caller) this.served = true;
    if (call.augmented) this.#tasks.created(this.backend, upstream, call, envelope);
    if (envelope.spans.error) call.caller?.refused?.(this.backend, envelope);
    // What a task says may still come on the stream of the call that created it.
    this.calls.linger(flight, this.#tasks.get(upstream) !== undefined);
    const edits = envelope.spans["result.taskId"] && call.caller?.renamed?.(this.backend, envelope);
    const fault = envelope.spans.error && errorCodeOf(envelope);
    flight.resolve(call.crossing?.reply(envelope, call.id) ?? underId(envelope, call.id, last, edits), fault);
    this.#settled();
  }

  #notified(envelope: Envelope, cause: number | undefined): void {
    const span = envelope.spans["params.progressToken"];
    if (envelope.method !== "notifications/progress" || !span) {
      return this.#peer.notified(this, envelope, this.calls.heard(cause)?.caller);
    }
    // Progress belongs to the call that gave the token, whatever stream it came on.
    const upstream = spanNumber(envelope, "params.progressToken") ?? 0;
    const call = this.calls.get(upstream)?.call ?? this.#tasks.get(upstream);
    if (!call?.caller || !call.token) return this.#peer.strayed(this, "progress of no call in flight");
    this.calls.heard(upstream);
    call.caller.deliver(splice(envelope.bytes, [{ span, bytes: call.token }]));
  }

  #asked(envelope: Envelope, cause: number | undefined): void {
    const id = spanBytes(envelope, "id");
    if (envelope.method === "ping" && id) return this.send(resultMessage(id, encodeText("{}")));
    this.#peer.asked(this, envelope, this.calls.asked(cause)?.caller);
  }
}
