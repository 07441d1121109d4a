// subscriptions/listen of modern clients: each stream stands among the sessions, and hears what its filter wants.

import { type Envelope, scan, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { untilExpiry } from "../core/principal.ts";
import { resultMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import { latin1Of } from "../core/text.ts";
import { tasksCapability } from "../protocol/modern.ts";
import {
  acknowledgement,
  closedResult,
  honouredFilter,
  type ListenFilter,
  readListenFilter,
  tagEdits,
  wantsNotification,
} from "../protocol/modern-listen.ts";
import { lackedCapability } from "../protocol/modern-input.ts";
import { missingCapability } from "../protocol/modern-request.ts";
import { infoOf, modernCapabilities, type ServerIdentity } from "./greet.ts";
import type { Hub } from "./hub.ts";
import { idOf, type ModernFacts, sessionOf } from "./modern-call.ts";
import type { Outlet, Port } from "./outlet.ts";
import type { Session } from "./session.ts";
import type { TaskWatch } from "./task-watch.ts";
import type { Subscriptions } from "./subscribe.ts";

/** A resource whose backend does not answer by then is left out of what is honoured. */
const subscribeMs = 5_000;

export class Listeners {
  readonly #hub: Hub;
  readonly #subscriptions: Subscriptions;
  readonly #tasks: TaskWatch;
  readonly #identity: ServerIdentity;

  constructor(hub: Hub, subscriptions: Subscriptions, tasks: TaskWatch, identity: ServerIdentity) {
    this.#hub = hub;
    this.#tasks = tasks;
    this.#subscriptions = subscriptions;
    this.#identity = identity;
  }

  /** Serves one stream; resolves to its last message when the gateway ends it, rejects when the client does. */
  async listen(request: Envelope, facts: ModernFacts, port: Port, own: Scope): Promise<Uint8Array> {
    const asked = readListenFilter(request);
    if (asked instanceof GatewayError) throw asked;
    const lacked = asked.tasks.length > 0 && lackedCapability(facts.capabilities, tasksCapability);
    if (lacked) throw missingCapability(lacked, "listening to tasks");
    const { view } = facts;
    const wanted = honouredFilter(asked, modernCapabilities(this.#hub, view));
    const id = new Uint8Array(idOf(request));
    const outlet = new ListenOutlet(id, port);
    const session = sessionOf(facts, outlet);
    const { sessions, streams } = this.#hub.plan.limits;
    this.#hub.sessions.listen(session, sessions, streams);
    const stopWaiting = untilExpiry(facts.who, () => outlet.close());
    const leave = own.onCancel(() => this.#hub.sessions.end(session));
    try {
      // Links open before something happens: some clients only listen.
      for (const backend of this.#hub.backendsOf(view)) this.#hub.uplinkOf(backend, session);
      const [uris, tasks] = await this.#subscribe(session, wanted, own);
      outlet.open({ ...wanted, uris, tasks });
      await own.race(outlet.closed);
      return resultMessage(id, closedResult(id, infoOf(view, this.#identity)));
    } finally {
      stopWaiting();
      leave();
      this.#hub.sessions.end(session);
    }
  }

  /** Resolves to the resources, and the tasks, that a backend has agreed to. */
  async #subscribe(
    session: Session,
    { uris, tasks }: ListenFilter,
    own: Scope,
  ): Promise<readonly [uris: readonly string[], tasks: readonly string[]]> {
    using patience = new Scope(own, subscribeMs);
    const [agreed, watched] = await Promise.all([
      Promise.all(uris.map((uri) => this.#subscriptions.open(session, uri, patience))),
      Promise.all(tasks.map((task) => this.#tasks.open(session, task, patience))),
    ]);
    own.throwIfCancelled();
    return [uris.filter((_, at) => agreed[at]), tasks.filter((_, at) => watched[at])];
  }
}

/** What is sent to a stream: held until it is open, and by a client that does not read, once each. */
class ListenOutlet implements Outlet {
  readonly connected = true;
  readonly #id: Uint8Array;
  readonly #port: Port;
  readonly #end = Promise.withResolvers<void>();
  /** By their bytes: saying twice that something changed says no more than once. */
  readonly #held = new Map<string, Envelope>();
  #filter: ListenFilter | undefined;
  #isBehind = false;

  constructor(id: Uint8Array, port: Port) {
    this.#id = id;
    this.#port = port;
  }

  get closed(): Promise<void> {
    return this.#end.promise;
  }

  /** The acknowledgement is the first message of a stream. */
  open(honoured: ListenFilter): void {
    this.#filter = honoured;
    this.#port.deliver(acknowledgement(this.#id, honoured));
    this.#flush();
  }

  send(message: Uint8Array): void {
    const scanned = scan(message);
    if (scanned.kind !== "message") return;
    this.#held.set(latin1Of(message, 0, message.length), scanned.envelope);
    if (this.#filter && !this.#isBehind) this.#flush();
  }

  close(): void {
    this.#end.resolve();
  }

  #flush(): void {
    for (const [key, notification] of [...this.#held]) {
      const { congestion } = this.#port;
      if (congestion) return this.#wait(congestion);
      this.#held.delete(key);
      if (this.#wants(notification)) this.#port.deliver(splice(notification.bytes, tagEdits(notification, this.#id)));
    }
  }

  /** A resource by any name under which it was subscribed is looked for elsewhere. */
  #wants(notification: Envelope): boolean {
    if (!this.#filter) return false;
    return notification.method === "notifications/resources/updated" || wantsNotification(this.#filter, notification);
  }

  #wait(congestion: Promise<void>): void {
    this.#isBehind = true;
    void congestion.then(() => {
      this.#isBehind = false;
      this.#flush();
    });
  }
}
