// The other processes of the gateway: what a session needs of them, wherever its requests and its stream have landed.

import type { Bus, Message } from "../cluster/bus.ts";
import { type Envelope, scan, spanValue } from "../core/envelope.ts";
import { principalText, readPrincipal } from "../core/principal-text.ts";
import { notificationMessage } from "../core/rpc.ts";
import type { RateLimit, RateTerms } from "../resilience/rates.ts";
import { SharedRates } from "../cluster/rates.ts";
import { every, Scope, sleep } from "../core/scope.ts";
import { isLater } from "./claim.ts";
import type { Cluster } from "./cluster.ts";
import { legacyCapabilities } from "./greet.ts";
import type { Hub } from "./hub.ts";
import { Listens } from "./listens.ts";
import type { Router } from "./router.ts";
import { type ActiveCall, openOf, type Session } from "./session.ts";

const nodePattern = /^([0-9a-f]{8})-/;
/** The process with the stream of a session answers by then, or the request is answered here. */
const homeMs = 15_000;
/** The end of a session is answered by then, whoever knows of it. */
const endedMs = 1_000;
/** What all should know before a client hears of it is said by then, whoever knows it. */
const knownMs = 2_000;
const nothing = { head: {}, body: new Uint8Array() };
/** What is kept of a session whose stream is open is kept on. */
const refreshMs = 600_000;
/** Clients that lose their stream because the process leaves come back at once, and not all in the same moment. */
const returnMs = 50;
const stepMs = 20;

export class Peers implements Cluster {
  readonly #bus: Bus;
  readonly #hub: Hub;
  readonly #router: Router;
  readonly #listens: Listens;
  readonly #stopRefreshing: () => void;
  /** What is done because a stream came here. */
  readonly #takes = new WeakMap<Session, Promise<void>>();
  /** Sessions that went elsewhere when this process did not listen for them any more; undefined as long as it does. */
  #late: Set<string> | undefined;

  constructor(bus: Bus, hub: Hub, router: Router) {
    this.#bus = bus;
    this.#hub = hub;
    this.#router = router;
    this.#listens = new Listens(bus, hub, router);
    this.#stopRefreshing = every(refreshMs, () => {
      for (const session of hub.sessions.all()) if (session.outlet.connected) this.#listens.refresh(session);
    });
    this.#hear("answer", (session, envelope) => session.asks.answer(envelope) || session.asks.progress(envelope));
    this.#hear("cancel", (session, envelope) => session.cancel(envelope));
    this.#hear("broadcast", (session, envelope) => this.#router.broadcast(session, envelope));
    bus.on("outlet", ({ head, body }) => this.#sessionOf(head)?.outlet.send(body));
    bus.answer("ended", async ({ head }) => {
      hub.sessions.bury(String(head["key"]));
      return Promise.resolve(nothing);
    });
    bus.on("home", (message) => this.#moved(message));
    bus.on("left", ({ head }) => {
      const session = this.#sessionOf(head);
      if (session?.outlet.connected) this.took(session, undefined);
    });
    bus.answer("changed", async ({ head }) => {
      const [name, owner, member] = [String(head["backend"]), String(head["owner"]), String(head["member"])];
      // Where the backend does not tell this process, the others do.
      const isUntold = this.isSplit(name) || hub.topology.get(name)?.find(owner)?.link?.hears === false;
      await router.listings.changedElsewhere(name, owner, member, isUntold);
      return nothing;
    });
    bus.on("closed", ({ head }) => this.#leaveAlone(head));
    bus.on("missed", ({ head }) => {
      const session = this.#sessionOf(head);
      // Not before it listens here to what it listened to there.
      if (session) void this.#takes.get(session)?.then(() => this.#hint(session));
    });
    bus.answer("request", async ({ head, body }) => await this.#answer(head, body));
  }

  get node(): string {
    return this.#bus.node;
  }

  created(session: Session): void {
    session.outlet.elsewhere = (message) => this.#send(session, message);
    session.outlet.left = () => this.left(session);
  }

  joins(session: Session): void {
    this.created(session);
    const joining = this.#listens.read(session).then((goesOn) => {
      session.joining = undefined;
      if (!goesOn) this.#hub.sessions.bury(session.facts.key);
      return goesOn;
    });
    session.joining = joining;
  }

  async ended(session: Session): Promise<void> {
    using scope = new Scope(undefined, endedMs);
    await Promise.all([this.#listens.ended(session), this.#bus.askAll("ended", keyOf(session), scope)]);
  }

  handOn(session: Session, message: Envelope): void {
    const id = message.kind === "response" ? spanValue(message, "id") : spanValue(message, "params.progressToken");
    const node = nodePattern.exec(String(id))?.[1];
    if (node !== undefined && node !== this.node) void this.#bus.tell(node, "answer", keyOf(session), message.bytes);
  }

  cancel(session: Session, notice: Envelope): void {
    this.#bus.cast("cancel", keyOf(session), notice.bytes);
  }

  broadcast(session: Session, notice: Envelope): void {
    this.#bus.cast("broadcast", keyOf(session), notice.bytes);
  }

  took(session: Session, lastEventId: string | undefined): void {
    session.home = undefined;
    this.#router.prepare(session);
    this.#takes.set(session, this.#take(session, lastEventId));
  }

  left(session: Session): void {
    session.departures += 1;
    this.#bus.cast("left", keyOf(session));
  }

  atHome(request: Envelope, call: ActiveCall): Promise<Uint8Array> | undefined {
    const { home } = call.session;
    return home === undefined ? undefined : this.#ask(home, request, call);
  }

  async noted(session: Session, isLevel: boolean): Promise<void> {
    using scope = new Scope(undefined, knownMs);
    await this.#listens.noted(session, isLevel, scope);
  }

  async changed(backend: string, owner: string, member: string): Promise<void> {
    using scope = new Scope(undefined, knownMs);
    await this.#bus.askAll("changed", { backend, owner, member }, scope);
  }

  isSplit(backend: string): boolean {
    return this.#hub.topology.get(backend)?.plan.replicas.some(({ kind }) => kind === "stdio") === true;
  }

  closed(backend: string, replica: number | undefined, until: number): void {
    this.#bus.cast("closed", { backend, ...(replica === undefined ? {} : { replica }), until });
  }

  ratesOf(name: string, terms: RateTerms): RateLimit {
    const { calls, perMs } = terms;
    // Whose calls they are is nobody's business but the gateway's; another rate is another bucket.
    const nameOf = (key: string): string =>
      `rate:${this.#hub.sealer.signs("rate", JSON.stringify([name, calls, perMs, key]))[0] ?? ""}`;
    return new SharedRates(this.#bus.wire, terms, nameOf);
  }

  async add(name: string, amount: number, ttlMs: number): Promise<number> {
    return await this.#bus.wire.add(`count:${this.#hub.sealer.signs("count", name)[0] ?? ""}`, amount, ttlMs);
  }

  /**
   * Asks the clients whose streams are here to come back, to other processes; resolves when they have, and listen there to
   * what they listened to here, or the scope ends: then those who come late are told to look.
   */
  async leave(scope: Scope): Promise<void> {
    const leaving = [...this.#hub.sessions.all()].filter(
      ({ facts, outlet, home }) => facts.key !== "" && (outlet.connected || home !== undefined),
    );
    for (const { outlet } of leaving) if (outlet.connected) outlet.pause?.(returnMs);
    // A stream of a modern client ends with a word that says so, and the client asks for another one.
    for (const session of [...this.#hub.sessions.all()]) if (session.facts.key === "") session.close();
    const isAt = (session: Session): boolean =>
      (session.home !== undefined && openOf(session).length === 0) ||
      this.#hub.sessions.find(session.facts.key) === undefined;
    while (!leaving.every(isAt) && !scope.cancelled) await sleep(stepMs, scope).catch(() => {});
    this.#late = new Set();
    for (const session of leaving)
      if (session.home !== undefined && !isAt(session)) this.#missed(session.home, session.facts.key);
  }

  #missed(home: string, key: string): void {
    if (!this.#late || this.#late.has(key)) return;
    this.#late.add(key);
    void this.#bus.tell(home, "missed", { key });
  }

  close(): void {
    this.#stopRefreshing();
  }

  /** Messages about a session, which this process may have. */
  #hear(topic: string, hear: (session: Session, envelope: Envelope) => unknown): void {
    this.#bus.on(topic, ({ head, body }) => {
      const session = this.#sessionOf(head);
      const scanned = session && scan(body);
      if (session && scanned?.kind === "message") hear(session, scanned.envelope);
    });
  }

  #sessionOf(head: Message["head"]): Session | undefined {
    return this.#hub.sessions.find(String(head["key"]));
  }

  /** A message of a session whose stream is elsewhere; false where it is to be kept here. */
  #send(session: Session, message: Uint8Array): boolean {
    const { home } = session;
    if (home === undefined) return false;
    void this.#bus.tell(home, "outlet", keyOf(session), message).then((isThere) => {
      if (isThere) return;
      // That process is gone: the client will come back to another one.
      if (session.home === home) session.home = undefined;
      session.outlet.send(message);
    });
    return true;
  }

  async #take(session: Session, lastEventId: string | undefined): Promise<void> {
    const { departures } = session;
    const { last, found } = await this.#listens.before(session);
    // The client has come and gone meanwhile: who has its stream by now has said so.
    if (session.departures !== departures && !session.outlet.connected) return;
    const turn = Math.max(last.turn, session.claim.turn) + 1;
    session.claim = { turn, node: this.node };
    session.home = undefined;
    this.#listens.claim(session);
    const head = { ...keyOf(session), turn, ...(lastEventId === undefined ? {} : { last: lastEventId }) };
    const named = lastEventId?.slice(0, this.node.length);
    const nodes = new Set([...found.keys(), ...(named === undefined ? [] : [named])]);
    nodes.delete(this.node);
    const there = await Promise.all([...nodes].map((node) => this.#bus.tell(node, "home", head)));
    this.#bus.cast("home", head);
    await this.#listens.open(session, found.values());
    // Another process has taken it meanwhile.
    if (session.home !== undefined) return this.#listens.handOver(session);
    this.#bus.cast("listens", keyOf(session));
    // What a process that is gone had for the client is lost: it is told to look at everything again.
    if (there.includes(false)) this.#hint(session);
  }

  #hint(session: Session): void {
    const { outlet, subscriptions, facts } = session;
    const offered = legacyCapabilities(this.#hub, facts.view);
    for (const member of ["tools", "prompts", "resources"])
      if (offered[member] !== undefined) outlet.send(notificationMessage(`notifications/${member}/list_changed`));
    for (const uri of subscriptions.keys())
      outlet.send(notificationMessage("notifications/resources/updated", { uri }));
  }

  /** The stream of a session is at another process now: so are its messages, and what it listens to. */
  #moved({ from, head }: Message): void {
    this.#missed(from, String(head["key"]));
    const session = this.#sessionOf(head);
    const claim = { turn: Number(head["turn"]), node: from };
    // Two that take it at the same time hear of each other: both have to see the same one as the last.
    if (!session || !isLater(claim, session.claim)) return;
    session.claim = claim;
    session.home = from;
    const last = head["last"];
    for (const message of session.outlet.surrender?.(typeof last === "string" ? last : undefined) ?? [])
      this.#send(session, message);
    this.#listens.handOver(session);
  }

  async #ask(home: string, request: Envelope, call: ActiveCall): Promise<Uint8Array> {
    const { session, who, scope: outer } = call;
    using scope = new Scope(outer, homeMs);
    const head = { ...keyOf(session), who: principalText(who) };
    const reply = await this.#bus.ask(home, "request", head, request.bytes, scope);
    outer.throwIfCancelled();
    const backend = reply?.head["backend"];
    if (typeof backend === "string") call.flight.backend = backend;
    if (reply) return reply.body;
    if (session.home === home) session.home = undefined;
    return new Uint8Array();
  }

  async #answer(head: Message["head"], body: Uint8Array): Promise<Pick<Message, "head" | "body">> {
    const session = this.#sessionOf(head);
    const scanned = scan(body);
    const who = readPrincipal(head["who"]);
    const view = session && this.#hub.seenBy(session.facts.view, who);
    if (!view || who.id !== session.facts.principal || scanned.kind !== "message") return nothing;
    using scope = new Scope(undefined, homeMs);
    const handed = { who, facts: { ...session.facts, view }, backend: "" };
    const reply = await this.#router.request(session, scanned.envelope, scope, { deliver: () => {} }, handed);
    return { head: { backend: handed.backend }, body: reply ?? nothing.body };
  }

  #leaveAlone({ backend: name, replica, until }: Message["head"]): void {
    const backend = this.#hub.topology.get(String(name));
    backend?.policies.leaveAlone(typeof replica === "number" ? replica : undefined, Number(until));
  }
}

function keyOf({ facts }: Session): { readonly key: string } {
  return { key: facts.key };
}
