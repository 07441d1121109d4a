// Listings: asks all backends of a view at the same time, merges what they have, and names those that failed.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import { notificationMessage } from "../core/rpc.ts";
import { after, Scope } from "../core/scope.ts";
import { encodeJson, encodeText, joinBytes } from "../core/text.ts";
import { buildIndex, type Index, type Item, kinds, listingKinds, type Source } from "../merge/catalog.ts";
import type { View } from "../merge/names.ts";
import type { Hub } from "./hub.ts";
import type { Session } from "./session.ts";
import { Shelf } from "./shelf.ts";

/** A backend whose items are missing from a listing, or may be out of date. */
export interface Shortfall {
  readonly backend: string;
  readonly state: "missing" | "stale";
  readonly code: string;
  readonly message: string;
  /** When the items were last known, ISO 8601; absent where they never were. */
  readonly since?: string;
}

export interface Merged {
  readonly index: Index;
  readonly partial: readonly Shortfall[];
}

/** What the snapshots say, and which backends they are of. */
export interface Known {
  readonly index: Index;
  readonly read: ReadonlySet<string>;
}

export interface Found {
  readonly item: Item | undefined;
  readonly partial: readonly Shortfall[];
}

/** Changes within this time reach a client as one notification. */
const debounceMs = 50;
/** Merged listings that are kept ready; those asked for longest ago go first. */
const maxCached = 200;
const noItems: readonly Item[] = [];
/** The items of a backend that is down leave the listing after this time. */
const graceMs = 300_000;

interface CachedIndex {
  readonly parts: readonly unknown[];
  readonly index: Index;
}

export class Listings {
  readonly #hub: Hub;
  readonly #shelves = new Map<Backend, Map<string, Shelf>>();
  readonly #cache = new Map<string, CachedIndex>();
  readonly #pending = new Map<Session, Set<string>>();

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** A link came up: its listings are read, and clients hear of what is new. */
  connected(backend: Backend, link: Link): void {
    const shelf = this.#shelf(backend, link.owner);
    for (const kind of listingKinds) void shelf.refresh(link, kind, true);
  }

  /** The backend said that a listing changed. */
  stale(backend: Backend, link: Link, member: string): void {
    const shelf = this.#shelf(backend, link.owner);
    for (const kind of listingKinds) if (kinds[kind].capability === member) void shelf.refresh(link, kind, true);
  }

  forget(backend: Backend): void {
    this.#shelves.delete(backend);
  }

  /** A session is over: what was read for it alone goes with it. */
  release(session: Session): void {
    for (const [backend, shelves] of this.#shelves) {
      if (backend.plan.isolation === "session") shelves.delete(this.#hub.ownerOf(backend, session));
    }
  }

  /** The merged listing of a session's view; waits for backends that are starting, all at once, no longer than `list`. */
  async merged(session: Session, kind: ListingKind, outer: Scope): Promise<Merged> {
    const { view } = session.facts;
    const backends = this.#hub.backendsOf(view);
    const found = await Promise.all(backends.map((backend) => this.#source(backend, session, kind, outer)));
    const sources = found.map(({ source }) => source);
    const partial = found.flatMap(({ shortfall }) => (shortfall ? [shortfall] : []));
    return { index: this.#index(session, kind, sources, view), partial };
  }

  /** The listing as it was read last, for routing: nobody is asked. */
  known(session: Session, kind: ListingKind): Known {
    const { view } = session.facts;
    const read = new Set<string>();
    const sources = this.#hub.backendsOf(view).map((backend): Source => {
      const snapshot = this.#shelves.get(backend)?.get(this.#hub.ownerOf(backend, session))?.get(kind);
      if (snapshot && snapshot.readAt > 0) read.add(backend.plan.name);
      return { backend: backend.plan.name, items: snapshot && !isGone(backend) ? snapshot.items : noItems };
    });
    return { index: this.#index(session, kind, sources, view), read };
  }

  /** The item of an exposed name: from what is known where that settles it, else from a new look at every backend. */
  async find(session: Session, kind: ListingKind, exposed: string, scope: Scope): Promise<Found> {
    const { index, read } = this.known(session, kind);
    const item = index.find(exposed);
    if (item && this.#settles(item, read, session.facts.view)) return { item, partial: [] };
    const { index: merged, partial } = await this.merged(session, kind, scope);
    return { item: merged.find(exposed), partial };
  }

  /** False where a backend that would win the name was never read. */
  #settles(item: Item, read: ReadonlySet<string>, view: View): boolean {
    for (const name of this.#hub.plan.priority) {
      if (name === item.backend) return true;
      if (this.#hub.backendIn(view, name) && !read.has(name)) return false;
    }
    return true;
  }

  /** The listing's result as a client gets it. */
  async result(session: Session, kind: ListingKind, scope: Scope): Promise<Uint8Array> {
    const { index, partial } = await this.merged(session, kind, scope);
    const open = encodeText(`{"${kinds[kind].member}":`);
    if (partial.length === 0) return joinBytes([open, index.array, encodeText("}")]);
    const meta = encodeJson({ "mcpctl/partial": partial });
    return joinBytes([open, index.array, encodeText(',"_meta":'), meta, encodeText("}")]);
  }

  /** Clients of a view learn that listings may have changed. */
  announce(sessions: Iterable<Session>, member: string): void {
    for (const session of sessions) {
      const members = this.#pending.get(session);
      if (members) members.add(member);
      else {
        this.#pending.set(session, new Set([member]));
        after(debounceMs, () => this.#flush(session));
      }
    }
  }

  #flush(session: Session): void {
    const members = this.#pending.get(session) ?? [];
    this.#pending.delete(session);
    for (const member of members) session.outlet.send(notificationMessage(`notifications/${member}/list_changed`));
  }

  #shelf(backend: Backend, owner: string): Shelf {
    const shelves = this.#shelves.get(backend) ?? new Map<string, Shelf>();
    this.#shelves.set(backend, shelves);
    const known = shelves.get(owner);
    if (known) return known;
    const changed = (kind: ListingKind): void => {
      this.announce(this.#hub.attached(backend.plan.name, owner), kinds[kind].capability);
    };
    const shelf = new Shelf(backend, () => this.#hub.plan.limits, changed);
    shelves.set(owner, shelf);
    return shelf;
  }

  async #source(
    backend: Backend,
    session: Session,
    kind: ListingKind,
    outer: Scope,
  ): Promise<{ readonly source: Source; readonly shortfall: Shortfall | undefined }> {
    const uplink = this.#hub.uplinkOf(backend, session);
    const shelf = this.#shelf(backend, uplink.owner);
    let failure: GatewayError | undefined;
    const { listMs } = this.#hub.plan.timeouts;
    const slow = (): GatewayError =>
      new GatewayError("connectTimeout", `backend "${backend.plan.name}" is still starting`, {
        backend: backend.plan.name,
      });
    // A backend that began to start, or to list, long ago has used up its time: hung ones must not add up over requests.
    const started = uplink.state.kind === "connecting" ? uplink.state.since : (shelf.readingSince(kind) ?? Date.now());
    using scope = new Scope(outer, Math.max(0, started + listMs - Date.now()), slow);
    try {
      for (let left = 2; left > 0; left -= 1) {
        if (uplink.state.kind === "down") throw uplink.state.error;
        const link = await uplink.acquire(scope);
        if (shelf.needsReading(link, kind)) await scope.race(shelf.refresh(link, kind, false));
        // A link that ended meanwhile (a lost session) says nothing of the backend; the next one does.
        if (link.usable) break;
      }
    } catch (error) {
      if (outer.cancelled) throw error;
      failure = asGatewayError(error);
    }
    return this.#report(backend, shelf, kind, failure);
  }

  #report(
    backend: Backend,
    shelf: Shelf,
    kind: ListingKind,
    failure: GatewayError | undefined,
  ): { readonly source: Source; readonly shortfall: Shortfall | undefined } {
    const { name } = backend.plan;
    const snapshot = shelf.get(kind);
    const error = failure ?? snapshot?.error;
    const gone = error !== undefined && isGone(backend);
    const items = gone ? noItems : (snapshot?.items ?? noItems);
    if (!error) return { source: { backend: name, items }, shortfall: undefined };
    const shortfall: Shortfall = {
      backend: name,
      state: snapshot && snapshot.readAt > 0 && !gone ? "stale" : "missing",
      code: error.row.id,
      message: error.message,
      ...(snapshot && snapshot.readAt > 0 ? { since: new Date(snapshot.readAt).toISOString() } : {}),
    };
    return { source: { backend: name, items }, shortfall };
  }

  /** Built again only when a snapshot, the topology or the priority changed. */
  #index(session: Session, kind: ListingKind, sources: readonly Source[], view: View): Index {
    const { priority } = this.#hub.plan;
    const owners = this.#hub.backendsOf(view).map((backend) => this.#hub.ownerOf(backend, session));
    const { era } = session.facts;
    const key = JSON.stringify([kind, era, view.backend, view.naming, view.separator, ...new Set(owners)]);
    const parts: unknown[] = [priority, ...sources.map(({ items }) => items)];
    const cached = this.#cache.get(key);
    if (cached && cached.parts.length === parts.length && cached.parts.every((part, at) => part === parts[at]))
      return cached.index;
    const index = buildIndex(kind, sources, view, priority, era);
    if (index.collisions.length > 0) {
      const names = index.collisions.slice(0, 5).join(", ");
      this.#hub.observer.log(
        "warn",
        "gateway",
        `${index.collisions.length} ${kind} are hidden by others of the same name: ${names}`,
      );
    }
    this.#cache.delete(key);
    this.#cache.set(key, { parts, index });
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > maxCached && oldest !== undefined) this.#cache.delete(oldest);
    return index;
  }
}

/** Down for so long that its items have left the listing. */
function isGone({ state }: Backend): boolean {
  return state.kind === "down" && Date.now() - state.since > graceMs;
}
