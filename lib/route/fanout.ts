// One listing out of many: all backends of a view are asked at once, and each that cannot answer is named.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import type { Envelope } from "../core/envelope.ts";
import { spanBytes } from "../core/envelope.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import { required } from "../core/required.ts";
import { Rooms } from "../core/room.ts";
import { Scope } from "../core/scope.ts";
import { encodeText } from "../core/text.ts";
import { kinds, kindsOf } from "../merge/catalog.ts";
import { Cursors } from "../merge/cursor.ts";
import { Indexes } from "../merge/indexes.ts";
import type { Found as FoundItem, Index } from "../merge/merged.ts";
import { isShortened, splitName, type View } from "../merge/names.ts";
import { ToolParams } from "../merge/params.ts";
import { localOf } from "../merge/section.ts";
import type { ParamHeader } from "../protocol/modern-params.ts";
import { cutPage, walkStart } from "../merge/page.ts";
import type { Slab } from "../merge/slab.ts";
import { agedCache, type CacheHint, mergeCache } from "../protocol/modern-cache.ts";
import { type ResultExtras, writeListing } from "./answer.ts";
import { Collisions } from "./collisions.ts";
import { Announcer } from "./announcer.ts";
import type { Hub } from "./hub.ts";
import { cursorOf, pageSizeOf } from "./paging.ts";
import type { Session, Viewer } from "./session.ts";
import type { Shelf, Snapshot } from "./shelf.ts";
import { type Shortfall as ShelfShortfall, Shelves } from "./shelves.ts";

/** A backend whose items are missing from a listing, or may be out of date. */
export interface Shortfall extends ShelfShortfall {
  readonly backend: string;
}

/** What one backend has for a listing. */
interface Part {
  readonly slab: Slab | undefined;
  readonly cache: CacheHint;
  readonly shortfall: Shortfall | undefined;
}

interface Merged {
  readonly index: Index;
  readonly partial: readonly Shortfall[];
  /** How long all of it stays fresh, and for whom. */
  readonly cache: CacheHint;
}

export interface Found {
  readonly item: FoundItem | undefined;
  readonly partial: readonly Shortfall[];
  readonly index: Index;
}

export interface ListingOptions {
  /** Query of the endpoint. */
  readonly query?: string;
  readonly extras?: (cache: CacheHint) => ResultExtras;
}

export class Listings {
  readonly #hub: Hub;
  readonly #announcer: Announcer;
  readonly shelves: Shelves;
  readonly collisions: Collisions;
  readonly #indexes: Indexes;
  readonly #cursors: Cursors;
  /** Memory of pages, which the front gives back when they are sent. */
  readonly #rooms = new Rooms();
  readonly #params = new ToolParams();

  constructor(hub: Hub) {
    this.#hub = hub;
    this.#announcer = new Announcer(hub);
    this.collisions = new Collisions(hub.observer);
    this.#indexes = new Indexes((kind, index, view) => this.collisions.merged(kind, index, view));
    this.shelves = new Shelves(hub, this.#announcer, (slab) => this.#indexes.drop(slab));
    this.#cursors = new Cursors(hub.sealer);
  }

  connected(backend: Backend, link: Link): void {
    this.shelves.connected(backend, link);
  }

  stale(backend: Backend, link: Link, member: string): void {
    const shelf = this.shelves.of(backend, link.owner);
    for (const kind of kindsOf(member)) shelf.told(link, kind);
  }

  async changedElsewhere(backend: string, owner: string, member: string, isUntold: boolean): Promise<void> {
    await this.shelves.reread(backend, owner, member);
    if (isUntold) this.#announcer.changedHere(backend, owner, member);
  }

  forget(backend: Backend): void {
    this.shelves.forget(backend);
  }

  /** A session is over: what was read for it alone goes with it. */
  release(session: Session): void {
    // What a listen stream of a modern client sees is its principal's.
    if (session.facts.key === "") return;
    for (const backend of this.shelves.backends())
      if (backend.plan.isolation === "session") this.shelves.release(backend, this.#hub.ownerOf(backend, session));
  }

  close(): void {
    this.shelves.close();
  }

  /** The set of backends has changed. */
  announceAll(): void {
    for (const member of ["tools", "prompts", "resources"]) this.#announcer.changedAll(member);
  }

  /** What is wrong with the listings of a backend, for any owner. */
  shortfalls(backend: Backend): ReturnType<Shelves["shortfalls"]> {
    return this.shelves.shortfalls(backend);
  }

  /**
   * Answers a listing request with a page: of the size that the config or the query says, behind the request's cursor.
   * Rejects with `cursorRefused` for one that is not of this kind, view and principal.
   */
  async reply(
    request: Envelope,
    viewer: Viewer,
    kind: ListingKind,
    scope: Scope,
    { query = "", extras = () => ({}) }: ListingOptions = {},
  ): Promise<Uint8Array> {
    const { view, principal } = viewer.facts;
    const size = pageSizeOf(this.#hub.plan.pagination, query);
    const cursor = cursorOf(request);
    const use = { kind, view: view.backend, principal };
    const walk = cursor === undefined ? walkStart : this.#cursors.open(use, cursor);
    const { index, partial, cache } = await this.#merge(viewer, kind, scope, cursor !== undefined);
    const isShort = kind === "tools" && this.#hub.searches(view);
    const cut = cutPage(isShort ? required(this.#hub.finder).sections() : index.sections, walk, size);
    const answer = {
      id: spanBytes(request, "id") ?? encodeText("null"),
      member: kinds[kind].member,
      cut,
      nextCursor: cut.next && this.#cursors.seal(use, cut.next),
      partial,
      extras: extras(cache),
    };
    return writeListing(answer, this.#rooms);
  }

  /** The merged listing of a view; waits for backends that are starting, all at once, no longer than `timeouts.list`. */
  merged(viewer: Viewer, kind: ListingKind, scope: Scope): Promise<Merged> {
    return this.#merge(viewer, kind, scope, false);
  }

  /** The listing as it was read last, for routing: nobody is asked. `read`: the backends of which it says something. */
  #known(viewer: Viewer, kind: ListingKind): { readonly index: Index; readonly read: ReadonlySet<string> } {
    const read = new Set<string>();
    const slabs = this.#hub.backendsOf(viewer.facts.view).flatMap((backend) => {
      const snapshot = this.shelves.find(backend, this.#hub.ownerOf(backend, viewer))?.get(kind);
      if (snapshot && snapshot.readAt > 0) read.add(backend.plan.name);
      return snapshot && !this.shelves.isGone(backend) ? [snapshot.slab] : [];
    });
    return { index: this.#indexOf(viewer, kind, slabs), read };
  }

  /** The item of an exposed name: from what is known where that settles it, else from a new look at every backend. */
  async find(viewer: Viewer, kind: ListingKind, exposed: string, scope: Scope): Promise<Found> {
    const { index, read } = this.#known(viewer, kind);
    const item = index.find(exposed);
    if (item && this.#settles(item, kind, read, viewer.facts.view)) return { item, partial: [], index };
    const merged = await this.merged(viewer, kind, scope);
    return { ...merged, item: merged.index.find(exposed) };
  }

  /** The parameters of a tool that its calls repeat in headers; undefined where nothing is known of the tool. */
  async paramsOf(viewer: Viewer, exposed: string, scope: Scope): Promise<readonly ParamHeader[] | undefined> {
    const { index, read } = this.#known(viewer, "tools");
    const known = this.#paramsIn(index, exposed);
    const { view } = viewer.facts;
    // Where the name says the backend, nobody waits for another one.
    const split = view.naming === "prefix" && !isShortened(exposed) ? splitName(view, exposed) : undefined;
    const isRead = read.size === this.#hub.backendsOf(view).length || (split && read.has(split.backend));
    if (known || isRead === true) return known;
    return this.#paramsIn((await this.merged(viewer, "tools", scope)).index, exposed);
  }

  #paramsIn({ sections }: Index, exposed: string): readonly ParamHeader[] | undefined {
    for (const section of sections) {
      const local = localOf(section, exposed);
      if (local !== undefined) return this.#params.of(section.slab, local);
    }
    return undefined;
  }

  /** False where a backend that would win the name was never read. */
  #settles(item: FoundItem, kind: ListingKind, read: ReadonlySet<string>, view: View): boolean {
    if (view.naming === "prefix" && kinds[kind].key === "name") return true;
    for (const name of this.#hub.plan.priority) {
      if (name === item.backend) return true;
      if (this.#hub.backendIn(view, name) && !read.has(name)) return false;
    }
    return true;
  }

  /** `goesOn`: of a walk that has begun, in which nobody is asked again who has answered. */
  async #merge(viewer: Viewer, kind: ListingKind, scope: Scope, goesOn: boolean): Promise<Merged> {
    const backends = this.#hub.backendsOf(viewer.facts.view);
    const ready = backends.map((backend) => this.#ready(backend, viewer, kind, goesOn));
    const parts = await Promise.all(
      backends.map(async (backend, at) => ready[at] ?? (await this.#ask(backend, viewer, kind, scope))),
    );
    const slabs = parts.flatMap(({ slab }) => slab ?? []);
    const cache = mergeCache(parts.map((part) => part.cache));
    return {
      index: this.#indexOf(viewer, kind, slabs),
      partial: parts.flatMap(({ shortfall }) => shortfall ?? []),
      // What a policy leaves of a public listing is for whom it was left.
      cache: viewer.facts.view.grants ? { ...cache, cacheScope: "private" } : cache,
    };
  }

  /** What a backend has where nobody needs to wait for it, as it mostly is. */
  #ready(backend: Backend, viewer: Viewer, kind: ListingKind, goesOn: boolean): Part | undefined {
    const uplink = this.#hub.uplinkOf(backend, viewer);
    const shelf = this.shelves.of(backend, uplink.owner);
    const snapshot = shelf.get(kind);
    if (!uplink.link || !snapshot || (!goesOn && shelf.needsReading(uplink.link, kind))) return undefined;
    return this.#part(backend, shelf, kind, undefined);
  }

  async #ask(backend: Backend, viewer: Viewer, kind: ListingKind, outer: Scope): Promise<Part> {
    const uplink = this.#hub.uplinkOf(backend, viewer);
    const shelf = this.shelves.of(backend, uplink.owner);
    const { state } = uplink;
    // A backend that began to start, or to list, long ago has used up its time: hung ones must not add up over requests.
    const isStarting = state.kind === "connecting";
    const since = isStarting ? state.since : (shelf.readingSince(kind) ?? Date.now());
    const late = (): GatewayError => this.#late(backend, kind, isStarting);
    using scope = new Scope(outer, Math.max(0, since + this.#hub.plan.timeouts.listMs - Date.now()), late);
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
      const downSince = uplink.state.kind === "down" ? uplink.state.since : since;
      return this.#part(backend, shelf, kind, { error: asGatewayError(error), since: downSince });
    }
    return this.#part(backend, shelf, kind, undefined);
  }

  #late({ plan: { name } }: Backend, kind: ListingKind, isStarting: boolean): GatewayError {
    const context = { backend: name };
    if (isStarting) return new GatewayError("connectTimeout", `backend "${name}" is still starting`, context);
    const { listMs } = this.#hub.plan.timeouts;
    const text = `${kinds[kind].method} of backend "${name}" was not complete after ${listMs} ms`;
    return new GatewayError("listingLate", text, context);
  }

  #part(
    backend: Backend,
    shelf: Shelf,
    kind: ListingKind,
    failure: { readonly error: GatewayError; readonly since: number } | undefined,
  ): Part {
    const snapshot = shelf.get(kind);
    const trouble = failure ?? snapshot?.trouble;
    if (!trouble) return { slab: snapshot?.slab, cache: cacheOf(backend, snapshot), shortfall: undefined };
    return {
      slab: this.shelves.isGone(backend) ? undefined : snapshot?.slab,
      cache: { ...cacheOf(backend, snapshot), ttlMs: 0 },
      shortfall: { backend: backend.plan.name, ...this.shelves.describe(backend, shelf, kind, trouble) },
    };
  }

  #indexOf({ facts }: Viewer, kind: ListingKind, slabs: readonly Slab[]): Index {
    return this.#indexes.of(
      kind,
      slabs,
      facts.view,
      this.#hub.plan.priority,
      facts.era,
      this.#hub.filterOf(facts.view),
    );
  }
}

/** A backend that says nothing of caching is fresh as long as the operator says, for its own clients. */
function cacheOf({ plan }: Backend, snapshot: Snapshot | undefined): CacheHint {
  const hint = snapshot?.hint ?? { ttlMs: plan.ttlMs, cacheScope: "private" };
  return agedCache(hint, Date.now() - (snapshot?.readAt ?? 0));
}
