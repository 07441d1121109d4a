// Streamable HTTP for clients: one endpoint with POST, GET and DELETE, sessions, and answers as JSON or event streams.

import { type Envelope, scan, type Scanned, spanBytes } from "../core/envelope.ts";
import { asGatewayError, type ErrorCode, GatewayError } from "../core/errors.ts";
import { resultMessage } from "../core/rpc.ts";
import { every, Scope } from "../core/scope.ts";
import type { View } from "../merge/names.ts";
import { ClientCancel } from "../backend/link.ts";
import type { EraCodec } from "../protocol/codec.ts";
import { detectEra } from "../protocol/era.ts";
import { allowsBatch, legacyCodec, primesStreams } from "../protocol/legacy.ts";
import { greet, readInitialize, type ServerIdentity } from "../route/greet.ts";
import type { Hub } from "../route/hub.ts";
import type { Router } from "../route/router.ts";
import type { Session } from "../route/session.ts";
import { readBody } from "./body.ts";
import { errorReply } from "./reply.ts";
import { CallStream, SessionStreams } from "./streams.ts";

export interface HttpFrontOptions {
  readonly hub: Hub;
  readonly router: Router;
  readonly identity: ServerIdentity;
}

/** Without authentication there is one principal. */
const principal = "anonymous";
const sessionHeader = "mcp-session-id";
const malformedCodes: Readonly<Record<string, ErrorCode>> = { utf8: "parse", json: "parse", depth: "parse", shape: "invalidRequest" };

export class HttpFront {
  readonly #hub: Hub;
  readonly #router: Router;
  readonly #identity: ServerIdentity;
  readonly #open = new Set<CallStream>();
  readonly #stopTicking: () => void;
  #draining = false;

  constructor({ hub, router, identity }: HttpFrontOptions) {
    this.#hub = hub;
    this.#router = router;
    this.#identity = identity;
    this.#stopTicking = every(hub.plan.timeouts.keepAliveMs, () => this.#tick());
  }

  get inFlight(): number {
    return this.#open.size;
  }

  /** Answers one request to the endpoint of a view. */
  async handle(request: Request, view: View): Promise<Response> {
    try {
      switch (request.method) {
        case "POST":
          return await this.#post(request, view);
        case "GET":
          return this.#listen(request, view);
        case "DELETE":
          return this.#end(request, view);
        default: {
          const error = new GatewayError("methodNotAllowed", `the endpoint does not take ${request.method}`);
          return errorReply(error, undefined, { allow: "POST, GET, DELETE" });
        }
      }
    } catch (error) {
      const failure = asGatewayError(error);
      if (failure.code === "internal") this.#hub.observer.log("error", "gateway", failure.stack ?? failure.message);
      return errorReply(failure, undefined);
    }
  }

  /** Takes no new calls; streams of calls in flight go on. */
  drain(): void {
    this.#draining = true;
  }

  close(): void {
    this.#stopTicking();
    for (const stream of this.#open) stream.abandon();
    for (const session of this.#hub.sessions.all()) session.close();
  }

  async #post(request: Request, view: View): Promise<Response> {
    if (this.#draining) throw new GatewayError("draining", "the gateway is shutting down");
    const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
    if (type !== "application/json") throw new GatewayError("mediaType", "the content type must be application/json");
    requireAccept(request, ["application/json", "text/event-stream"]);
    const codec = this.#codec(request);
    const body = await readBody(request, this.#hub.plan.limits.bodyBytes);
    const scanned = scan(body);
    if (scanned.kind === "malformed") return this.#malformed(scanned);
    if (scanned.kind === "message" && scanned.envelope.method === codec.openMethod && scanned.envelope.kind === "request") {
      return this.#greet(scanned.envelope, codec, view);
    }
    const session = this.#session(request, view);
    if (scanned.kind === "message") return this.#exchange(session, [scanned.envelope], false, request);
    if (!allowsBatch(session.facts.version)) {
      throw new GatewayError("invalidRequest", `batches are not part of revision ${session.facts.version}`);
    }
    return this.#batch(session, body, scanned, request);
  }

  #codec(request: Request): EraCodec {
    const verdict = detectEra(request.headers.get("mcp-protocol-version"));
    if (verdict.kind === "refused") throw verdict.error;
    return verdict.codec;
  }

  #malformed({ reason, message, id }: Extract<Scanned, { kind: "malformed" }>): Response {
    return errorReply(new GatewayError(malformedCodes[reason] ?? "parse", message), id);
  }

  #greet(request: Envelope, codec: EraCodec, view: View): Response {
    const id = spanBytes(request, "id") ?? new Uint8Array();
    try {
      const facts = readInitialize(request, codec, view, principal);
      const { limits, timeouts } = this.#hub.plan;
      const session = this.#hub.sessions.create(facts, new SessionStreams(), {
        sessions: limits.sessions,
        idleMs: timeouts.sessionIdleMs,
      });
      this.#router.prepare(session);
      const reply = resultMessage(id, greet(this.#hub, view, facts.version, this.#identity));
      const headers = { "content-type": "application/json", [sessionHeader]: this.#hub.sessions.seal(session) };
      return new Response(new Uint8Array(reply), { headers });
    } catch (error) {
      return errorReply(asGatewayError(error), id);
    }
  }

  #session(request: Request, view: View): Session {
    const id = request.headers.get(sessionHeader);
    if (id === null) throw new GatewayError("sessionMissing", "the request has no MCP-Session-Id header");
    const session = this.#hub.sessions.open(id, principal, view, () => new SessionStreams());
    if (!session) throw new GatewayError("sessionUnknown", "the session is unknown or has ended");
    return session;
  }

  #batch(session: Session, body: Uint8Array, batch: Extract<Scanned, { kind: "batch" }>, request: Request): Promise<Response> | Response {
    if (batch.items.length === 0) throw new GatewayError("invalidRequest", "the batch is empty");
    const envelopes: Envelope[] = [];
    for (const { start, end } of batch.items) {
      const scanned = scan(body.subarray(start, end));
      if (scanned.kind === "malformed") return this.#malformed(scanned);
      if (scanned.kind === "batch") throw new GatewayError("invalidRequest", "a batch holds messages and no batches");
      if (scanned.envelope.method === legacyCodec.openMethod) {
        throw new GatewayError("invalidRequest", `${legacyCodec.openMethod} cannot be a part of a batch`);
      }
      envelopes.push(scanned.envelope);
    }
    return this.#exchange(session, envelopes, true, request);
  }

  /** Hands messages on; the response is ready as soon as its form is known. */
  #exchange(session: Session, envelopes: readonly Envelope[], isBatch: boolean, request: Request): Promise<Response> | Response {
    const requests = envelopes.filter(({ kind }) => kind === "request");
    for (const envelope of envelopes) {
      if (envelope.kind === "notification") this.#router.notification(session, envelope);
      if (envelope.kind === "response") this.#router.response(session, envelope);
    }
    if (requests.length === 0) return new Response(null, { status: 202 });
    const scope = new Scope();
    const stream = this.#callStream(session, requests.length, isBatch, scope);
    this.#open.add(stream);
    // Before the head of an answer there is nothing that a client could resume.
    request.signal.addEventListener("abort", () => stream.undecided && stream.abandon());
    const calls = requests.map(async (envelope) => stream.reply(await this.#router.request(session, envelope, scope, stream)));
    void Promise.all(calls).finally(() => this.#open.delete(stream));
    return stream.response;
  }

  #callStream(session: Session, replies: number, isBatch: boolean, scope: Scope): CallStream {
    return new CallStream({
      streams: streamsOf(session),
      prime: primesStreams(session.facts.version),
      resumeMs: this.#hub.plan.timeouts.resumeMs,
      replies,
      isBatch,
      abandoned: () => scope.cancel(new ClientCancel()),
      headers: {},
    });
  }

  #listen(request: Request, view: View): Response {
    requireAccept(request, ["text/event-stream"]);
    this.#codec(request);
    const session = this.#session(request, view);
    return streamsOf(session).listen(request.headers.get("last-event-id"), primesStreams(session.facts.version));
  }

  #end(request: Request, view: View): Response {
    this.#codec(request);
    this.#hub.sessions.end(this.#session(request, view));
    return new Response(null, { status: 200 });
  }

  /** Proxies cut what is silent: an answer that takes long becomes a stream, and streams get comments. */
  #tick(): void {
    for (const stream of this.#open) if (stream.undecided && stream.isOld(this.#hub.plan.timeouts.keepAliveMs)) stream.stream();
    for (const session of this.#hub.sessions.all()) streamsOf(session).keepAlive();
    this.#hub.sessions.sweep({ sessions: this.#hub.plan.limits.sessions, idleMs: this.#hub.plan.timeouts.sessionIdleMs });
  }
}

function streamsOf(session: Session): SessionStreams {
  if (session.outlet instanceof SessionStreams) return session.outlet;
  throw new GatewayError("internal", "a session of another front came over HTTP");
}

/** 2025-11-25, Transports: the client must list what it can take; wildcards list everything. */
function requireAccept(request: Request, types: readonly string[]): void {
  const ranges = (request.headers.get("accept") ?? "").split(",").map((range) => range.split(";", 1)[0]?.trim().toLowerCase());
  const takes = (type: string): boolean => ranges.some((range) => range === "*/*" || range === type || range === `${type.split("/", 1)[0]}/*`);
  if (!types.every(takes)) throw new GatewayError("notAcceptable", `the client must accept ${types.join(" and ")}`);
}
