// One client over HTTP+SSE: its stream carries everything, its session lives as long as the stream, and its POSTs bring
// messages.

import { type Envelope, scan, type Scanned, spanBytes, toLine } from "../core/envelope.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { errorMessage, resultMessage } from "../core/rpc.ts";
import type { Principal } from "../core/principal.ts";
import { Scope } from "../core/scope.ts";
import { frameComment, frameMessage } from "../core/sse-frames.ts";
import { encodeText } from "../core/text.ts";
import type { View } from "../merge/names.ts";
import { allowsBatch, legacyCodec } from "../protocol/legacy.ts";
import { greet, readInitialize, type ServerIdentity } from "../route/greet.ts";
import type { Hub } from "../route/hub.ts";
import type { Router } from "../route/router.ts";
import type { Outlet, Port } from "../route/outlet.ts";
import type { Session } from "../route/session.ts";
import { joinBatch } from "./callstream.ts";
import type { EventSink } from "./eventlog.ts";

export interface SseClientOptions {
  readonly hub: Hub;
  readonly router: Router;
  readonly identity: ServerIdentity;
  /** Who opened the stream. */
  readonly who: Principal;
  readonly sink: EventSink;
  /** Hears once that the stream is over, whoever ended it. */
  readonly ended: (client: SseClient) => void;
}

type Answer = (reply: Uint8Array | undefined) => void;
type Batch = Extract<Scanned, { kind: "batch" }>;

const emptyResult = encodeText("{}");
const keepAlive = frameComment("keep-alive");
const maxBatch = 1000;

export class SseClient implements Outlet {
  readonly #options: SseClientOptions;
  /** Of all its calls. */
  readonly #scope = new Scope();
  readonly #calls = new Set<Promise<void>>();
  readonly #port: Port;
  readonly #openedAt = Date.now();
  #session: Session | undefined;
  #who: Principal;
  /** Why nothing new is begun. */
  #refusal: GatewayError | undefined;
  #isOver = false;
  #wroteAt = Date.now();

  constructor(options: SseClientOptions) {
    const { sink } = options;
    this.#options = options;
    this.#who = options.who;
    this.#port = {
      deliver: (message) => this.send(message),
      get congestion() {
        return sink.congestion;
      },
    };
  }

  get connected(): boolean {
    return !this.#isOver;
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  /** How long it has waited with its initialize, ms; 0 once that came. */
  get silentMs(): number {
    return this.#session ? 0 : Date.now() - this.#openedAt;
  }

  send(message: Uint8Array): void {
    this.#write(frameMessage(toLine(message)));
  }

  /** What a POST of `who` brought; throws a `GatewayError` where that is no message. */
  take(body: Uint8Array, view: View, who: Principal): void {
    this.#who = who;
    this.#session?.renew(who, view);
    const { limits } = this.#options.hub.plan;
    const scanned = scan(body, limits);
    switch (scanned.kind) {
      case "malformed":
        throw new GatewayError(scanned.reason === "shape" ? "invalidRequest" : "parse", scanned.message);
      case "batch":
        return this.#batch(body, scanned, view);
      case "message":
        return this.#message(scanned.envelope, view, (reply) => reply && this.send(reply));
    }
  }

  /** Sends a comment where nothing was sent for `silentMs`: proxies cut what is silent. */
  keepAlive(silentMs: number): void {
    if (Date.now() - this.#wroteAt >= silentMs) this.#write(keepAlive);
  }

  /** Begins no new calls; those in flight go on. */
  drain(error: GatewayError): void {
    this.#refusal = error;
  }

  /** Answers the calls in flight with an error; resolves when that is done. */
  async stop(reason: GatewayError): Promise<void> {
    this.#scope.cancel(reason);
    while (this.#calls.size > 0) await Promise.all(this.#calls);
  }

  /** The session is over and the stream with it, whichever ended: nobody would hear what its calls still bring. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.sink.end();
    this.#options.ended(this);
    // Its calls are taken back.
    if (this.#session) this.#options.hub.sessions.end(this.#session);
  }

  #write(frame: Uint8Array): void {
    if (this.#isOver) return;
    this.#wroteAt = Date.now();
    this.#options.sink.write(frame);
  }

  /** Nothing of a batch is handed on unless all of it can be. */
  #batch(body: Uint8Array, { items }: Batch, view: View): void {
    const version = this.#session?.facts.version;
    if (version === undefined || !allowsBatch(version))
      throw new GatewayError(
        "invalidRequest",
        `batches are not part of ${version === undefined ? "a handshake" : `revision ${version}`}`,
      );
    if (items.length === 0 || items.length > maxBatch)
      throw new GatewayError("invalidRequest", `a batch holds from 1 to ${maxBatch} messages`);
    const envelopes = items.map(({ start, end }) => {
      const scanned = scan(body.subarray(start, end), this.#options.hub.plan.limits);
      if (scanned.kind === "message") return scanned.envelope;
      throw new GatewayError("invalidRequest", "the batch holds something that is no message");
    });
    const replies: Uint8Array[] = [];
    let left = envelopes.filter(({ kind }) => kind === "request").length;
    const answer: Answer = (reply) => {
      if (reply) replies.push(reply);
      left -= 1;
      if (left === 0 && replies.length > 0) this.send(joinBatch(replies));
    };
    for (const envelope of envelopes) this.#message(envelope, view, answer);
  }

  #message(envelope: Envelope, view: View, answer: Answer): void {
    const { router } = this.#options;
    const session = this.#session;
    if (session) session.usedAt = Date.now();
    switch (envelope.kind) {
      case "notification":
        if (session) router.notification(session, envelope);
        return;
      case "response":
        if (session) router.response(session, envelope);
        return;
      case "request":
        return this.#request(envelope, view, answer);
    }
  }

  #request(request: Envelope, view: View, answer: Answer): void {
    const id = spanBytes(request, "id") ?? encodeText("null");
    const session = this.#session;
    try {
      // 2024-11-05, Lifecycle: a ping may come before initialize.
      if (request.method === "ping") return answer(resultMessage(id, emptyResult));
      if (this.#refusal) throw this.#refusal;
      if (request.method === legacyCodec.openMethod && !session) return answer(this.#greet(request, view, id));
      if (!session) throw new GatewayError("sessionMissing", "the first request must be initialize");
    } catch (error) {
      return answer(errorMessage(id, asGatewayError(error)));
    }
    const call = this.#call(session, request, answer).finally(() => this.#calls.delete(call));
    this.#calls.add(call);
  }

  async #call(session: Session, request: Envelope, answer: Answer): Promise<void> {
    using own = new Scope(this.#scope);
    answer(await this.#options.router.request(session, request, own, this.#port));
  }

  #greet(request: Envelope, view: View, id: Uint8Array): Uint8Array {
    const { hub, router, identity } = this.#options;
    const facts = readInitialize(request, legacyCodec, view, this.#who.id);
    const { limits, timeouts } = hub.plan;
    const session = hub.sessions.create(facts, this, { sessions: limits.sessions, idleMs: timeouts.sessionIdleMs });
    session.who = this.#who;
    this.#session = session;
    router.prepare(session);
    return resultMessage(id, greet(hub, view, facts.version, identity));
  }
}
