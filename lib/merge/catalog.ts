// The merged listing: items as the bytes that came, with exposed names spliced in, in a stable order.

import { type Span, splice } from "../core/envelope.ts";
import { type ListedItem, scanListing } from "../core/listing.ts";
import type { ListingKind } from "../core/nouns.ts";
import { decodeText, encodeJson, encodeText, joinBytes } from "../core/text.ts";
import { toolFor } from "../protocol/bridge-tools.ts";
import type { Era } from "../protocol/codec.ts";
import { exposeName, exposeUri, type View } from "./names.ts";
import { templateMatcher } from "./template.ts";

export interface KindFacts {
  readonly method: string;
  /** Member of the result that holds the items; also names the capability's change notification. */
  readonly member: string;
  /** Member of an item that names it. */
  readonly key: "name" | "uri" | "uriTemplate";
  /** Capability without which a backend has none of these. */
  readonly capability: "tools" | "prompts" | "resources";
}

export const kinds: Readonly<Record<ListingKind, KindFacts>> = {
  tools: { method: "tools/list", member: "tools", key: "name", capability: "tools" },
  prompts: { method: "prompts/list", member: "prompts", key: "name", capability: "prompts" },
  resources: { method: "resources/list", member: "resources", key: "uri", capability: "resources" },
  resourceTemplates: {
    method: "resources/templates/list",
    member: "resourceTemplates",
    key: "uriTemplate",
    capability: "resources",
  },
};

export const listingKinds: readonly ListingKind[] = ["tools", "prompts", "resources", "resourceTemplates"];

/** One item as its backend sent it. */
export interface Item {
  readonly backend: string;
  /** Name, URI or URI template at the backend. */
  readonly local: string;
  readonly bytes: Uint8Array;
  /** The raw value of the key, within `bytes`. */
  readonly key: Span;
  /** Of the server that sent it. */
  readonly era: Era;
}

export interface Page {
  readonly items: readonly Item[];
  readonly nextCursor: string | undefined;
  /** Elements without a usable key. */
  readonly skipped: number;
}

/** Reads one page of a listing; undefined when the reply holds none. */
export function readPage(backend: string, kind: ListingKind, reply: Uint8Array, era: Era = "legacy"): Page | undefined {
  const { member, key } = kinds[kind];
  return readItems(backend, member, key, reply, era);
}

/** Reads a page of any listing: its `member`, whose elements are named by their `key`. */
export function readItems(
  backend: string,
  member: string,
  key: string,
  reply: Uint8Array,
  era: Era = "legacy",
): Page | undefined {
  const listing = scanListing(reply, member, key);
  if (!listing) return undefined;
  const { nextCursor, skipped } = listing;
  const cursor: unknown = nextCursor && JSON.parse(decodeText(reply.subarray(nextCursor.start, nextCursor.end)));
  return {
    items: listing.items.map((listed) => readItem(backend, reply, listed, era)),
    // An empty string is a cursor (2025-11-25, Pagination: cursors are opaque).
    nextCursor: typeof cursor === "string" ? cursor : undefined,
    skipped,
  };
}

function readItem(backend: string, reply: Uint8Array, { item, key }: ListedItem, era: Era): Item {
  // A copy: a slice would keep the whole page alive.
  const bytes = reply.slice(item.start, item.end);
  const span = { start: key.start - item.start, end: key.end - item.start };
  const local: unknown = JSON.parse(decodeText(bytes.subarray(span.start, span.end)));
  return { backend, local: String(local), bytes, key: span, era };
}

/** True where two snapshots list the same bytes. */
export function sameItems(a: readonly Item[], b: readonly Item[]): boolean {
  return (
    a.length === b.length && a.every((item, at) => Buffer.compare(item.bytes, b[at]?.bytes ?? new Uint8Array()) === 0)
  );
}

/** What one backend offers of one kind, and where it stands in the config. */
export interface Source {
  readonly backend: string;
  readonly items: readonly Item[];
}

/** One kind of a view's listing, ready to be sent, and the way back from exposed names. */
export interface Index {
  /** The JSON array of all items. */
  readonly array: Uint8Array;
  readonly size: number;
  /** Names that several backends have, where the later one had to step back. */
  readonly collisions: readonly string[];
  find(exposed: string): Item | undefined;
  /** Templates that can make this URI, in order. */
  matching(uri: string): readonly Item[];
}

/**
 * Merges sources that come in config order, for clients of an era; items are ordered by (source, exposed name). `priority`
 * says who keeps a name that several have.
 */
export function buildIndex(
  kind: ListingKind,
  sources: readonly Source[],
  view: View,
  priority: readonly string[],
  era: Era = "legacy",
): Index {
  const owners = new Map<string, Item>();
  const collisions: string[] = [];
  const rank = new Map(priority.map((name, at) => [name, at]));
  const byPriority = [...sources].sort(
    (a, b) => (rank.get(a.backend) ?? Infinity) - (rank.get(b.backend) ?? Infinity) || 0,
  );
  const exposedBy = new Map<string, [exposed: string, item: Item][]>();
  for (const { backend, items } of byPriority) {
    const kept: [string, Item][] = [];
    for (const item of items) {
      const exposed = settle(kind, view, item, owners);
      if (exposed === undefined) collisions.push(item.local);
      else {
        owners.set(exposed, item);
        kept.push([exposed, item]);
      }
    }
    exposedBy.set(
      backend,
      kept.sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
  const parts = sources.flatMap(({ backend }) =>
    (exposedBy.get(backend) ?? []).flatMap(([name, item]) => {
      const named = renderItem(name, item);
      return kind === "tools" ? (toolFor(era, item.era, named) ?? []) : [named];
    }),
  );
  const patterns =
    kind === "resourceTemplates"
      ? [...owners.values()].map((item) => ({ item, matches: templateMatcher(item.local) }))
      : [];
  return {
    array: joinArray(parts),
    size: parts.length,
    collisions,
    find: (exposed) => owners.get(exposed),
    matching: (uri) => patterns.filter(({ matches }) => matches(uri)).map(({ item }) => item),
  };
}

/** The exposed name of an item, or undefined where it is taken and nothing else can be offered. */
function settle(kind: ListingKind, view: View, item: Item, owners: ReadonlyMap<string, Item>): string | undefined {
  const isName = kinds[kind].key === "name";
  const exposed = isName ? exposeName(view, item.backend, item.local) : item.local;
  const owner = owners.get(exposed);
  if (!owner) return exposed;
  if (kind !== "resources" || owner.backend === item.backend) return undefined;
  // Half a surrogate pair cannot be encoded; such a URI must not cost the whole listing.
  if (!item.local.isWellFormed()) return undefined;
  const other = exposeUri(item.backend, item.local);
  return owners.has(other) ? undefined : other;
}

function renderItem(exposed: string, item: Item): Uint8Array {
  return exposed === item.local ? item.bytes : splice(item.bytes, [{ span: item.key, bytes: encodeJson(exposed) }]);
}

const comma = encodeText(",");

export function joinArray(parts: readonly Uint8Array[]): Uint8Array {
  const pieces: Uint8Array[] = [encodeText("[")];
  for (const [at, part] of parts.entries()) {
    if (at > 0) pieces.push(comma);
    pieces.push(part);
  }
  pieces.push(encodeText("]"));
  return joinBytes(pieces);
}
