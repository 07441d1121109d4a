// Where calls go that the policy allows whatever their arguments are: remembered as long as their names mean that.

import type { Backend } from "../backend/backend.ts";
import type { Verdict } from "../core/flight.ts";
import type { ListingKind } from "../core/nouns.ts";
import { encodeJson } from "../core/text.ts";
import type { Grants } from "../merge/grants.ts";
import { isShortened, type View } from "../merge/names.ts";
import { rowOfWire } from "../merge/slab.ts";
import type { Hub } from "./hub.ts";
import type { Viewer } from "./session.ts";
import type { Shelves } from "./shelves.ts";

/** What an exposed name means; `local` as JSON. */
export interface Route {
  readonly backend: Backend;
  readonly local: Uint8Array;
  readonly decision: Verdict;
  /** Of the policy that allows it, from 1; undefined where none says so. */
  readonly rule: number | undefined;
}

/** What is called: an item that may be seen. */
export interface Called {
  readonly kind: ListingKind;
  /** Its name for the client. */
  readonly shown: string;
  readonly backend: string;
  /** Its name at the backend. */
  readonly local: string;
  /** The definition of a tool. */
  readonly tool?: Uint8Array | undefined;
}

/** Names come from clients. */
const maxRoutes = 10_000;

export class FreeCalls {
  readonly #hub: Hub;
  readonly #shelves: Shelves;
  #routes = new WeakMap<Grants, Map<string, Route>>();
  /** What those routes lead to, by kind and name at the backend. */
  #places = new WeakMap<Backend, Map<ListingKind, Set<string>>>();

  constructor(hub: Hub, shelves: Shelves) {
    this.#hub = hub;
    this.#shelves = shelves;
    shelves.changed = (backend, kind, before, after) => {
      for (const name of this.#places.get(backend)?.get(kind) ?? [])
        if (rowOfWire(before, name) >= 0 && rowOfWire(after, name) < 0) return this.#forget();
    };
  }

  route(grants: Grants, kind: ListingKind, { backend }: View, shown: string): Route | undefined {
    return this.#routes.get(grants)?.get(`${kind} ${backend} ${shown}`);
  }

  /** `rule`: that allows it, from 1. */
  remember(grants: Grants, viewer: Viewer, called: Called, rule: number | undefined): void {
    const { kind, shown, backend: name, local } = called;
    const { view } = viewer.facts;
    const backend = this.#hub.topology.get(name);
    if (!backend || !this.#isLasting(view, called)) return;
    // It may have left the listing while others were asked for theirs.
    const slab = this.#shelves.find(backend, this.#hub.ownerOf(backend, viewer))?.get(kind)?.slab;
    if (!slab || rowOfWire(slab, local) < 0) return;
    const routes = this.#routes.get(grants) ?? new Map<string, Route>();
    this.#routes.set(grants, routes);
    if (routes.size >= maxRoutes) return;
    routes.set(`${kind} ${view.backend} ${shown}`, { backend, local: encodeJson(local), decision: "allow", rule });
    const kinds = this.#places.get(backend) ?? new Map<ListingKind, Set<string>>();
    this.#places.set(backend, kinds.set(kind, (kinds.get(kind) ?? new Set()).add(local)));
  }

  /** Whether a name means this to everybody with the same grants, whatever else is listed. */
  #isLasting(view: View, { kind, shown, backend }: Called): boolean {
    // What the lock lets through of the listing of one owner, it may hold back of that of another one.
    if (kind === "tools" && this.#hub.lock?.mode === "enforce") return false;
    if (view.naming === "prefix") return !isShortened(shown);
    return view.backend === backend || this.#hub.topology.size === 1;
  }

  /** Something has left its listing: that is seldom, and what has not is remembered with its next call. */
  #forget(): void {
    this.#routes = new WeakMap();
    this.#places = new WeakMap();
    // Calls that go straight have them too.
    this.#hub.refresh();
  }
}
