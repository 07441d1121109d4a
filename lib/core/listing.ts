// Finds the elements of a listing in a reply, as byte spans; builds no objects of them.

import { JsonReader, openBrace, openBracket, quote, type Span } from "./json.ts";

/** One element of a listing, and the raw value of the member that names it; offsets are into the whole message. */
export interface ListedItem {
  readonly item: Span;
  readonly key: Span;
}

export interface Listing {
  readonly items: readonly ListedItem[];
  /** The raw `nextCursor`, where it is a string. */
  readonly nextCursor: Span | undefined;
  /** Elements that are not objects, or whose key is not a string. */
  readonly skipped: number;
  /** The raw values of the cache fields, where the result has them. */
  readonly ttlMs: Span | undefined;
  readonly cacheScope: Span | undefined;
}

/** A listing while it is read. */
interface Draft {
  items: ListedItem[] | undefined;
  nextCursor: Span | undefined;
  ttlMs: Span | undefined;
  cacheScope: Span | undefined;
  skipped: number;
  /** Key of the element that is being read; undefined between elements. */
  named: Span | undefined;
}

const emptyPage = { items: undefined, nextCursor: undefined, ttlMs: undefined, cacheScope: undefined };

/** The elements of `result[listing]` in a valid response; undefined where that is not an array. */
export function scanListing(bytes: Uint8Array, listing: string, key: string): Listing | undefined {
  const reader = new JsonReader(bytes, Infinity);
  const start = reader.blank(0);
  if (bytes[start] !== openBrace) return undefined;
  const draft: Draft = { ...emptyPage, skipped: 0, named: undefined };
  const end = reader.members(start, 0, (name, nameEnd, value) => {
    if (!reader.reads(name, nameEnd, "result")) return reader.value(value, 0);
    Object.assign(draft, emptyPage);
    return bytes[value] === openBrace ? scanPage(reader, value, listing, key, draft) : reader.value(value, 0);
  });
  const { items, nextCursor, ttlMs, cacheScope, skipped } = draft;
  return end < 0 || items === undefined ? undefined : { items, nextCursor, ttlMs, cacheScope, skipped };
}

function scanPage(reader: JsonReader, start: number, listing: string, key: string, draft: Draft): number {
  const { bytes } = reader;
  return reader.members(start, 0, (name, nameEnd, value) => {
    if (reader.reads(name, nameEnd, listing)) {
      if (bytes[value] === openBracket) return scanItems(reader, value, key, draft);
      draft.items = undefined;
    }
    const end = reader.value(value, 0);
    if (reader.reads(name, nameEnd, "nextCursor")) {
      draft.nextCursor = bytes[value] === quote ? { start: value, end } : undefined;
    } else if (reader.reads(name, nameEnd, "ttlMs")) draft.ttlMs = { start: value, end };
    else if (reader.reads(name, nameEnd, "cacheScope")) draft.cacheScope = { start: value, end };
    return end;
  });
}

function scanItems(reader: JsonReader, start: number, key: string, draft: Draft): number {
  const { bytes } = reader;
  const items: ListedItem[] = [];
  draft.items = items;
  draft.skipped = 0;
  const noteKey = (name: number, nameEnd: number, value: number): number => {
    const end = reader.value(value, 0);
    if (reader.reads(name, nameEnd, key)) draft.named = { start: value, end };
    return end;
  };
  return reader.elements(start, 0, (element) => {
    const end = bytes[element] === openBrace ? reader.members(element, 0, noteKey) : reader.value(element, 0);
    const { named } = draft;
    draft.named = undefined;
    if (named !== undefined && bytes[named.start] === quote) items.push({ item: { start: element, end }, key: named });
    else draft.skipped++;
    return end;
  });
}
