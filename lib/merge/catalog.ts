// What there is to list, and how one page of a backend's listing is read.

import { type ListedItem, scanListing } from "../core/listing.ts";
import type { Span } from "../core/json.ts";
import type { ListingKind } from "../core/nouns.ts";
import { decodeText } from "../core/text.ts";

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

/** One page as its backend sent it. */
export interface Page {
  /** The whole reply. */
  readonly bytes: Uint8Array;
  readonly items: readonly ListedItem[];
  readonly nextCursor: string | undefined;
  /** Elements without a usable key. */
  readonly skipped: number;
  /** What the result says of caching, parsed and not judged; undefined where it says nothing. */
  readonly ttlMs: unknown;
  readonly cacheScope: unknown;
}

/** Reads one page of a listing; undefined when the reply holds none. */
export function readPage(kind: ListingKind, reply: Uint8Array): Page | undefined {
  const { member, key } = kinds[kind];
  return readItems(member, key, reply);
}

/** Reads a page of any listing: its `member`, whose elements are named by their `key`. */
export function readItems(member: string, key: string, reply: Uint8Array): Page | undefined {
  const listing = scanListing(reply, member, key);
  if (!listing) return undefined;
  const valueOf = (span: Span | undefined): unknown =>
    span && JSON.parse(decodeText(reply.subarray(span.start, span.end)));
  const cursor = valueOf(listing.nextCursor);
  return {
    bytes: reply,
    items: listing.items,
    // An empty string is a cursor (2025-11-25, Pagination: cursors are opaque).
    nextCursor: typeof cursor === "string" ? cursor : undefined,
    skipped: listing.skipped,
    ttlMs: valueOf(listing.ttlMs),
    cacheScope: valueOf(listing.cacheScope),
  };
}

/** The text of a string in valid JSON. */
export function keyText(bytes: Uint8Array, { start, end }: Span): string {
  const inner = decodeText(bytes.subarray(start + 1, end - 1));
  return inner.includes("\\") ? String(JSON.parse(`"${inner}"`)) : inner;
}

/** The listings of a capability. */
export function kindsOf(capability: string): readonly ListingKind[] {
  return listingKinds.filter((kind) => kinds[kind].capability === capability);
}
