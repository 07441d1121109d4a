// What a session listens to, kept where all processes can read it: it goes on when the one that knew it is gone.

import type { Bus } from "../cluster/bus.ts";
import { Scope } from "../core/scope.ts";
import { asRecord, decodeText, encodeJson } from "../core/text.ts";
import { type Claim, isLater, unclaimed } from "./claim.ts";
import type { Hub } from "./hub.ts";
import type { Router } from "./router.ts";
import { openOf, type Session } from "./session.ts";

const purpose = "listens";
/** A resource whose backend does not answer by then is not listened to. */
const openMs = 10_000;
const prefix = "listens:";
/** The turn in which a process took the stream. */
const homePrefix = "home:";

/** What one process has subscribed to for a session. */
interface Listening {
  readonly uris: readonly string[];
}

const key = ({ facts }: Session): string => `session:${facts.key}`;

export class Listens {
  readonly #bus: Bus;
  readonly #hub: Hub;
  readonly #router: Router;
  /** Sessions of which something is kept. */
  readonly #kept = new WeakSet<Session>();
  readonly #opening = new WeakMap<Session, Promise<void>>();

  constructor(bus: Bus, hub: Hub, router: Router) {
    this.#bus = bus;
    this.#hub = hub;
    this.#router = router;
    bus.on("listens", ({ head, from }) => {
      const session = hub.sessions.find(String(head["key"]));
      const { uris } = head;
      if (!session) return;
      if (Array.isArray(uris)) void this.#adopt(session, uris.map(String), from);
      else if (session.home === from) this.#release(session);
    });
    bus.answer("level", async ({ head }) => {
      const session = hub.sessions.find(String(head["key"]));
      if (session) await router.subscriptions.relevel(session, String(head["level"]));
      return { head: {}, body: new Uint8Array() };
    });
  }

  /** What is known of a session that this process did not have; resolves to whether it goes on. */
  async read(session: Session): Promise<boolean> {
    const fields = await this.#fields(session);
    const { ended, level } = fields;
    if (ended !== undefined) return false;
    const claim = lastClaim(fields);
    // Its stream may have gone elsewhere, or come here, while this was read.
    if (isLater(claim, session.claim) && !session.outlet.connected) {
      session.claim = claim;
      session.home = claim.node === this.#bus.node ? undefined : claim.node;
    }
    if (level !== undefined) session.level ??= level;
    return true;
  }

  /** Its stream is here, and stays. */
  refresh(session: Session): void {
    if (session.facts.key === "") return;
    if (session.home === undefined) this.claim(session);
    if (this.#kept.has(session)) void this.#keep(session);
  }

  async ended(session: Session): Promise<void> {
    await this.#write(session, { ended: "1" });
  }

  /** The subscriptions and the level of a session have changed here. */
  async noted(session: Session, isLevel: boolean, scope: Scope): Promise<void> {
    const uris = [...session.subscriptions.keys()];
    const { level, home } = session;
    if (uris.length === 0 && level === undefined && !this.#kept.has(session)) return;
    // Written before it is told: a process that gets the session in between has it from one of them.
    await this.#keep(session);
    if (isLevel) await this.#bus.askAll("level", { key: session.facts.key, level }, scope);
    // Its stream was opened elsewhere meanwhile.
    if (home !== undefined && uris.length > 0) this.handOver(session);
  }

  /** That the stream is here, where all processes can read it. */
  claim(session: Session): void {
    const { turn, node } = session.claim;
    if (node === this.#bus.node) void this.#write(session, { [homePrefix + node]: String(turn) });
  }

  /** The last claim to the stream until now, and what each process has subscribed to for the session. */
  async before(session: Session): Promise<{ readonly last: Claim; readonly found: ReadonlyMap<string, Listening> }> {
    const fields = await this.#fields(session);
    const found = new Map<string, Listening>();
    for (const [name, sealed] of Object.entries(fields)) {
      const opened = name.startsWith(prefix) ? this.#hub.sealer.open(purpose, sealed) : undefined;
      const { uris } = asRecord(opened && JSON.parse(decodeText(opened)));
      if (Array.isArray(uris)) found.set(name.slice(prefix.length), { uris: uris.map(String) });
    }
    return { last: lastClaim(fields), found };
  }

  /**
   * Listens here to what the session listened to at other processes; resolves when the backends have agreed, to what was
   * asked of them before too.
   */
  async open(session: Session, before: Iterable<Listening>): Promise<void> {
    const opened = (this.#opening.get(session) ?? Promise.resolve()).then(() => this.#open(session, before));
    this.#opening.set(session, opened);
    await opened;
  }

  async #open(session: Session, before: Iterable<Listening>): Promise<void> {
    const uris = new Set([...before].flatMap((each) => each.uris));
    for (const uri of session.subscriptions.keys()) uris.delete(uri);
    if (uris.size === 0) return;
    using scope = new Scope(undefined, openMs);
    await Promise.all([...uris].map((uri) => this.#router.subscriptions.open(session, uri, scope)));
    await this.#keep(session);
  }

  /** The process with the stream subscribes to what this one has; until it has said so, its messages are sent on. */
  handOver(session: Session): void {
    const { home } = session;
    const uris = openOf(session);
    if (home !== undefined && uris.length > 0)
      void this.#bus.tell(home, "listens", { key: session.facts.key, uris }).catch(() => false);
  }

  async #adopt(session: Session, uris: readonly string[], from: string): Promise<void> {
    if (session.home !== undefined) return;
    await this.open(session, [{ uris }]);
    await this.#bus.tell(from, "listens", { key: session.facts.key });
  }

  #release(session: Session): void {
    if (session.subscriptions.size > 0) this.#router.subscriptions.giveUp(session);
    if (this.#kept.has(session)) void this.#bus.wire.erase(key(session), [prefix + this.#bus.node]).catch(() => {});
  }

  async #keep(session: Session): Promise<void> {
    this.#kept.add(session);
    const listening: Listening = { uris: [...session.subscriptions.keys()] };
    const sealed = this.#hub.sealer.seal(purpose, encodeJson(listening));
    const { level } = session;
    await this.#write(session, { [prefix + this.#bus.node]: sealed, ...(level === undefined ? {} : { level }) });
  }

  async #write(session: Session, fields: Readonly<Record<string, string>>): Promise<void> {
    // Until no process has it any more.
    const ttlMs = this.#hub.plan.timeouts.sessionIdleMs * 2;
    await this.#bus.wire.write(key(session), fields, ttlMs).catch(() => {});
  }

  async #fields(session: Session): Promise<Readonly<Record<string, string>>> {
    return await this.#bus.wire.read(key(session)).catch(() => ({}));
  }
}

function lastClaim(fields: Readonly<Record<string, string>>): Claim {
  let last = unclaimed;
  for (const [name, turn] of Object.entries(fields)) {
    const claim = { turn: Number(turn), node: name.slice(homePrefix.length) };
    if (name.startsWith(homePrefix) && isLater(claim, last)) last = claim;
  }
  return last;
}
