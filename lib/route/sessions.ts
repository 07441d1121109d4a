// All sessions: their ids are sealed facts, so that any gateway with the same keys can go on with a session.

import { GatewayError } from "../core/errors.ts";
import type { SessionId } from "../core/nouns.ts";
import type { Principal } from "../core/principal.ts";
import type { Sealer } from "../core/seal.ts";
import { asRecord, decodeText, encodeJson } from "../core/text.ts";
import type { View } from "../merge/names.ts";
import type { Cluster } from "./cluster.ts";
import type { Outlet } from "./outlet.ts";
import { Session, type SessionFacts } from "./session.ts";
import { TaskOwners } from "./task-owners.ts";

export interface SessionLimits {
  readonly sessions: number;
  readonly idleMs: number;
}

const purpose = "session";
/** An id travels in a header; capabilities beyond this are reduced to those that the gateway acts on. */
const maxCapabilityBytes = 2048;
const actedOn = ["roots", "sampling", "elicitation", "tasks"] as const;
/** Ended sessions that are remembered, so that their sealed ids stay dead. */
const maxEnded = 10_000;

export class Sessions {
  readonly #byKey = new Map<string, Session>();
  /** What each id was opened to: a client sends the same one with every request. */
  readonly #byId = new Map<string, Session>();
  readonly #ended = new Set<string>();
  /** That were made so far. */
  created = 0;
  readonly taskOwners: TaskOwners = new TaskOwners();
  /** What stands for the listen streams of modern clients. */
  readonly #listeners = new Set<Session>();
  readonly #sealer: Sealer;
  readonly #viewOf: (backend: string) => View | undefined;
  readonly #closed: (session: Session) => void;
  /** The other processes of the gateway, where there are any. */
  cluster: Cluster | undefined;

  constructor(sealer: Sealer, viewOf: (backend: string) => View | undefined, closed: (session: Session) => void) {
    this.#sealer = sealer;
    this.#viewOf = viewOf;
    this.#closed = closed;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Those that hear what belongs to no call. */
  *all(): Iterable<Session> {
    yield* this.#byKey.values();
    yield* this.#listeners;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** A modern client listens: until {@link end} it hears what a session would. `each`: the most of one principal. */
  listen(session: Session, limit: number, each: number): void {
    if (this.#listeners.size >= limit)
      throw new GatewayError("tooManySessions", `${limit} streams listen, and there may not be more`);
    const { principal } = session.facts;
    const own = each < limit ? [...this.#listeners].filter(({ facts }) => facts.principal === principal).length : 0;
    if (own >= each)
      throw new GatewayError("tooManyStreams", `${principal} may hold ${each} event streams, and this is one more`);
    this.#listeners.add(session);
  }

  create(facts: Omit<SessionFacts, "key">, outlet: Outlet, limits: SessionLimits): Session {
    this.sweep(limits);
    if (this.#byKey.size >= limits.sessions) {
      throw new GatewayError(
        "tooManySessions",
        `${limits.sessions} sessions are open and in use, and there may not be more`,
      );
    }
    const session = new Session(
      { ...facts, key: crypto.randomUUID(), capabilities: bounded(facts.capabilities) },
      outlet,
      this.cluster?.node,
      this.taskOwners,
    );
    this.#byKey.set(session.facts.key, session);
    this.created += 1;
    this.cluster?.created(session);
    return session;
  }

  /** The id that a client is given; it says who may use it and what was negotiated, sealed. */
  async seal(session: Session): Promise<SessionId> {
    const { key, principal, version, capabilities, client, view } = session.facts;
    const facts = encodeJson([key, principal, version, capabilities, client, view.backend]);
    const id = (await this.#sealer.sealLater(purpose, facts)) as SessionId;
    // Its own ids need not be opened.
    if (this.#byKey.get(key) === session) this.#byId.set((session.id = id), session);
    return id;
  }

  /**
   * The session of an id, for this principal and view; undefined for any other id. A session that this process does not
   * hold (it was idle, or another gateway's) goes on with a new outlet.
   */
  open(id: string, who: Principal, view: View, createOutlet: () => Outlet): Session | undefined {
    const { id: principal } = who;
    const known = this.#byId.get(id);
    if (known && known.facts.principal === principal && known.facts.view.backend === view.backend) {
      known.renew(who, view);
      return known;
    }
    const opened = this.#sealer.open(purpose, id);
    const facts = opened && this.#read(decodeText(opened));
    if (!facts || facts.principal !== principal || facts.view.backend !== view.backend) return undefined;
    if (this.#ended.has(facts.key)) return undefined;
    let session = this.#byKey.get(facts.key);
    if (!session) {
      session = new Session(facts, createOutlet(), this.cluster?.node, this.taskOwners);
      this.#byKey.set(facts.key, session);
      this.cluster?.joins(session);
    }
    // One id a session, so that this map is no larger than the other.
    if (!session.id) this.#byId.set((session.id = id), session);
    session.renew(who, view);
    session.usedAt = Date.now();
    return session;
  }

  /** The session of a key, where this process has it. */
  find(key: string): Session | undefined {
    return this.#byKey.get(key);
  }

  /** A session was ended at another process. */
  bury(key: string): void {
    this.#entomb(key);
    const session = this.#byKey.get(key);
    if (session) this.#forget(session);
  }

  /** The live session that this id was opened to before. */
  at(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  /** Ends a session for good. */
  end(session: Session): void {
    const { key } = session.facts;
    if (this.#listeners.delete(session)) {
      session.close();
      this.#closed(session);
      return;
    }
    this.#entomb(key);
    this.#forget(session);
  }

  #entomb(key: string): void {
    this.#ended.add(key);
    const [oldest] = this.#ended;
    if (this.#ended.size > maxEnded && oldest !== undefined) this.#ended.delete(oldest);
  }

  /** Forgets idle sessions, and those unused for the longest time where there is no room for one more. */
  sweep({ sessions, idleMs }: SessionLimits): void {
    const now = Date.now();
    const idle = [...this.#byKey.values()].filter((session) => session.callCount === 0 && !session.connected);
    for (const session of idle) if (now - session.usedAt > idleMs) this.#forget(session);
    const excess = this.#byKey.size - sessions + 1;
    if (excess <= 0) return;
    const oldest = idle.filter(({ facts }) => this.#byKey.has(facts.key)).sort((a, b) => a.usedAt - b.usedAt);
    for (const session of oldest.slice(0, excess)) this.#forget(session);
  }

  #forget(session: Session): void {
    if (!this.#byKey.delete(session.facts.key)) return;
    this.#byId.delete(session.id);
    session.close();
    this.#closed(session);
  }

  #read(text: string): SessionFacts | undefined {
    const parts: unknown = JSON.parse(text);
    if (!Array.isArray(parts)) return undefined;
    const [key, principal, version, capabilities, client, backend] = parts as readonly unknown[];
    const view = this.#viewOf(String(backend));
    if (!view) return undefined;
    return {
      key: String(key),
      principal: String(principal),
      version: String(version),
      capabilities: asRecord(capabilities),
      client: String(client),
      view,
      era: "legacy",
    };
  }
}

function bounded(capabilities: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (encodeJson(capabilities).length <= maxCapabilityBytes) return capabilities;
  const kept = actedOn.flatMap((name) =>
    capabilities[name] === undefined ? [] : [[name, capabilities[name]] as const],
  );
  const reduced = Object.fromEntries(kept);
  if (encodeJson(reduced).length <= maxCapabilityBytes) return reduced;
  return Object.fromEntries(kept.map(([name]) => [name, {}]));
}
