// All snapshots, by backend and by the owner of the links that they were read on.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import type { GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import { after } from "../core/scope.ts";
import { kinds, kindsOf, listingKinds } from "../merge/catalog.ts";
import { sameSection } from "../merge/section.ts";
import type { Deviation } from "../merge/lock.ts";
import { buildIndex } from "../merge/merged.ts";
import type { View } from "../merge/names.ts";
import { placeOf, sameSlab, type Slab } from "../merge/slab.ts";
import type { Announcer } from "./announcer.ts";
import type { Hub } from "./hub.ts";
import { Shelf } from "./shelf.ts";

/** What is wrong with the items of a backend in a listing. */
export interface Shortfall {
  /** `incomplete`: the listing could never be read to its end. */
  readonly state: "missing" | "stale" | "incomplete";
  readonly code: string;
  readonly message: string;
  /** Since when it is like that, ISO 8601. */
  readonly since: string;
  /** When the items were read that are listed, ISO 8601; absent where they never were. */
  readonly readAt?: string;
}

export interface ListingFigures {
  readonly kind: ListingKind;
  readonly items: number;
  /** When it was read, Unix ms; 0 = never. */
  readonly readAt: number;
  /** The last reading failed, or there is nobody to read from. */
  readonly isStale: boolean;
}

export class Shelves {
  readonly #hub: Hub;
  readonly #announcer: Announcer;
  readonly #dropped: (slab: Slab) => void;
  readonly #shelves = new Map<Backend, Map<string, Shelf>>();
  /** Backends that are down, with what stops the wait for the end of their grace. */
  readonly #leaving = new Map<Backend, () => void>();
  readonly #gone = new Set<Backend>();
  #closed = false;
  /** Hears of what a backend lists to an owner in the place of what it listed before. */
  changed: ((backend: Backend, kind: ListingKind, before: Slab, after: Slab) => void) | undefined;

  /** `dropped` is told of items that nobody lists any more. */
  constructor(hub: Hub, announcer: Announcer, dropped: (slab: Slab) => void) {
    this.#hub = hub;
    this.#announcer = announcer;
    this.#dropped = dropped;
  }

  /** What was read of a backend, and may be old, is read again. */
  async reread(name: string, owner: string, member: string): Promise<void> {
    const backend = this.#hub.topology.get(name);
    const shelf = backend && this.find(backend, owner);
    const link = backend?.find(owner)?.link;
    if (shelf && link) await Promise.all(kindsOf(member).map((kind) => shelf.refresh(link, kind, true)));
  }

  /** A link may not have heard of changes. */
  missed(link: Link): void {
    const backend = this.#hub.topology.get(link.backend);
    if (backend) this.find(backend, link.owner)?.missed(link);
  }

  find(backend: Backend, owner: string): Shelf | undefined {
    return this.#shelves.get(backend)?.get(owner);
  }

  /** A tool as its backend listed it to an owner. */
  tool(backend: Backend, owner: string, name: string): Uint8Array | undefined {
    return this.find(backend, owner)?.tool(name);
  }

  of(backend: Backend, owner: string): Shelf {
    const shelves = this.#shelves.get(backend) ?? new Map<string, Shelf>();
    this.#shelves.set(backend, shelves);
    const known = shelves.get(owner);
    if (known) return known;
    const shelf = new Shelf(backend, {
      limits: () => this.#hub.plan.limits,
      changed: (kind, before) => {
        if (![...shelves.values()].some((other) => other.get(kind)?.slab === before)) this.#dropped(before);
        const after = shelf.get(kind)?.slab;
        if (after) this.changed?.(backend, kind, before, after);
        const isSeen = (view: View): boolean => !after || this.#differs(view, kind, before, after);
        this.#announcer.changedAt(backend.plan.name, owner, kinds[kind].capability, isSeen);
      },
      // That a backend is down is told by itself.
      troubled: ({ code, message }) => {
        const what = message.replace(` of backend "${backend.plan.name}"`, "");
        if (code === "badListing" || code === "listingLate")
          this.#hub.observer.log("warn", `backend ${backend.plan.name}`, what);
      },
      judge: (kind, slab) => (kind === "tools" ? (this.#hub.lock?.judge(slab).slab ?? slab) : slab),
      shape: (kind, slab) => this.#hub.rulesOf(backend)?.apply(kind, slab) ?? slab,
      share: (kind, slab) => {
        for (const other of shelves.values()) {
          const known = other.get(kind)?.whole;
          if (known && sameSlab(known, slab)) return known;
        }
        return slab;
      },
    });
    shelves.set(owner, shelf);
    return shelf;
  }

  /** Whether a view shows anything of what has changed. */
  #differs(view: View, kind: ListingKind, before: Slab, after: Slab): boolean {
    const filter = this.#hub.filterOf(view);
    if (!filter && !view.grants) return true;
    const [a, b] = [before, after].map((slab) => buildIndex(kind, [slab], view, [], filter).sections[0]);
    return !a || !b || !sameSection(a, b);
  }

  /** A link came up: its listings are read, and clients hear of what is new. */
  connected(backend: Backend, link: Link): void {
    this.#leaving.get(backend)?.();
    if (this.#gone.delete(backend)) this.#announceAll(backend);
    const shelf = this.of(backend, link.owner);
    for (const kind of listingKinds) void shelf.refresh(link, kind, true);
  }

  /** The backend may be down: after a while its items leave the listings, and clients hear of that too. */
  lost(backend: Backend): void {
    if (!this.#closed && !this.#leaving.has(backend) && !this.#gone.has(backend) && this.#shelves.has(backend))
      this.#await(backend, this.#hub.plan.timeouts.graceMs);
  }

  #await(backend: Backend, delayMs: number): void {
    const stop = after(delayMs, () => {
      this.#leaving.delete(backend);
      const { state } = backend;
      if (state.kind !== "down") return;
      // It went down some time after it was lost.
      const leftMs = state.since + this.#hub.plan.timeouts.graceMs - Date.now();
      if (leftMs > 0) return this.#await(backend, leftMs);
      this.#gone.add(backend);
      this.#announceAll(backend);
    });
    this.#leaving.set(backend, () => {
      stop();
      this.#leaving.delete(backend);
    });
  }

  /** Down for so long that its items have left the listings. */
  isGone({ state }: Backend): boolean {
    return state.kind === "down" && Date.now() - state.since >= this.#hub.plan.timeouts.graceMs;
  }

  #announceAll({ plan }: Backend): void {
    for (const [backend, shelves] of this.#shelves) {
      if (backend.plan !== plan) continue;
      for (const [owner, shelf] of shelves)
        for (const kind of listingKinds)
          if (shelf.get(kind)?.slab.locals.length) this.#announcer.changedAt(plan.name, owner, kinds[kind].capability);
    }
  }

  forget(backend: Backend): void {
    this.#leaving.get(backend)?.();
    this.#gone.delete(backend);
    const shelves = this.#shelves.get(backend) ?? new Map<string, Shelf>();
    this.#shelves.delete(backend);
    for (const shelf of shelves.values()) this.#drop(shelf);
  }

  /** The gateway ends: nobody waits for anything any more. */
  close(): void {
    this.#closed = true;
    for (const stop of [...this.#leaving.values()]) stop();
  }

  /** What was read for one owner alone goes with it. */
  release(backend: Backend, owner: string): void {
    const shelves = this.#shelves.get(backend);
    const shelf = shelves?.get(owner);
    shelves?.delete(owner);
    if (shelf) this.#drop(shelf);
  }

  backends(): Iterable<Backend> {
    return this.#shelves.keys();
  }

  #drop(shelf: Shelf): void {
    for (const kind of listingKinds) {
      const slab = shelf.get(kind)?.slab;
      if (slab) this.#dropped(slab);
    }
  }

  /** What may be used has to be decided again: the lock is another one. */
  judge(): void {
    for (const shelves of this.#shelves.values()) for (const shelf of shelves.values()) shelf.judge();
  }

  /** Tools of a backend that are not as the lock has them, for any owner. */
  deviations(backend: Backend): readonly Deviation[] {
    const { lock } = this.#hub;
    const slabs = [...(this.#shelves.get(backend)?.values() ?? [])].flatMap((shelf) => shelf.get("tools")?.whole ?? []);
    return lock ? [...new Set(slabs)].flatMap((slab) => lock.judge(slab).deviations) : [];
  }

  /** Tools that a backend offers to any owner; undefined where none of them has listed them yet. */
  countTools(backend: Backend): number | undefined {
    const all = [...(this.#shelves.get(backend)?.values() ?? [])].flatMap((shelf) => shelf.get("tools") ?? []);
    return all[0]?.slab.locals.length;
  }

  /** Why the tools of a backend are not all known, or not as they are now; undefined where they are. */
  troubleOf(backend: Backend): GatewayError | undefined {
    const all = [...(this.#shelves.get(backend)?.values() ?? [])];
    return all.flatMap((shelf) => shelf.get("tools")?.trouble ?? [])[0]?.error;
  }

  /** The listings of a backend in numbers: of the owner who sees most of them. */
  figures(backend: Backend): readonly ListingFigures[] {
    const all = [...(this.#shelves.get(backend)?.values() ?? [])];
    return listingKinds.flatMap((kind) => {
      const snapshots = all.flatMap((shelf) => shelf.get(kind) ?? []);
      const [widest] = snapshots.toSorted((a, b) => b.slab.locals.length - a.slab.locals.length);
      if (!widest) return [];
      const isStale = backend.state.kind === "down" || snapshots.some(({ trouble }) => trouble !== undefined);
      return [{ kind, items: widest.slab.locals.length, readAt: widest.readAt, isStale }];
    });
  }

  /** Whether a tool of this name is listed of a backend, to anybody. */
  lists(backend: Backend, tool: string): boolean {
    return [...(this.#shelves.get(backend)?.values() ?? [])].some((shelf) => {
      const locals = shelf.get("tools")?.slab.locals ?? [];
      return locals[placeOf(locals, tool)] === tool;
    });
  }

  /** What is wrong with the listings of a backend, for any owner. */
  shortfalls(backend: Backend): readonly (Shortfall & { readonly kind: ListingKind })[] {
    const all = [...(this.#shelves.get(backend)?.values() ?? [])];
    return listingKinds.flatMap((kind) => {
      const shelf = all.find((each) => each.get(kind)?.trouble);
      const trouble = shelf?.get(kind)?.trouble;
      return shelf && trouble ? [{ kind, ...this.describe(backend, shelf, kind, trouble) }] : [];
    });
  }

  /** Why items of a shelf are missing from a listing, or may be out of date. */
  describe(
    backend: Backend,
    shelf: Shelf,
    kind: ListingKind,
    { error, since }: { readonly error: GatewayError; readonly since: number },
  ): Shortfall {
    const { slab, readAt = 0 } = shelf.get(kind) ?? {};
    const isListed = !this.isGone(backend);
    const found = readAt > 0 ? "stale" : slab && slab.locals.length > 0 ? "incomplete" : "missing";
    return {
      state: isListed ? found : "missing",
      code: error.row.id,
      message: error.message,
      since: new Date(since).toISOString(),
      ...(readAt > 0 ? { readAt: new Date(readAt).toISOString() } : {}),
    };
  }
}
