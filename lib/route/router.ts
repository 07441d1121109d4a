// Which method goes where: the one switch on requests of clients, and the one on what backends say.

import type { Backend } from "../backend/backend.ts";
import type { Caller, Link, LinkPeer } from "../backend/link.ts";
import { ClientCancel } from "../backend/link.ts";
import { dropReads } from "../backend/reads.ts";
import { type Envelope, spanBytes, spanText } from "../core/envelope.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { faultOf } from "../core/fault.ts";
import type { ListingKind } from "../core/nouns.ts";
import { errorMessage, resultMessage } from "../core/rpc.ts";
import type { Scope } from "../core/scope.ts";
import { encodeText } from "../core/text.ts";
import type { Cluster, Handed } from "./cluster.ts";
import { Listings } from "./fanout.ts";
import { Forwarder } from "./forward.ts";
import type { Hub } from "./hub.ts";
import { Inbound } from "./inbound.ts";
import type { Port } from "./outlet.ts";
import type { ActiveCall, Session } from "./session.ts";
import { Subscriptions } from "./subscribe.ts";
import { TaskWatch } from "./task-watch.ts";
import type { Tasks } from "./tasks.ts";
import { trace } from "./tracing.ts";

const emptyResult = encodeText("{}");

export class Router implements LinkPeer {
  readonly listings: Listings;
  readonly subscriptions: Subscriptions;
  /** Of modern backends. */
  readonly tasks: TaskWatch;
  readonly #hub: Hub;
  readonly forwarder: Forwarder;
  readonly #inbound: Inbound;
  /** Of legacy backends; loaded with the first request for one. */
  #tasks: Promise<Tasks> | undefined;

  constructor(hub: Hub) {
    this.#hub = hub;
    this.listings = new Listings(hub);
    this.forwarder = new Forwarder(hub, this.listings);
    this.tasks = new TaskWatch(hub);
    this.subscriptions = new Subscriptions(hub, this.forwarder);
    this.#inbound = new Inbound(hub, this.subscriptions);
    hub.whenReleased((session) => {
      this.tasks.release(session);
      this.subscriptions.release(session);
      this.listings.release(session);
    });
  }

  /** The other processes of the gateway, where there are any. */
  get cluster(): Cluster | undefined {
    return this.#hub.cluster;
  }

  /** A new session: links of its own begin to open before it asks. */
  prepare(session: Session): void {
    for (const backend of this.#hub.backendsOf(session.facts.view)) this.#hub.uplinkOf(backend, session);
  }

  /**
   * Answers one request; undefined when the client took it back, and so expects no answer. `own`: of this request alone;
   * `handed`: for a process that lets it in, and counts it.
   */
  async request(
    session: Session,
    request: Envelope,
    own: Scope,
    port: Port,
    handed?: Handed,
  ): Promise<Uint8Array | undefined> {
    const id = spanBytes(request, "id") ?? encodeText("null");
    const call = session.start(request, own, port);
    if (handed) [call.who, call.facts] = [handed.who, handed.facts];
    call.flight.method = request.method ?? "";
    call.flight.requestBytes = request.bytes.length;
    trace(this.#hub, request, call.flight, port, call.facts);
    let reply: Uint8Array | undefined;
    try {
      const admission = handed ? undefined : this.#hub.admission;
      const late = admission?.ready(call.principal);
      if (late) await late;
      admission?.enter(call.flight);
      reply = await this.#dispatch(request, call, id);
      if (call.noting) await call.noting;
    } catch (error) {
      reply = this.failed(call, id, error);
    }
    this.finished(call, reply?.length);
    if (handed) handed.backend = call.flight.backend;
    else this.count(call, reply);
    return reply;
  }

  /** The answer to a call that failed; undefined where the client took it back. */
  failed(call: ActiveCall, id: Uint8Array, error: unknown): Uint8Array | undefined {
    if (call.scope.reason instanceof ClientCancel) return undefined;
    const failure = asGatewayError(error);
    call.challenge(failure);
    if (failure.code === "internal") this.#hub.observer.log("error", "gateway", failure.message, { error: failure });
    return errorMessage(id, failure);
  }

  /** A call is over, with this for its client. */
  count({ flight }: ActiveCall, reply: Uint8Array | undefined): void {
    this.#hub.meter?.ended(flight, flight.fault || (reply ? faultOf(reply) : "cancelled"));
  }

  /** `bytes`: of the answer, where there is one. */
  finished(call: ActiveCall, bytes: number = 0): void {
    const { scope, session } = call;
    call.flight.replyBytes = bytes;
    this.#hub.admission?.leave(call.flight);
    if (scope.reason instanceof ClientCancel && !scope.reason.notice) session.asks.abandon(call);
    session.finish(call);
    scope[Symbol.dispose]();
  }

  #dispatch(request: Envelope, call: ActiveCall, id: Uint8Array): Promise<Uint8Array> {
    switch (request.method) {
      case "ping":
        return Promise.resolve(resultMessage(id, emptyResult));
      case "tools/list":
        return this.#list(request, call, "tools");
      case "prompts/list":
        return this.#list(request, call, "prompts");
      case "resources/list":
        return this.#list(request, call, "resources");
      case "resources/templates/list":
        return this.#list(request, call, "resourceTemplates");
      case "tools/call":
        return this.forwarder.named(request, call, "tools");
      case "prompts/get":
        return this.forwarder.named(request, call, "prompts");
      case "resources/read":
        return this.forwarder.resource(request, call).then(({ reply }) => reply);
      case "resources/subscribe":
        return this.#subscribe(request, call, () => this.subscriptions.subscribe(request, call));
      case "resources/unsubscribe":
        return this.#subscribe(request, call, () => this.subscriptions.unsubscribe(request, call, id));
      case "completion/complete":
        return this.forwarder.completion(request, call);
      case "logging/setLevel":
        return this.#setLevel(request, call, id);
      case "tasks/get":
      case "tasks/result":
      case "tasks/cancel":
        return this.#legacyTasks().then((tasks) => tasks.byId(request, call));
      case "tasks/list":
        return this.#legacyTasks().then((tasks) => tasks.list(request, call, id));
      case "initialize":
        throw new GatewayError("invalidRequest", "the session is initialized already");
      case undefined:
      default:
        return this.forwarder.unknown(request, call);
    }
  }

  async #legacyTasks(): Promise<Tasks> {
    this.#tasks ??= import("./tasks.ts").then((module) => new module.Tasks(this.#hub, this.forwarder));
    return await this.#tasks;
  }

  /** Where there are several processes, the one with the stream of the session does this. */
  async #subscribe(request: Envelope, call: ActiveCall, here: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const { cluster } = this.#hub;
    const reply = await cluster?.atHome(request, call);
    if (reply && reply.length > 0) return reply;
    const own = await here();
    await cluster?.noted(call.session, false);
    return own;
  }

  async #setLevel(request: Envelope, { session }: ActiveCall, id: Uint8Array): Promise<Uint8Array> {
    const reply = this.subscriptions.setLevel(request, session, id);
    await this.#hub.cluster?.noted(session, true);
    return reply;
  }

  #list(request: Envelope, call: ActiveCall, kind: ListingKind): Promise<Uint8Array> {
    return this.listings.reply(request, call, kind, call.scope, { query: call.query });
  }

  /** A notification of a client. */
  notification(session: Session, notification: Envelope): void {
    switch (notification.method) {
      case "notifications/initialized":
        // Each link was initialized by the gateway itself; a second one confuses servers.
        return;
      case "notifications/cancelled":
        if (!session.cancel(notification)) this.#hub.cluster?.cancel(session, notification);
        return;
      case "notifications/progress":
        if (!session.asks.progress(notification)) this.#hub.cluster?.handOn(session, notification);
        return;
      case undefined:
      default:
        this.broadcast(session, notification);
        this.#hub.cluster?.broadcast(session, notification);
    }
  }

  /** A client's answer to a request of a backend; an answer to nothing is ignored. */
  response(session: Session, response: Envelope): void {
    if (!session.asks.answer(response)) this.#hub.cluster?.handOn(session, response);
  }

  /** Roots changed, or something that the gateway does not know: each backend of the view may care. */
  broadcast(session: Session, notification: Envelope): void {
    for (const backend of this.#hub.backendsOf(session.facts.view)) {
      this.#hub.uplinkOf(backend, session).send(notification.bytes);
    }
  }

  notified(link: Link, notification: Envelope, caller: Caller | undefined): void {
    switch (notification.method) {
      case "notifications/tools/list_changed":
        return this.#listChanged(link, "tools");
      case "notifications/prompts/list_changed":
        return this.#listChanged(link, "prompts");
      case "notifications/resources/list_changed":
        return this.#listChanged(link, "resources");
      case "notifications/resources/updated":
        this.#dropReads(link, spanText(notification, "params.uri"));
        if (this.#hub.isCurrent(link)) this.subscriptions.updated(link, notification);
        return;
      case "notifications/message":
        return this.#inbound.log(link, notification, caller);
      case "notifications/cancelled":
        return this.#inbound.cancelled(link, notification);
      case "notifications/tasks":
        return this.tasks.changed(link, notification);
      case "notifications/elicitation/complete":
        return this.#inbound.elicitationComplete(link, notification);
      case "notifications/tasks/status":
        return this.#inbound.taskStatus(link, notification, caller);
      case undefined:
      default:
        return this.#inbound.other(link, notification, caller);
    }
  }

  asked(link: Link, request: Envelope, caller: Caller | undefined): void {
    this.#inbound.asked(link, request, caller);
  }

  /** What is kept of a backend's resources may be old. */
  #dropReads({ backend }: Link, uri: string = ""): void {
    const cache = this.#hub.topology.get(backend)?.policies.cache;
    if (cache) dropReads(cache, uri);
  }

  /** One of a link that is not in use any more must not bring the old listing back. */
  #listChanged(link: Link, member: string): void {
    if (member === "resources") this.#dropReads(link);
    const backend = this.#hub.topology.get(link.backend);
    if (backend && this.#hub.isCurrent(link)) this.listings.stale(backend, link, member);
  }

  /** What the backend said on its own while it was not heard is lost: listings are read again, and subscribers told to look. */
  missed(link: Link): void {
    this.#dropReads(link);
    if (!this.#hub.isCurrent(link)) return;
    this.subscriptions.missed(link);
    this.listings.shelves.missed(link);
  }

  ended(link: Link): void {
    this.#inbound.ended(link);
  }

  strayed(link: Link, what: string): void {
    this.#hub.observer.log("debug", `backend ${link.backend}`, `ignored ${what}`);
  }

  /** A backend is down for one of its owners. */
  disconnected(backend: Backend): void {
    this.listings.shelves.lost(backend);
  }

  /** A link is up. What was asked of the one before is asked of the one that speaks for all, and its listings are read. */
  connected(backend: Backend, link: Link, isLead: boolean): void {
    // One that was removed while it connected.
    if (this.#hub.topology.get(backend.plan.name) !== backend) return;
    this.subscriptions.restore(link, isLead);
    if (!isLead) return;
    this.tasks.restore(link);
    this.listings.connected(backend, link);
  }
}
