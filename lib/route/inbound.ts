// What a backend says on its own: brought to the client that caused it, to those that asked for it, or to nobody.

import { type Envelope, spanBytes, spanText, spanValue } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { errorMessage } from "../core/rpc.ts";
import type { Caller, Link } from "../backend/link.ts";
import { modernAsk } from "../protocol/bridge-input.ts";
import { modernCallNotification } from "../protocol/bridge.ts";
import { lackedCapability, neededCapability } from "../protocol/modern-input.ts";
import { missingCapability } from "./asks.ts";
import type { Hub } from "./hub.ts";
import { ActiveCall, type Session } from "./session.ts";
import type { Subscriptions } from "./subscribe.ts";

/** A client that a message is for, and the way to it. */
interface Recipient {
  readonly session: Session;
  readonly deliver: (message: Uint8Array) => void;
  /** The call that it is about, if any. */
  readonly call?: ActiveCall;
}

type Cause =
  | { readonly kind: "known"; readonly recipient: Recipient }
  /** Nobody's call is in flight: it may concern every client of the link. */
  | { readonly kind: "none"; readonly sessions: readonly Session[] }
  /** Several clients' calls are in flight, and the wire does not say whose it is. */
  | { readonly kind: "ambiguous"; readonly clients: number };

export class Inbound {
  readonly #hub: Hub;
  readonly #subscriptions: Subscriptions;
  readonly #warned = new Set<string>();

  constructor(hub: Hub, subscriptions: Subscriptions) {
    this.#hub = hub;
    this.#subscriptions = subscriptions;
  }

  /** A log message: to the client whose call it belongs to; never to another one. */
  log(link: Link, message: Envelope, caller: Caller | undefined): void {
    const level = spanText(message, "params.level");
    const cause = this.#cause(link, caller);
    switch (cause.kind) {
      case "known": {
        const { session, deliver } = cause.recipient;
        if (this.#subscriptions.wantsLog(session, link, level)) deliver(message.bytes);
        return;
      }
      case "none":
        for (const session of cause.sessions) {
          if (this.#subscriptions.wantsLog(session, link, level)) session.outlet.send(message.bytes);
        }
        return;
      case "ambiguous":
        return this.#warnAmbiguous(link, "a log message");
    }
  }

  /** A notification of no kind that the gateway knows. */
  other(link: Link, message: Envelope, caller: Caller | undefined): void {
    const cause = this.#cause(link, caller);
    switch (cause.kind) {
      case "known": {
        const { call, deliver } = cause.recipient;
        const isDropped = call?.era === "modern" && modernCallNotification(message, call.logLevel).kind === "drop";
        return isDropped ? undefined : deliver(message.bytes);
      }
      case "none":
        for (const session of cause.sessions) session.outlet.send(message.bytes);
        return;
      case "ambiguous":
        return this.#warnAmbiguous(link, message.method ?? "a notification");
    }
  }

  /** The backend takes back a request that it sent to a client. */
  cancelled(link: Link, message: Envelope): void {
    for (const session of this.#asked()) if (session.asks.cancel(link, message)) return;
  }

  /** A link is gone, and with it what its backend had asked; also that of a backend that is no part of the topology now. */
  ended(link: Link): void {
    for (const session of this.#asked()) session.asks.drop(link);
  }

  /** Whoever may have been asked something. */
  *#asked(): Iterable<Session> {
    yield* this.#hub.sessions.all();
    yield* this.#hub.parked.sessions();
  }

  elicitationComplete(link: Link, message: Envelope): void {
    const id = spanText(message, "params.elicitationId");
    for (const session of this.#hub.attached(link.backend, link.owner)) {
      if (session.completeElicitation(link.backend, id)) return session.outlet.send(message.bytes);
    }
  }

  taskStatus(link: Link, message: Envelope, caller: Caller | undefined): void {
    const id = spanText(message, "params.taskId");
    const sessions = this.#hub.attached(link.backend, link.owner);
    const owners = sessions.filter((session) => id !== undefined && session.tasks.get(id) === link.backend);
    for (const session of owners) session.outlet.send(message.bytes);
    // A task of nobody that is known here (made before a restart) is the only client's, or nobody's. Of who signs in it is
    // with the stream of a call alone: what comes there is of the task that the call is about to become.
    const { taskOwners } = this.#hub.sessions;
    const isOthers = sessions.some(({ facts: { principal } }) =>
      caller
        ? taskOwners.isForeign(link.backend, id ?? "", principal)
        : !taskOwners.isOwn(link.backend, id ?? "", principal),
    );
    if (owners.length === 0 && !isOthers && (caller || sessions.length <= 1)) this.other(link, message, caller);
  }

  /** Sampling, elicitation, roots: to the client that caused it, if it declared that it can. */
  asked(link: Link, request: Envelope, caller: Caller | undefined): void {
    const cause = this.#cause(link, caller);
    const refuse = (error: GatewayError): void => link.send(errorMessage(spanBytes(request, "id"), error));
    const { backend } = link;
    const method = request.method ?? "the request";
    const recipient =
      cause.kind === "none" ? this.#sole(cause.sessions) : cause.kind === "known" ? cause.recipient : undefined;
    if (!recipient) {
      const clients = cause.kind === "ambiguous" ? cause.clients : cause.kind === "none" ? cause.sessions.length : 1;
      const text =
        clients === 0
          ? `no client is connected that could answer ${method}`
          : `${clients} clients share the link of backend "${backend}" and nothing says which of them ${method} is for; set isolation: session for this backend`;
      return refuse(new GatewayError(clients === 0 ? "clientUnable" : "ambiguousClient", text, { backend }));
    }
    const { call } = recipient;
    if (call?.era === "modern") {
      const error = this.#lacking(call, request, backend);
      if (error) return refuse(error);
    }
    const missing = missingCapability(recipient.session.facts.capabilities, request);
    if (missing !== undefined) {
      return refuse(
        new GatewayError("clientUnable", `the client did not declare ${missing}, which ${method} needs`, { backend }),
      );
    }
    if (spanText(request, "params.mode") === "url")
      recipient.session.expectElicitation(backend, spanText(request, "params.elicitationId"));
    call?.noted(`backend "${backend}" asks the client for ${method}`);
    const deliver = call ? (message: Uint8Array): void => call.ask(message) : recipient.deliver;
    recipient.session.asks.open(link, request, deliver, call);
  }

  /** Why a modern client cannot be asked; what it lacks is what its call may end with. */
  #lacking(call: ActiveCall, request: Envelope, backend: string): GatewayError | undefined {
    const ask = call.canAsk ? modernAsk(request, "") : undefined;
    if (!ask)
      return new GatewayError("clientUnable", `this call cannot ask its client for ${request.method ?? ""}`, {
        backend,
      });
    const lacked = lackedCapability(call.capabilities, neededCapability(ask.method, spanValue(request, "params")));
    if (!lacked) return undefined;
    call.lacked = { ...call.lacked, ...lacked };
    return new GatewayError("clientUnable", `the client did not declare ${JSON.stringify(lacked)}`, { backend });
  }

  #cause(link: Link, caller: Caller | undefined): Cause {
    if (caller) return known(caller);
    const callers = link.calls.callers();
    // A call whose client is away was asked and waits: it is most likely not the one that says something now.
    const active = callers.filter((each) => !(each instanceof ActiveCall && each.isAway));
    const likely = active.length > 0 ? active : callers;
    const [only] = likely;
    if (likely.length > 1) return { kind: "ambiguous", clients: likely.length };
    if (only) return known(only);
    return { kind: "none", sessions: this.#hub.attached(link.backend, link.owner) };
  }

  #sole(sessions: readonly Session[]): Recipient | undefined {
    const [only, ...others] = sessions.filter(({ facts }) => facts.era === "legacy");
    return only && others.length === 0 ? { session: only, deliver: (message) => only.outlet.send(message) } : undefined;
  }

  #warnAmbiguous(link: Link, what: string): void {
    if (this.#warned.has(link.backend)) return;
    this.#warned.add(link.backend);
    const text = `${what} was dropped: several clients share the link and nothing says whose it is; isolation: session keeps them apart`;
    this.#hub.observer.log("warn", `backend ${link.backend}`, text);
  }
}

function known(caller: Caller): Cause {
  if (!(caller instanceof ActiveCall)) return { kind: "none", sessions: [] };
  return {
    kind: "known",
    recipient: { session: caller.session, call: caller, deliver: (message) => caller.deliver(message) },
  };
}
