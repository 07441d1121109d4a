// What a session wants to hear of: resource subscriptions and the log level, kept true at the backends.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import { type Envelope, spanText, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { resultMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import { asRecord, decodeText, encodeJson, encodeText } from "../core/text.ts";
import { logLevels } from "../protocol/legacy.ts";
import type { Forwarder } from "./forward.ts";
import type { Hub } from "./hub.ts";
import type { ActiveCall, Session } from "./session.ts";

const emptyResult = encodeText("{}");
/** Housekeeping at a backend must not wait longer. */
const housekeepingMs = 10_000;

export class Subscriptions {
  readonly #hub: Hub;
  readonly #forwarder: Forwarder;

  constructor(hub: Hub, forwarder: Forwarder) {
    this.#hub = hub;
    this.#forwarder = forwarder;
  }

  async subscribe(request: Envelope, call: ActiveCall): Promise<Uint8Array> {
    const { session } = call;
    const exposed = spanText(request, "params.uri") ?? "";
    const { reply, backend, local } = await this.#forwarder.resource(request, call);
    if (asRecord(JSON.parse(decodeText(reply)))["error"] === undefined) {
      session.subscriptions.set(exposed, { backend: backend.plan.name, local });
    }
    return reply;
  }

  /** The backend is told only when no other session of its link still wants the resource. */
  async unsubscribe(request: Envelope, call: ActiveCall, id: Uint8Array): Promise<Uint8Array> {
    const { session } = call;
    const exposed = spanText(request, "params.uri") ?? "";
    const subscription = session.subscriptions.get(exposed);
    session.subscriptions.delete(exposed);
    const backend = subscription && this.#hub.topology.get(subscription.backend);
    if (!subscription || !backend) return (await this.#forwarder.resource(request, call)).reply;
    if (this.#isWanted(backend, session, subscription.local)) return resultMessage(id, emptyResult);
    const span = request.spans["params.uri"];
    const edits = span && exposed !== subscription.local ? [{ span, bytes: encodeJson(subscription.local) }] : [];
    return this.#forwarder.send(request, call, { backend, edits });
  }

  /** A session is gone: what nobody else wants is given up. */
  release(session: Session): void {
    for (const { backend: name, local } of session.subscriptions.values()) {
      const backend = this.#hub.topology.get(name);
      if (!backend || backend.plan.isolation === "session" || this.#isWanted(backend, session, local)) continue;
      const link = backend.find(backend.ownerOf(session.facts.principal, session.facts.key))?.link;
      if (link) housekeep(link, "resources/unsubscribe", { uri: local });
    }
    session.subscriptions.clear();
  }

  #isWanted(backend: Backend, but: Session, local: string): boolean {
    const owner = backend.ownerOf(but.facts.principal, but.facts.key);
    return this.#hub
      .attached(backend.plan.name, owner)
      .some((session) => session !== but && [...session.subscriptions.values()].some((held) => held.backend === backend.plan.name && held.local === local));
  }

  /** A resource changed: its subscribers hear of it by the name under which they subscribed, and nobody else. */
  updated(link: Link, notification: Envelope): void {
    const uri = spanText(notification, "params.uri");
    const span = notification.spans["params.uri"];
    if (uri === undefined || !span) return;
    for (const session of this.#hub.attached(link.backend, link.owner)) {
      for (const [exposed, { backend, local }] of session.subscriptions) {
        if (backend !== link.backend || !isWithin(uri, local)) continue;
        const renamed = exposed !== local && uri === local;
        session.outlet.send(renamed ? splice(notification.bytes, [{ span, bytes: encodeJson(exposed) }]) : notification.bytes);
        break;
      }
    }
  }

  setLevel(request: Envelope, session: Session, id: Uint8Array): Uint8Array {
    const level = spanText(request, "params.level");
    if (level === undefined || !logLevels.includes(level)) {
      throw new GatewayError("invalidParams", `params.level must be one of ${logLevels.join(", ")}`);
    }
    session.level = level;
    for (const backend of this.#hub.backendsOf(session.facts.view)) {
      const link = backend.find(backend.ownerOf(session.facts.principal, session.facts.key))?.link;
      if (link) this.#sendLevel(link);
    }
    return resultMessage(id, emptyResult);
  }

  /** A new link knows nothing of what was asked of the one before. */
  restore(link: Link): void {
    this.#sendLevel(link);
    const uris = new Set<string>();
    for (const session of this.#hub.attached(link.backend, link.owner)) {
      for (const { backend, local } of session.subscriptions.values()) if (backend === link.backend) uris.add(local);
    }
    for (const uri of uris) housekeep(link, "resources/subscribe", { uri });
  }

  /** True where a session wants log messages of this level from the link. */
  wantsLog(session: Session, link: Link, level: string | undefined): boolean {
    const least = session.level ?? (this.#linkLevel(link) === undefined ? undefined : "info");
    if (least === undefined || level === undefined || !logLevels.includes(level)) return true;
    return logLevels.indexOf(level) >= logLevels.indexOf(least);
  }

  /** The least severe level that any session of the link asked for. */
  #linkLevel(link: Link): string | undefined {
    const asked = this.#hub.attached(link.backend, link.owner).flatMap(({ level }) => (level === undefined ? [] : [level]));
    return logLevels.find((level) => asked.includes(level));
  }

  #sendLevel(link: Link): void {
    const level = this.#linkLevel(link);
    if (level !== undefined && link.facts?.capabilities["logging"] !== undefined) housekeep(link, "logging/setLevel", { level });
  }
}

/** 2025-11-25, Resources: an update may name a sub-resource of the one that was subscribed. */
function isWithin(updated: string, subscribed: string): boolean {
  if (updated === subscribed) return true;
  if (!updated.startsWith(subscribed)) return false;
  return subscribed.endsWith("/") || "/?#".includes(updated.charAt(subscribed.length));
}

/** A request of the gateway's own whose answer changes nothing. */
function housekeep(link: Link, method: string, params: unknown): void {
  const scope = new Scope(undefined, housekeepingMs);
  link
    .request(method, params, scope)
    .catch(() => {})
    .finally(() => scope[Symbol.dispose]());
}
