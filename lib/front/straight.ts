// The straight way of a tool call through the front: no stream, no promise and no envelope, until it needs one of them.

import { maxStraightBytes } from "../backend/flight.ts";
import type { Plan } from "../config/plan.ts";
import { Glance } from "../core/glance.ts";
import { decodeText, latin1Of } from "../core/text.ts";
import type { Tracer } from "../core/trace.ts";
import type { Tariff } from "../route/admission.ts";
import type { Route } from "../route/free-calls.ts";
import { repeatedHeader } from "../route/spans.ts";
import type { Session } from "../route/session.ts";
import type { HttpReply, HttpRequest, Lane, LaneClient } from "./exchange.ts";
import { FirstCall } from "./first-call.ts";
import { sessionHeader } from "./headers.ts";
import { Straight, type StraightFront, type StraightLane } from "./straight-call.ts";
import { type Recording, recordingOf } from "./straight-trace.ts";
import type { SessionStreams } from "./streams.ts";

/** All calls that are on the straight way. */
export class StraightCalls {
  readonly front: StraightFront;
  readonly #calls = new Set<Straight>();
  readonly #lanes = new WeakMap<Session, SessionLane>();
  /** One for all: each looks at a message for no longer than it is put on its way. */
  readonly glance: Glance = new Glance();

  constructor(front: StraightFront) {
    this.front = front;
  }

  get size(): number {
    return this.#calls.size;
  }

  /**
   * Sends a call of a legacy session, whose head was found in order, and resolves to its answer; requests with that head
   * may go straight from their first byte on then. Undefined where it has to go the long way.
   */
  begin(
    session: Session,
    streams: SessionStreams,
    request: HttpRequest,
    body: Uint8Array,
  ): Promise<HttpReply> | undefined {
    const id = request.header(sessionHeader);
    // The answer to a page in a browser needs headers of its own; and some who stand in between want to see requests whole.
    if (id === undefined || request.header("origin") !== undefined || !request.offer) return undefined;
    // What it says for all of them would have to be written into each.
    if (request.header("traceparent") !== undefined) return undefined;
    // Whether it may run here is found out before it is sent.
    if (request.header(repeatedHeader) !== undefined) return undefined;
    const lane = this.#laneOf(session, streams, id);
    // It is judged now, and answered when that may have changed.
    const judged = this.#judge(session);
    const client = new FirstCall(request, () => new SessionLane(this, session, streams, id, judged));
    const call = lane.take(client, body, 0);
    if (call) return client.begun(call);
    client.offer();
    return undefined;
  }

  /** One for all first calls of a session that come one after another. */
  #laneOf(session: Session, streams: SessionStreams, id: string): SessionLane {
    const known = this.#lanes.get(session);
    if (known && known.streams === streams && known.id === id && known.isLive) return known;
    const lane = new SessionLane(this, session, streams, id, this.#judge(session));
    this.#lanes.set(session, lane);
    return lane;
  }

  #judge({ facts, who }: Session): Judged {
    return { plan: this.front.hub.plan, facts, until: who.expiresAt };
  }

  add(call: Straight): void {
    this.#calls.add(call);
  }

  delete(call: Straight): void {
    this.#calls.delete(call);
  }

  /** Takes all calls off the straight way that began before this time. */
  divert(before: number): void {
    for (const call of this.#calls) if (call.at <= before) call.divert();
  }
}

/** What a head was found in order by. */
interface Judged {
  readonly plan: Plan;
  readonly facts: Session["facts"];
  /** Until when what the client showed is good, Unix ms. */
  readonly until: number;
}

/** The requests of one session with one head. */
class SessionLane implements Lane, StraightLane {
  readonly calls: StraightCalls;
  readonly session: Session;
  readonly streams: SessionStreams;
  readonly id: string;
  readonly #judged: Judged;
  /** The name that was called last, as its client wrote it, and what it means. */
  #name: Uint8Array = new Uint8Array();
  exposed = "";
  #route: Route | undefined;
  /** The name at its backend, where it was needed. */
  #local: string | undefined;
  /** What its calls are measured by; undefined where nothing is counted. */
  #tariff: Tariff | undefined;

  constructor(calls: StraightCalls, session: Session, streams: SessionStreams, id: string, judged: Judged) {
    this.calls = calls;
    this.session = session;
    this.streams = streams;
    this.id = id;
    this.#judged = judged;
  }

  get isLive(): boolean {
    return this.#isLiveAt(Date.now());
  }

  #isLiveAt(now: number): boolean {
    const { hub } = this.calls.front;
    const { plan, facts, until } = this.#judged;
    // A new plan may mean other hosts, other names and other limits; what is permitted changes with what the client shows.
    if (until <= now || hub.plan !== plan || this.session.facts !== facts) return false;
    return hub.sessions.at(this.id) === this.session;
  }

  take(client: LaneClient, bytes: Uint8Array, start: number): Straight | undefined {
    const { front, glance } = this.calls;
    const { hub } = front;
    const now = Date.now();
    if (!front.isOpen() || !this.#isLiveAt(now)) return undefined;
    const size = bytes.length - start;
    if (size > maxStraightBytes || size > hub.plan.limits.bodyBytes || !glance.call(bytes, start)) return undefined;
    const route = this.#routeOf(bytes, glance.nameStart, glance.nameEnd);
    if (!route) return undefined;
    const { admission, tracer } = hub;
    // There is no room for the context of one that is recorded, and whether it is must not depend on the way.
    if (tracer && glance.hasEmptyMeta) return undefined;
    const { principal } = this.session.facts;
    // One too many is refused on the long way.
    const tariff = admission && this.#tariff;
    if (tariff && !admission.admits(principal, tariff, now)) return undefined;
    const uplink = hub.uplinkOf(route.backend, this.session);
    const recording = tracer?.draw() ? this.#record(tracer, route, glance.tokenEnd > 0) : undefined;
    const call = new Straight(this, client, bytes, start, route, uplink, recording, now);
    if (!route.backend.straight(uplink)?.straight(call, call.scope)) return undefined;
    if (tariff) admission.took(call.caller.flight, tariff);
    call.started();
    return call;
  }

  #record(tracer: Tracer, { backend, local }: Route, hasToken: boolean): Recording {
    const { version, key } = this.session.facts;
    const trace = tracer.record({ method: "tools/call", version, session: key });
    this.#local ??= String(JSON.parse(decodeText(local)));
    return recordingOf(trace, backend.plan.name, this.#local, hasToken);
  }

  #routeOf(bytes: Uint8Array, start: number, end: number): Route | undefined {
    const known = this.#name;
    let same = known.length === end - start;
    for (let at = 0; same && at < known.length; at += 1) same = known[at] === bytes[start + at];
    if (same) return this.#route;
    const route = this.calls.front.router.forwarder.route(latin1Of(bytes, start + 1, end - 1), this.session.facts.view);
    if (!route) return undefined;
    const { admission, flights } = this.calls.front.hub;
    const { name } = route.backend.plan;
    const local = admission || flights.keeper ? String(JSON.parse(decodeText(route.local))) : undefined;
    // Its arguments are found on the long way.
    if (flights.keeper?.wantsTool(name, local ?? "") === true) return undefined;
    this.exposed = latin1Of(bytes, start + 1, end - 1);
    this.#name = Uint8Array.prototype.slice.call(bytes, start, end);
    this.#route = route;
    this.#local = local;
    this.#tariff = admission?.tariffOf(name, local ?? "");
    return route;
  }
}
