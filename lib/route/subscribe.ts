// What a session wants to hear of: resource subscriptions and the log level, kept true at the backends.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import { type Envelope, scan, spanBytes, spanText, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { notificationMessage, requestMessage, resultMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import { encodeJson, encodeText } from "../core/text.ts";
import { exposeUri } from "../merge/names.ts";
import { passesLevel } from "../protocol/bridge.ts";
import { logLevels } from "../protocol/legacy.ts";
import type { Forwarder, Owner } from "./forward.ts";
import { errorCode } from "./reply-code.ts";
import type { Hub } from "./hub.ts";
import { type ActiveCall, openOf, type Session, type Subscription } from "./session.ts";
import { Turns } from "./turns.ts";

const emptyResult = encodeText("{}");
/** Housekeeping at a backend must not wait longer. */
const housekeepingMs = 10_000;
const maxSubscriptions = 10_000;

export class Subscriptions {
  readonly #hub: Hub;
  readonly #forwarder: Forwarder;
  /** Resources that a backend is being asked for, or to forget. */
  readonly #turns = new Turns();
  /** What each link was told of the log level. */
  readonly #levels = new WeakMap<Link, Promise<string | undefined>>();
  /** The least severe level that a modern request asked for; it stays, for the next one will ask again. */
  readonly #raised = new WeakMap<Link, string>();

  constructor(hub: Hub, forwarder: Forwarder) {
    this.#hub = hub;
    this.#forwarder = forwarder;
  }

  /** One request of several for the same resource goes to its backend; the others hear what came of it. */
  async subscribe(request: Envelope, call: ActiveCall): Promise<Uint8Array> {
    const { session } = call;
    const exposed = spanText(request, "params.uri") ?? "";
    if (!session.subscriptions.has(exposed) && session.subscriptions.size >= maxSubscriptions)
      throw new GatewayError("invalidParams", `a session may have ${maxSubscriptions} subscriptions`);
    return await this.#turns.take(keyOf(session, exposed), call.scope, () => this.#subscribe(request, call, exposed));
  }

  /** For a listen stream: true where the backend has agreed. */
  async open(session: Session, uri: string, scope: Scope): Promise<boolean> {
    const scanned = scan(requestMessage(-1, "resources/subscribe", { uri }));
    if (scanned.kind !== "message") return false;
    using own = new Scope(scope);
    const call = session.start(scanned.envelope, own, { deliver: () => {} });
    try {
      return errorCode(await this.subscribe(scanned.envelope, call)) === undefined;
    } catch {
      return false;
    } finally {
      session.finish(call);
    }
  }

  /** Whether a session with the same link, or the session itself, has subscribed. */
  #isHeld(session: Session, exposed: string, { backend, local }: Owner): boolean {
    const { name } = backend.plan;
    const owner = this.#hub.ownerOf(backend, session);
    for (const other of this.#hub.sessions.all()) {
      const held = other.subscriptions.get(exposed);
      if (held?.isOpen !== true || held.backend !== name || held.local !== local) continue;
      if (this.#hub.backendIn(other.facts.view, name) && this.#hub.ownerOf(backend, other) === owner) return true;
    }
    return false;
  }

  async #subscribe(request: Envelope, call: ActiveCall, exposed: string): Promise<Uint8Array> {
    const { subscriptions } = call.session;
    const before = subscriptions.get(exposed);
    let isOpen = false;
    try {
      const { reply, owner } = await this.#forwarder.resource(request, call, ({ backend, local }) => {
        const isHeld = this.#isHeld(call.session, exposed, { backend, local });
        // Noted before it is asked for: an update may come right behind the reply, and others that share the link must see,
        // before they unsubscribe, that it is wanted. What is open already stays until then.
        if (isHeld || before?.isOpen !== true)
          subscriptions.set(exposed, { backend: backend.plan.name, local, isOpen: isHeld });
        if (!isHeld) return undefined;
        call.flight.backend = backend.plan.name;
        return resultMessage(spanBytes(request, "id") ?? new Uint8Array(), emptyResult);
      });
      isOpen = errorCode(reply) === undefined;
      if (isOpen) subscriptions.set(exposed, { backend: owner.backend.plan.name, local: owner.local, isOpen });
      return reply;
    } finally {
      if (!isOpen && before) subscriptions.set(exposed, before);
      else if (!isOpen) subscriptions.delete(exposed);
    }
  }

  /** The backend is told only when no other session of its link still wants the resource. */
  async unsubscribe(request: Envelope, call: ActiveCall, id: Uint8Array): Promise<Uint8Array> {
    const { session } = call;
    const exposed = spanText(request, "params.uri") ?? "";
    const subscription = session.subscriptions.get(exposed);
    session.subscriptions.delete(exposed);
    return await this.#turns.take(keyOf(session, exposed), call.scope, () =>
      this.#unsubscribe(request, call, id, exposed, subscription),
    );
  }

  async #unsubscribe(
    request: Envelope,
    call: ActiveCall,
    id: Uint8Array,
    exposed: string,
    subscription: Subscription | undefined,
  ): Promise<Uint8Array> {
    const { session } = call;
    const backend = subscription && this.#hub.topology.get(subscription.backend);
    if (!subscription || !backend) return this.#unsubscribeUnknown(request, call, id, exposed);
    if (this.#isWanted(backend, session, subscription.local)) return resultMessage(id, emptyResult);
    const span = request.spans["params.uri"];
    const edits = span && exposed !== subscription.local ? [{ span, bytes: encodeJson(subscription.local) }] : [];
    return this.#forwarder.send(request, call, { backend, edits });
  }

  /** Nothing is known of it here: the backend's word, unless that would take it from a session that shares the link. */
  async #unsubscribeUnknown(request: Envelope, call: ActiveCall, id: Uint8Array, uri: string): Promise<Uint8Array> {
    const { view } = call.facts;
    const addressed = this.#hub.addressed(view, uri);
    const local = addressed?.local ?? uri;
    const wanted = this.#hub.backendsOf(view).some((backend) => this.#isWanted(backend, call.session, local));
    return wanted ? resultMessage(id, emptyResult) : (await this.#forwarder.resource(request, call)).reply;
  }

  /** A session is gone: what nobody else wants is given up. */
  release(session: Session): void {
    const isOwn = (backend: Backend): boolean => backend.plan.isolation === "session";
    this.#giveUp(session, [...session.subscriptions.keys()], isOwn);
    if (session.level !== undefined) this.#sendLevels(session);
  }

  /** Another process has subscribed in the place of this one, and the session goes on. */
  giveUp(session: Session): void {
    this.#giveUp(session, openOf(session), () => false);
  }

  #giveUp(session: Session, uris: readonly string[], isLeft: (backend: Backend) => boolean): void {
    for (const exposed of uris) {
      const { backend: name, local } = session.subscriptions.get(exposed) ?? { backend: "", local: "" };
      session.subscriptions.delete(exposed);
      const backend = this.#hub.topology.get(name);
      if (!backend || isLeft(backend) || this.#isWanted(backend, session, local)) continue;
      const link = backend.find(backend.ownerOf(session.facts.principal, session.facts.key))?.link;
      if (link) this.#turns.hold(keyOf(session, exposed), housekeep(link, "resources/unsubscribe", { uri: local }));
    }
  }

  /** Whether any session with the same link still wants it. */
  #isWanted(backend: Backend, { facts }: Session, local: string): boolean {
    const owner = backend.ownerOf(facts.principal, facts.key);
    return this.#hub
      .attached(backend.plan.name, owner)
      .some((session) =>
        [...session.subscriptions.values()].some((held) => held.backend === backend.plan.name && held.local === local),
      );
  }

  /** A resource changed: its subscribers hear of it by the name under which they subscribed, and nobody else. */
  updated(link: Link, notification: Envelope): void {
    const uri = spanText(notification, "params.uri");
    const span = notification.spans["params.uri"];
    const changed = this.#hub.topology.get(link.backend);
    if (uri === undefined || !span || !changed) return;
    for (const session of this.#hub.attached(link.backend, link.owner)) {
      for (const [exposed, { backend, local }] of session.subscriptions) {
        if (backend !== link.backend || !isWithin(uri, local)) continue;
        // A part of a resource that has another address here has one of the same kind.
        const name = exposed === local ? uri : uri === local ? exposed : exposeUri(backend, uri);
        // What may be seen can be less than when it was subscribed to.
        if (!this.#hub.admits(session.facts.view, changed, name, uri)) continue;
        session.outlet.send(
          name === uri ? notification.bytes : splice(notification.bytes, [{ span, bytes: encodeJson(name) }]),
        );
        break;
      }
    }
  }

  setLevel(request: Envelope, session: Session, id: Uint8Array): Uint8Array {
    const level = spanText(request, "params.level");
    if (level === undefined || !logLevels.includes(level)) {
      throw new GatewayError("invalidParams", `params.level must be one of ${logLevels.join(", ")}`);
    }
    void this.relevel(session, level);
    return resultMessage(id, emptyResult);
  }

  /** The client wants to hear of messages from this level on; resolves when the backends of its links know. */
  async relevel(session: Session, level: string): Promise<void> {
    session.level = level;
    this.#sendLevels(session);
    const links = this.#hub
      .backendsOf(session.facts.view)
      .flatMap((backend) => backend.find(this.#hub.ownerOf(backend, session))?.links ?? []);
    await Promise.all(links.flatMap((link) => this.#levels.get(link) ?? []));
  }

  /** The backends of a session hear what its links are to log from now on. */
  #sendLevels(session: Session): void {
    for (const backend of this.#hub.backendsOf(session.facts.view)) {
      const links = backend.find(this.#hub.ownerOf(backend, session))?.links ?? [];
      for (const link of links) this.#sendLevel(link);
    }
  }

  /** A new link knows nothing of what was asked of the one before. */
  restore(link: Link, isLead: boolean): void {
    this.#sendLevel(link);
    if (isLead) for (const uri of this.#hub.subscribedOn(link)) void this.#resubscribe(link, uri);
  }

  /** Changes may not have been heard of. */
  missed(link: Link): void {
    for (const uri of this.#hub.subscribedOn(link)) this.#hint(link, uri);
  }

  async #resubscribe(link: Link, uri: string): Promise<void> {
    if (await housekeep(link, "resources/subscribe", { uri })) this.#hint(link, uri);
  }

  /** What changed while nothing was heard nobody knows: the subscribers are told to look. */
  #hint(link: Link, uri: string): void {
    const scanned = scan(notificationMessage("notifications/resources/updated", { uri }));
    if (scanned.kind === "message") this.updated(link, scanned.envelope);
  }

  /** True where a session wants log messages of this level from the link. */
  wantsLog(session: Session, link: Link, level: string | undefined): boolean {
    if (session.facts.era === "modern") return passesLevel(level, session.level);
    const least = session.level ?? (this.#linkLevel(link) === undefined ? undefined : "info");
    if (least === undefined || level === undefined || !logLevels.includes(level)) return true;
    return logLevels.indexOf(level) >= logLevels.indexOf(least);
  }

  /** The least severe level that any session of the link asked for. */
  #linkLevel(link: Link): string | undefined {
    const asked = this.#hub
      .attached(link.backend, link.owner)
      .flatMap(({ level }) => (level === undefined ? [] : [level]));
    return logLevels.find((level) => asked.includes(level) || this.#raised.get(link) === level);
  }

  /** A modern request wants to hear messages of this level; resolves when the backend knows. */
  async raise(link: Link, level: string): Promise<void> {
    const known = this.#raised.get(link);
    if (known === undefined || logLevels.indexOf(level) < logLevels.indexOf(known)) {
      this.#raised.set(link, level);
      this.#sendLevel(link);
    }
    await this.#levels.get(link);
  }

  /** One after the other: over HTTP the earlier of two requests may arrive last. */
  #sendLevel(link: Link): void {
    const before = this.#levels.get(link) ?? Promise.resolve(undefined);
    this.#levels.set(
      link,
      before.then((told) => this.#tellLevel(link, told)),
    );
  }

  /** Resolves to the level that the backend has been told. */
  async #tellLevel(link: Link, told: string | undefined): Promise<string | undefined> {
    const level = this.#linkLevel(link);
    if (level === undefined || level === told || link.facts?.capabilities["logging"] === undefined) return told;
    return (await housekeep(link, "logging/setLevel", { level })) ? level : told;
  }
}

/** Sessions with the same one share a link. */
function keyOf({ facts }: Session, exposed: string): string {
  return JSON.stringify([facts.principal, facts.view.backend, exposed]);
}

/** 2025-11-25, Resources: an update may name a sub-resource of the one that was subscribed. */
function isWithin(updated: string, subscribed: string): boolean {
  if (updated === subscribed) return true;
  if (!updated.startsWith(subscribed)) return false;
  return subscribed.endsWith("/") || "/?#".includes(updated.charAt(subscribed.length));
}

/** A request of the gateway's own whose answer changes nothing; false where it failed. */
async function housekeep(link: Link, method: string, params: unknown): Promise<boolean> {
  using scope = new Scope(undefined, housekeepingMs);
  try {
    return errorCode(await link.request(method, params, scope)) === undefined;
  } catch {
    return false;
  }
}
