// Streamable HTTP for clients: one endpoint with POST, GET and DELETE, sessions, and answers as JSON or event streams.

import { type Envelope, scan, spanBytes } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { anonymous, type Principal } from "../core/principal.ts";
import { resultMessage } from "../core/rpc.ts";
import { after, Scope } from "../core/scope.ts";
import { encodeText } from "../core/text.ts";
import type { View } from "../merge/names.ts";
import type { EraCodec } from "../protocol/codec.ts";
import { detectEra, type EraVerdict } from "../protocol/era.ts";
import { headerNames } from "../protocol/modern-headers.ts";
import { claimsModern } from "../protocol/modern-request.ts";
import { legacyCodec, primesStreams } from "../protocol/legacy.ts";
import { greet, readInitialize, type ServerIdentity } from "../route/greet.ts";
import type { Hub } from "../route/hub.ts";
import type { Router } from "../route/router.ts";
import type { Session } from "../route/session.ts";
import { Archive } from "./archive.ts";
import { openBatch } from "./batch.ts";
import { CallStream } from "./callstream.ts";
import { requireAccept, requireJson, requireLegacy, requireSession, sessionHeader } from "./headers.ts";
import type { Answer, HttpReply, HttpRequest } from "./exchange.ts";
import { passOr, sessionUnknown, whenJoined } from "./elsewhere.ts";
import { type LoadRouter, ModernDoor } from "./modern-door.ts";
import { again, isStale, type Judge, whenWhole } from "./judged.ts";
import { OpenCalls } from "./open-calls.ts";
import { emptyReply, errorReply, jsonReply, malformed, refusalReply } from "./reply.ts";
import { StraightCalls } from "./straight.ts";
import { callNodeOf, SessionStreams, streamsOf } from "./streams.ts";

export interface HttpFrontOptions {
  readonly hub: Hub;
  readonly router: Router;
  readonly modern: LoadRouter;
  readonly identity: ServerIdentity;
  readonly again: Judge;
}

type Next = (session: Session) => Answer;

/** For calls that were cut at the end to be answered. */
const farewellMs = 1_000;
const shuttingDown = (): GatewayError => new GatewayError("draining", "the gateway is shutting down");

export class HttpFront {
  readonly #hub: Hub;
  readonly #router: Router;
  readonly #options: HttpFrontOptions;
  readonly modern: ModernDoor;
  readonly #archive = new Archive();
  /** Heads of POST requests that were found in order. */
  readonly #checked = new WeakMap<object, EraVerdict>();
  readonly #open = new OpenCalls();
  readonly #straight: StraightCalls;
  #stopTicking: () => void = () => {};
  #state: "open" | "draining" | "closed" = "open";

  constructor(options: HttpFrontOptions) {
    const { hub, router, modern } = options;
    this.#options = options;
    this.#hub = hub;
    this.#router = router;
    this.modern = new ModernDoor(hub, modern);
    this.#straight = new StraightCalls({ hub, router, open: this.#open, isOpen: () => this.#state === "open" });
    this.#schedule();
  }

  get inFlight(): number {
    return this.#open.size + this.#straight.size + this.modern.inFlight;
  }

  /** Answers one request to the endpoint of a view; `who` sent it. */
  handle(request: HttpRequest, view: View, who: Principal = anonymous): Answer {
    try {
      switch (request.method) {
        case "POST":
          return this.#post(request, view, who);
        case "GET":
          return this.#listen(request, view, who);
        case "DELETE":
          return this.#end(request, view, who);
        default: {
          const error = new GatewayError("methodNotAllowed", `the endpoint does not take ${request.method}`);
          return errorReply(error, undefined, { allow: "POST, GET, DELETE" });
        }
      }
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** Takes no new calls; those in flight go on, with the notifications and answers that they need. */
  drain(): void {
    this.#state = "draining";
    this.modern.drain();
  }

  /** Answers the calls that are still in flight with an error, and ends all streams. */
  async close(): Promise<void> {
    this.#state = "closed";
    this.#stopTicking();
    this.#straight.divert(Infinity);
    for (const call of this.#open) call.stop(shuttingDown());
    using patience = new Scope(undefined, farewellMs);
    await this.modern.close();
    await patience.race(this.#open.answered()).catch(() => {});
    for (const session of this.#hub.sessions.all()) session.close();
  }

  #post(request: HttpRequest, view: View, who: Principal): Answer {
    const verdict = this.#checked.get(request.head) ?? this.#check(request);
    const body = request.body(this.#hub.plan.limits.bodyBytes);
    if (body instanceof Uint8Array) return this.#message(request, body, verdict, view, who);
    const next = (late: Uint8Array): Answer => this.#message(request, late, verdict, view, who);
    return whenWhole(request, body, this.#hub, this.#options.again, next).catch((error: unknown) =>
      this.#refuse(error),
    );
  }

  /** What must hold of the headers of a POST. */
  #check(request: HttpRequest): EraVerdict {
    requireJson(request);
    requireAccept(request, ["application/json", "text/event-stream"]);
    const verdict = detectEra(request.header(headerNames.version));
    this.#checked.set(request.head, verdict);
    return verdict;
  }

  #message(request: HttpRequest, body: Uint8Array, verdict: EraVerdict, view: View, who: Principal): Answer {
    const scanned = scan(body, this.#hub.plan.limits);
    if (scanned.kind === "malformed") return malformed(scanned);
    try {
      if (scanned.kind === "batch") {
        requireLegacy(verdict);
        const next: Next = (session) => {
          const opened = openBatch(body, scanned, session.facts.version, this.#hub.plan.limits);
          return "status" in opened ? opened : this.#exchange(session, opened, true, request);
        };
        return this.#with(request, view, who, next, body);
      }
    } catch (error) {
      return this.#refuse(error);
    }
    const { envelope } = scanned;
    try {
      const mayBeModern = verdict.kind !== "legacy" || envelope.spans["params._meta"] !== undefined;
      if (mayBeModern && claimsModern(envelope, request.header(headerNames.version)))
        return this.modern.handle(request, envelope, who, view);
      if (envelope.method === legacyCodec.openMethod && envelope.kind === "request" && verdict.kind !== "refused")
        return this.#greet(envelope, legacyCodec, view, who);
      requireLegacy(verdict);
      const next: Next = (session) => this.#exchange(session, [envelope], false, request);
      return this.#with(request, view, who, next, body);
    } catch (error) {
      return this.#refuse(error, envelope.kind === "request" ? spanBytes(envelope, "id") : undefined);
    }
  }

  readonly #refuse = (error: unknown, id?: Uint8Array): HttpReply => refusalReply(this.#hub.observer, error, id);

  #greet(request: Envelope, codec: EraCodec, view: View, who: Principal): Promise<HttpReply> {
    const id = spanBytes(request, "id") ?? encodeText("null");
    if (this.#state !== "open") throw shuttingDown();
    const facts = readInitialize(request, codec, view, who.id);
    const { limits, timeouts } = this.#hub.plan;
    const session = this.#hub.sessions.create(facts, this.#streams(), {
      sessions: limits.sessions,
      idleMs: timeouts.sessionIdleMs,
    });
    session.who = who;
    this.#router.prepare(session);
    const reply = resultMessage(id, greet(this.#hub, view, facts.version, this.#options.identity));
    const sealing = this.#hub.sessions.seal(session);
    const answering = sealing.then((sealed) => jsonReply(reply, { [sessionHeader]: sealed }));
    return answering.catch((error: unknown) => this.#refuse(error, id));
  }

  #session(request: HttpRequest, view: View, who: Principal): Session {
    const id = request.header(sessionHeader);
    if (id === undefined) throw new GatewayError("sessionMissing", "the request has no MCP-Session-Id header");
    const session = this.#hub.sessions.open(id, who, view, () => this.#streams());
    if (!session) throw sessionUnknown();
    return session;
  }

  #streams(): SessionStreams {
    return new SessionStreams(this.#archive, this.#hub.cluster?.node);
  }

  /** Goes on with the session of a request, as soon as other processes have said what they know of it. */
  #with(request: HttpRequest, view: View, who: Principal, next: Next, body?: Uint8Array): Answer {
    const session = this.#session(request, view, who);
    if (!session.joining) return next(session);
    const late = async (): Promise<HttpReply> => {
      if (isStale(request, this.#hub)) return await again(request, this.#options.again, body);
      // Another request came to it meanwhile.
      session.renew(who, view);
      return await next(session);
    };
    return whenJoined(session, late, this.#refuse);
  }

  /** Hands messages on; the response is ready as soon as its form is known. */
  #exchange(session: Session, envelopes: readonly Envelope[], isBatch: boolean, client: HttpRequest): Answer {
    const [only] = envelopes;
    const isOne = only?.kind === "request" && envelopes.length === 1;
    const requests = isOne ? envelopes : envelopes.filter(({ kind }) => kind === "request");
    if (requests.length > 0 && this.#state !== "open") throw shuttingDown();
    if (!isOne) this.#handOn(session, envelopes);
    if (requests.length === 0) return emptyReply(202);
    const isCall = isOne && !isBatch && only.method === "tools/call";
    const straight = isCall && this.#straight.begin(session, streamsOf(session), client, only.bytes);
    if (straight) return straight;
    const call = new CallStream({
      streams: streamsOf(session),
      prime: primesStreams(session.facts.version),
      resumeMs: this.#hub.plan.timeouts.resumeMs,
      replies: requests.length,
      isBatch,
      request: client,
    });
    this.#open.add(call);
    void this.#answer(session, requests, call);
    return call.response();
  }

  /** What asks for no answer. */
  #handOn(session: Session, envelopes: readonly Envelope[]): void {
    session.usedAt = Date.now();
    for (const envelope of envelopes) {
      if (envelope.kind === "notification") this.#router.notification(session, envelope);
      if (envelope.kind === "response") this.#router.response(session, envelope);
    }
  }

  async #answer(session: Session, requests: readonly Envelope[], call: CallStream): Promise<void> {
    const [only] = requests;
    try {
      if (only && requests.length === 1) call.reply(await this.#router.request(session, only, call.scope, call));
      else await Promise.all(requests.map((request) => this.#answerOne(session, request, call)));
    } finally {
      this.#open.delete(call);
    }
  }

  /** Each request of a batch has a scope of its own: it can be cancelled by itself. */
  async #answerOne(session: Session, request: Envelope, call: CallStream): Promise<void> {
    using own = new Scope(call.scope);
    call.reply(await this.#router.request(session, request, own, call));
  }

  #listen(request: HttpRequest, view: View, who: Principal): Answer {
    requireSession(request);
    requireAccept(request, ["text/event-stream"]);
    if (this.#state === "closed") throw shuttingDown();
    return this.#with(request, view, who, (session) => this.#stream(request, session, who));
  }

  #stream(request: HttpRequest, session: Session, who: Principal): Answer {
    const lastEventId = request.header("last-event-id");
    const here = (): HttpReply => streamsOf(session).listen(lastEventId, primesStreams(session.facts.version));
    if (!this.modern.relay) return here();
    const node = callNodeOf(lastEventId);
    if (node === undefined) this.#hub.cluster?.took(session, lastEventId);
    if (node === undefined || node === this.modern.relay.node || request.isRelayed) return here();
    return passOr(this.modern.relay, node, request, who, here);
  }

  #end(request: HttpRequest, view: View, who: Principal): Answer {
    requireSession(request);
    return this.#with(request, view, who, (session) => {
      this.#hub.sessions.end(session);
      const known = this.#hub.cluster?.ended(session);
      return known ? known.then(() => emptyReply(200)) : emptyReply(200);
    });
  }

  /** Half of the time: what became silent right after one look is found by the next. */
  #schedule(): void {
    const halfMs = Math.max(10, this.#hub.plan.timeouts.keepAliveMs / 2);
    this.#stopTicking = after(halfMs, () => {
      this.#tick(halfMs);
      this.#schedule();
    });
  }

  /** Proxies cut what is silent: an answer that takes long becomes a stream, and streams get comments. */
  #tick(silentMs: number): void {
    const { limits, timeouts } = this.#hub.plan;
    this.#straight.divert(Date.now() - silentMs);
    for (const call of this.#open) call.commit(silentMs);
    // The client on stdin and stdout, if there is one, is among the sessions too.
    for (const { outlet } of this.#hub.sessions.all()) if (outlet instanceof SessionStreams) outlet.keepAlive();
    this.modern.keepAlive(silentMs);
    this.#archive.expire();
    this.#hub.sessions.sweep({ sessions: limits.sessions, idleMs: timeouts.sessionIdleMs });
  }
}
