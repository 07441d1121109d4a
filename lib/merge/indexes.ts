// Merged listings that are kept ready: built again only when a backend's items, the view or the priority changed.

import type { ListingKind } from "../core/nouns.ts";
import { toolFor } from "../protocol/bridge-tools.ts";
import type { Era } from "../protocol/codec.ts";
import { buildIndex, type Index } from "./merged.ts";
import type { Filter } from "./filter.ts";
import type { View } from "./names.ts";
import { reshape, type Reshaped, type Slab } from "./slab.ts";

interface Known {
  readonly slabs: readonly Slab[];
  readonly index: Index;
}

/** Those asked for longest ago go first. */
const maxKnown = 200;

export class Indexes {
  readonly #built: (kind: ListingKind, index: Index, view: View) => void;
  readonly #known = new Map<string, Known>();
  /** Tools as clients of the other era see them. */
  readonly #others = new WeakMap<Slab, Slab>();
  /** Numbers of objects, of which keys are made. */
  readonly #ids = new WeakMap<object, number>();
  #lastId = 0;

  /** `built` is told of each listing that was merged. */
  constructor(built: (kind: ListingKind, index: Index, view: View) => void) {
    this.#built = built;
  }

  /** The listing of slabs that come in config order, for clients of an era. */
  of(
    kind: ListingKind,
    all: readonly Slab[],
    view: View,
    priority: readonly string[],
    era: Era,
    filter?: Filter,
  ): Index {
    const slabs = all.filter(({ locals }) => locals.length > 0);
    const { grants } = view;
    const ids = [priority, ...(filter ? [filter] : []), ...(grants ? [grants] : []), ...slabs].map((each) =>
      this.#idOf(each),
    );
    const key = `${kind} ${era} ${view.naming} ${view.separator} ${view.backend} ${ids.join(" ")}`;
    const known = this.#known.get(key);
    const index = known?.index ?? this.#build(kind, slabs, view, priority, era, filter);
    this.#known.delete(key);
    this.#known.set(key, known ?? { slabs, index });
    if (known) return index;
    const [oldest] = this.#known.keys();
    if (this.#known.size > maxKnown && oldest !== undefined) this.#known.delete(oldest);
    return index;
  }

  #build(
    kind: ListingKind,
    slabs: readonly Slab[],
    view: View,
    priority: readonly string[],
    era: Era,
    filter: Filter | undefined,
  ): Index {
    const seen = kind === "tools" ? slabs.map((slab) => this.#toolsFor(slab, era)) : slabs;
    const index = buildIndex(kind, seen, view, priority, filter);
    this.#built(kind, index, view);
    return index;
  }

  /** Most tools are the same in both eras, and so is the slab then. */
  #toolsFor(slab: Slab, era: Era): Slab {
    if (slab.era === era) return slab;
    const known = this.#others.get(slab) ?? reshape(slab, "name", toolIn(era, slab.era));
    this.#others.set(slab, known);
    return known;
  }

  /** The items of a slab are not listed any more: what was made of them must not keep them in memory. */
  drop(slab: Slab): void {
    for (const [key, { slabs }] of this.#known) if (slabs.includes(slab)) this.#known.delete(key);
  }

  #idOf(object: object): number {
    const known = this.#ids.get(object);
    if (known !== undefined) return known;
    this.#lastId += 1;
    this.#ids.set(object, this.#lastId);
    return this.#lastId;
  }
}

function toolIn(client: Era, server: Era): (tool: Uint8Array, local: string) => Reshaped | undefined {
  return (tool, local) => {
    const bytes = toolFor(client, server, tool);
    return bytes && { bytes, local };
  };
}
