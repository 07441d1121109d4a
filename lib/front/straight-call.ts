// One tool call on the straight way: who waits for it in its session, at the backend and on the connection of its client.

import type { Uplink } from "../backend/uplink.ts";
import type { MessageHeaders, StraightCall } from "../backend/flight.ts";
import { scan } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { toolFaultOf } from "../core/fault.ts";
import { Flight } from "../core/flight.ts";
import type { Glance } from "../core/glance.ts";
import type { PartSink } from "../core/part.ts";
import { Scope } from "../core/scope.ts";
import { copyPart, cut, digitsOf, latin1Of, putAscii, putNumber } from "../core/text.ts";
import type { Span } from "../core/trace.ts";
import { primesStreams } from "../protocol/legacy.ts";
import type { Route } from "../route/free-calls.ts";
import type { Hub } from "../route/hub.ts";
import type { Router } from "../route/router.ts";
import type { Port } from "../route/outlet.ts";
import { ActiveCall, type Session } from "../route/session.ts";
import { CallStream } from "./callstream.ts";
import type { HttpReply, LaneCall, LaneClient } from "./exchange.ts";
import type { OpenCalls } from "./open-calls.ts";
import type { Recording } from "./straight-trace.ts";
import type { SessionStreams } from "./streams.ts";

/** What the front does for calls that leave the straight way. */
export interface StraightFront {
  readonly hub: Hub;
  readonly router: Router;
  readonly open: OpenCalls;
  /** Takes calls. */
  isOpen(): boolean;
}

/** What the calls of one session have in common. */
export interface StraightLane {
  readonly calls: {
    readonly front: StraightFront;
    /** What it found in the request of the call that is made. */
    readonly glance: Glance;
    add(call: Straight): void;
    delete(call: Straight): void;
  };
  readonly session: Session;
  readonly streams: SessionStreams;
  /** The name that its client called. */
  readonly exposed: string;
}

export class Straight implements StraightCall, Port, LaneCall {
  readonly augmented = false;
  readonly method = "tools/call";
  readonly caller: ActiveCall;
  readonly scope: Scope = new Scope();
  readonly #lane: StraightLane;
  /** Until it leaves the straight way. */
  #client: LaneClient | undefined;
  readonly #route: Route;
  readonly #uplink: Uplink;
  #bytes: Uint8Array;
  #start: number;
  #idStart: number;
  #idEnd: number;
  #nameStart: number;
  #nameEnd: number;
  #tokenStart: number;
  #tokenEnd: number;
  readonly #recording: Recording | undefined;
  /** Where the call has left the straight way. */
  #stream: CallStream | undefined;

  constructor(
    lane: StraightLane,
    client: LaneClient,
    bytes: Uint8Array,
    start: number,
    route: Route,
    uplink: Uplink,
    recording: Recording | undefined,
    now: number,
  ) {
    const { idStart, idEnd, nameStart, nameEnd, tokenStart, tokenEnd } = lane.calls.glance;
    this.#lane = lane;
    this.#client = client;
    this.#bytes = bytes;
    this.#start = start;
    this.#route = route;
    this.#uplink = uplink;
    this.#idStart = idStart;
    this.#idEnd = idEnd;
    this.#nameStart = nameStart;
    this.#nameEnd = nameEnd;
    this.#tokenStart = tokenStart;
    this.#tokenEnd = tokenEnd;
    this.#recording = recording;
    const key = latin1Of(bytes, idStart, idEnd);
    this.caller = new ActiveCall(lane.session, key, this.scope, this, new Flight(key, now));
    if (recording) this.caller.flight.trace = recording.trace;
  }

  /** It is on its way. */
  started(): void {
    const { session, exposed, calls } = this.#lane;
    const { backend, decision, rule } = this.#route;
    const { flight } = this.caller;
    flight.backend = backend.plan.name;
    flight.decided(decision, rule);
    flight.replica = this.#uplink.lead.replica.index;
    flight.requestBytes = this.#bytes.length - this.#start;
    calls.front.hub.flights.add(flight, "tools/call", exposed, session.facts.view.backend);
    backend.begun("tools/call", this.scope);
    this.#lane.session.add(this.caller);
    this.#lane.calls.add(this);
  }

  /** When it came, Unix ms. */
  get at(): number {
    return this.caller.flight.at;
  }

  get id(): Uint8Array {
    return this.#bytes.subarray(this.#idStart, this.#idEnd);
  }

  get token(): Uint8Array | undefined {
    return this.#tokenEnd === 0 ? undefined : this.#bytes.subarray(this.#tokenStart, this.#tokenEnd);
  }

  get span(): Span | undefined {
    return this.#recording?.span;
  }

  get headers(): MessageHeaders | undefined {
    return this.#recording?.headers;
  }

  size(upstream: number): number {
    const digits = digitsOf(upstream);
    const token = this.#tokenEnd > 0 ? digits - (this.#tokenEnd - this.#tokenStart) : 0;
    const name = this.#route.local.length - (this.#nameEnd - this.#nameStart);
    const more = this.#recording ? this.#recording.members.length : 0;
    return this.#bytes.length - this.#start + digits - (this.#idEnd - this.#idStart) + name + token + more;
  }

  put(upstream: number, target: Uint8Array, at: number): number {
    const bytes = this.#bytes;
    const { local } = this.#route;
    let from = this.#start;
    let to = at;
    // The three members come in any order.
    for (;;) {
      const id = this.#idStart >= from ? this.#idStart : bytes.length;
      const name = this.#nameStart >= from ? this.#nameStart : bytes.length;
      const token = this.#tokenEnd > 0 && this.#tokenStart >= from ? this.#tokenStart : bytes.length;
      const next = Math.min(id, name, token);
      to = copyPart(bytes, from, next, target, to);
      if (next === bytes.length) return to;
      to = next === name ? copyPart(local, 0, local.length, target, to) : putNumber(upstream, target, to);
      from = next === name ? this.#nameEnd : next === id ? this.#idEnd : this.#tokenEnd;
      if (this.#recording && next === (this.#tokenEnd > 0 ? token : name))
        to = putAscii(this.#recording.members, target, to);
    }
  }

  finish(bytes: Uint8Array, start: number, { idStart, idEnd }: Glance): void {
    this.#route.backend.ended();
    if (this.#stream) {
      const reply = new Uint8Array(bytes.length - start - (idEnd - idStart) + this.#idEnd - this.#idStart);
      this.#splice(bytes, start, idStart, idEnd, reply, 0);
      return this.#end(reply);
    }
    const size = bytes.length - start - (idEnd - idStart) + this.#idEnd - this.#idStart;
    this.#lane.calls.delete(this);
    const { router, hub } = this.#lane.calls.front;
    router.finished(this.caller, size);
    const fault = hub.meter ? toolFaultOf(bytes, start) : "";
    const client = this.#client;
    if (!client) return;
    const { encoder } = client;
    const at = encoder.json(size);
    this.#splice(bytes, start, idStart, idEnd, encoder.room, at);
    client.sent(at + size);
    hub.meter?.ended(this.caller.flight, fault);
  }

  #splice(bytes: Uint8Array, start: number, idStart: number, idEnd: number, target: Uint8Array, at: number): void {
    let to = copyPart(bytes, start, idStart, target, at);
    to = copyPart(this.#bytes, this.#idStart, this.#idEnd, target, to);
    copyPart(bytes, idEnd, bytes.length, target, to);
  }

  resolve(reply: Uint8Array): void {
    this.#route.backend.ended();
    this.divert();
    this.#end(reply);
  }

  reject(failure: unknown): void {
    this.divert();
    void this.#again(failure);
  }

  async #again(failure: unknown): Promise<void> {
    const { backend, local } = this.#route;
    const scanned = scan(this.#bytes.subarray(this.#start));
    try {
      const span = scanned.kind === "message" && scanned.envelope.spans["params.name"];
      if (!span) throw failure;
      const edits = [{ span, bytes: local }];
      this.#end(await backend.again(this.#uplink, scanned.envelope, edits, this.caller, this.scope, failure));
    } catch (error) {
      this.#end(this.#lane.calls.front.router.failed(this.caller, this.id, error));
    }
  }

  #end(reply: Uint8Array | undefined): void {
    const stream = this.#stream;
    const { front } = this.#lane.calls;
    front.router.finished(this.caller, reply?.length);
    front.router.count(this.caller, reply);
    if (!stream) return;
    stream.reply(reply);
    front.open.delete(stream);
  }

  deliver(message: Uint8Array): void {
    this.divert().deliver(message);
  }

  get parts(): PartSink | undefined {
    return this.divert().parts;
  }

  get congestion(): Promise<void> | undefined {
    return this.#stream?.congestion;
  }

  pause(retryMs: number): void {
    this.divert().pause(retryMs);
  }

  /** From here on the call is answered like any other. */
  divert(): CallStream {
    if (this.#stream) return this.#stream;
    const { calls, session, streams } = this.#lane;
    const { front } = calls;
    calls.delete(this);
    const client = this.#client;
    this.#client = undefined;
    client?.divert(this.#bytes, (request): Promise<HttpReply> => {
      this.#stream = new CallStream({
        streams,
        prime: primesStreams(session.facts.version),
        resumeMs: front.hub.plan.timeouts.resumeMs,
        replies: 1,
        isBatch: false,
        request,
        begun: { scope: this.scope, at: this.at },
      });
      return this.#stream.response();
    });
    if (!this.#stream) throw new GatewayError("internal", "a call has lost its client");
    front.open.add(this.#stream);
    this.#keepRequest();
    return this.#stream;
  }
  /** Of what was read with it nothing more: a stream may be open for hours. */
  #keepRequest(): void {
    const start = this.#start;
    this.#bytes = cut(this.#bytes, start, this.#bytes.length);
    this.#start = 0;
    this.#idStart -= start;
    this.#idEnd -= start;
    this.#nameStart -= start;
    this.#nameEnd -= start;
    if (this.#tokenEnd === 0) return;
    this.#tokenStart -= start;
    this.#tokenEnd -= start;
  }
}
