// The merged listing of a view: which backend keeps which name, in the order of the config and of the exposed names.

import type { ListingKind } from "../core/nouns.ts";
import { kinds } from "./catalog.ts";
import type { Filter } from "./filter.ts";
import { exposeName, exposeUri, isPlainlyPrefixed, type View } from "./names.ts";
import { buildSection, rowOf, wireOf, plainSection, type Section } from "./section.ts";
import { itemAt, type Slab } from "./slab.ts";
import { templateMatcher } from "./template.ts";

/** An item of a backend by its own name. */
export interface Found {
  readonly backend: string;
  readonly local: string;
}

/** An item whose name another one has. */
export interface Collision extends Found {
  /** Whose name it is; the backend itself where none of those that have it keeps it. */
  readonly owner: string;
  /** What it is called instead; undefined where it is not listed. */
  readonly exposed: string | undefined;
}

/** One kind of a view's listing, ready to be cut into pages, and the way back from exposed names. */
export interface Index {
  /** In the order of the config. */
  readonly sections: readonly Section[];
  readonly size: number;
  readonly collisions: readonly Collision[];
  find(exposed: string): Found | undefined;
  /** An item as it is listed. */
  itemOf(exposed: string): Uint8Array | undefined;
  /** Templates that can make this URI, those with priority first. */
  matching(uri: string): readonly Found[];
}

/**
 * Merges slabs that come in config order, and leaves out what `filter` does not show. `priority` says who keeps a name that
 * several have, where naming alone does not settle that.
 */
export function buildIndex(
  kind: ListingKind,
  slabs: readonly Slab[],
  view: View,
  priority: readonly string[],
  filter?: Filter,
): Index {
  const collisions: Collision[] = slabs.flatMap(({ backend, doubles }) =>
    doubles.map((local) => ({ backend, local, owner: backend, exposed: undefined })),
  );
  const isPrefixed = kinds[kind].key === "name" && view.naming === "prefix";
  const merged = isPrefixed
    ? slabs.map((slab) => prefixed(slab, view, collisions))
    : settled(kind, slabs, view, priority, collisions);
  const { grants } = view;
  const seen = grants ? merged.map((section) => grants.apply(kind, section)) : merged;
  const sections = filter ? seen.map((section) => filter.apply(kind, section)) : seen;
  const ranked = byPriority(sections, priority);
  let templates: readonly { readonly item: Found; readonly matches: (uri: string) => boolean }[] | undefined;
  return {
    sections,
    size: sections.reduce((sum, { names }) => sum + names.length, 0),
    collisions,
    find(exposed) {
      for (const section of sections) {
        const local = wireOf(section, exposed);
        if (local !== undefined) return { backend: section.slab.backend, local };
      }
      return undefined;
    },
    itemOf(exposed) {
      for (const section of sections) {
        const row = rowOf(section, exposed);
        if (row >= 0) return itemAt(section.slab, row);
      }
      return undefined;
    },
    matching(uri) {
      templates ??= ranked.flatMap(templatesOf);
      return templates.filter(({ matches }) => matches(uri)).map(({ item }) => item);
    },
  };
}

/** Prefixes keep backends apart: nothing that another one lists changes these names. */
function prefixed(slab: Slab, view: View, collisions: Collision[]): Section {
  const { backend, locals } = slab;
  if (locals.every((local) => isPlainlyPrefixed(view, backend, local)))
    return plainSection(slab, backend + view.separator);
  const names = new Map<string, number>();
  for (const [row, local] of locals.entries()) {
    const exposed = exposeName(view, backend, local);
    // A name may look like the shortened form of another one.
    if (names.has(exposed)) collisions.push({ backend, local, owner: backend, exposed: undefined });
    else names.set(exposed, row);
  }
  return buildSection(slab, [...names.values()], [...names.keys()]);
}

interface Draft {
  readonly rows: number[];
  readonly names: string[];
}

/** Names without a prefix, and URIs: the first in priority keeps one that several have. */
function settled(
  kind: ListingKind,
  slabs: readonly Slab[],
  view: View,
  priority: readonly string[],
  collisions: Collision[],
): readonly Section[] {
  if (slabs.length <= 1) return slabs.map((slab) => plainSection(slab));
  const owners = new Map<string, string>();
  const shared =
    view.naming === "conflict" && kinds[kind].key === "name" ? sharedNames(kind, slabs, view) : new Set<string>();
  const drafts = new Map<Slab, Draft>(slabs.map((slab) => [slab, { rows: [], names: [] }]));
  for (const { slab } of byPriority(
    slabs.map((slab) => plainSection(slab)),
    priority,
  )) {
    const { backend, locals } = slab;
    const draft = drafts.get(slab);
    for (const [row, local] of locals.entries()) {
      // What must not be seen takes no name from what may: the gap would tell of it.
      if (view.grants?.showsRow(kind, slab, row) === false) continue;
      const wanted = shared.has(local) ? exposeName(view, backend, local) : local;
      const owner = owners.get(wanted);
      const exposed = owner === undefined ? wanted : instead(kind, backend, local, owners);
      if (owner !== undefined || wanted !== local)
        collisions.push({ backend, local, owner: owner ?? backend, exposed });
      if (exposed === undefined) continue;
      owners.set(exposed, backend);
      draft?.rows.push(row);
      draft?.names.push(exposed);
    }
  }
  return slabs.map((slab) => {
    const { rows, names } = drafts.get(slab) ?? { rows: [], names: [] };
    return buildSection(slab, rows, names);
  });
}

function sharedNames(kind: ListingKind, slabs: readonly Slab[], { grants }: View): ReadonlySet<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const slab of slabs) {
    for (const [row, local] of slab.locals.entries()) {
      if (grants?.showsRow(kind, slab, row) === false) continue;
      if (seen.has(local)) shared.add(local);
      else seen.add(local);
    }
  }
  return shared;
}

/** What an item is called whose name is taken; undefined where nothing else can be offered. */
function instead(
  kind: ListingKind,
  backend: string,
  local: string,
  owners: ReadonlyMap<string, string>,
): string | undefined {
  const other = kind === "resources" ? exposeUri(backend, local) : undefined;
  // Half a surrogate pair cannot be encoded; such a URI must not cost the whole listing.
  return other !== undefined && local.isWellFormed() && !owners.has(other) ? other : undefined;
}

function byPriority(sections: readonly Section[], priority: readonly string[]): readonly Section[] {
  const ranks = new Map(priority.map((name, at) => [name, at]));
  const rankOf = ({ slab }: Section): number => ranks.get(slab.backend) ?? ranks.size;
  return sections.toSorted((a, b) => rankOf(a) - rankOf(b));
}

function templatesOf({ slab, names }: Section): readonly { item: Found; matches: (uri: string) => boolean }[] {
  const { backend } = slab;
  return names.map((local) => ({ item: { backend, local }, matches: templateMatcher(local) }));
}
