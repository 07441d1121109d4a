// Reads one listing of a backend to its end, page by page, and gives up on those that have none.

import type { Link } from "../backend/link.ts";
import type { Limits } from "../config/limits.ts";
import { asGatewayError, type GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import { giveBack } from "../core/room.ts";
import type { Scope } from "../core/scope.ts";
import { asRecord, decodeText } from "../core/text.ts";
import { kinds, type Page, readPage } from "../merge/catalog.ts";
import { buildSlab, type Slab } from "../merge/slab.ts";
import { agedCache, type CacheHint, cacheOf, mergeCache } from "../protocol/modern-cache.ts";

export interface ListingSource {
  readonly link: Link;
  readonly kind: ListingKind;
  readonly backend: string;
  readonly limits: Limits;
  /** A failure of this listing. */
  readonly fail: (why: string) => GatewayError;
}

export type Outcome =
  /** `hint`: undefined where the backend says nothing of caching. */
  | { readonly kind: "whole"; readonly slab: Slab; readonly hint: CacheHint | undefined }
  /** `found`: what came before the failure. */
  | { readonly kind: "failed"; readonly error: GatewayError; readonly found: Slab | undefined };

const methodNotFound = -32601;
/** Of all pages of a listing together. */
const maxListingBytes = 2 ** 30;

/** Follows all pages. Rejects never. */
export async function readListing(source: ListingSource, scope: Scope): Promise<Outcome> {
  const { link, kind, backend } = source;
  const pages: Page[] = [];
  const era = link.facts?.modern ? "modern" : "legacy";
  try {
    const isOffered = link.facts?.capabilities[kinds[kind].capability] !== undefined;
    const hints = isOffered ? await readPages(source, pages, scope) : [];
    return {
      kind: "whole",
      slab: buildSlab(backend, pages, era),
      hint: hints.length > 0 ? mergeCache(hints) : undefined,
    };
  } catch (error) {
    const found = pages.length > 0 ? buildSlab(backend, pages, era) : undefined;
    return { kind: "failed", error: asGatewayError(error), found };
  } finally {
    // The items were copied.
    for (const { bytes } of pages) giveBack(bytes);
  }
}

async function readPages(
  { link, kind, limits, fail }: ListingSource,
  pages: Page[],
  scope: Scope,
): Promise<readonly CacheHint[]> {
  const hints: [hint: CacheHint, at: number][] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  let items = 0;
  let bytes = 0;
  do {
    if (pages.length >= limits.pages) throw fail(`has more than ${limits.pages} pages`);
    const reply = await link.request(kinds[kind].method, cursor === undefined ? {} : { cursor }, scope);
    const page = readPage(kind, reply);
    if (!page) {
      requireNone(reply, pages.length, fail);
      break;
    }
    items += page.items.length;
    bytes += reply.length;
    if (items > limits.items) throw fail(`has more than ${limits.items} items`);
    if (bytes > maxListingBytes) throw fail(`is larger than ${maxListingBytes} bytes`);
    pages.push(page);
    if (page.ttlMs !== undefined || page.cacheScope !== undefined) hints.push([cacheOf(page), Date.now()]);
    cursor = page.nextCursor;
    if (cursor !== undefined && seen.has(cursor)) throw fail("comes back to a cursor that it gave before");
    if (cursor !== undefined) seen.add(cursor);
  } while (cursor !== undefined);
  const now = Date.now();
  return hints.map(([hint, at]) => agedCache(hint, now - at));
}

/** A backend that lacks the method has an empty listing; every other reply without a list is a failure. */
function requireNone(reply: Uint8Array, pagesBefore: number, fail: (why: string) => GatewayError): void {
  const { code, message } = asRecord(asRecord(JSON.parse(decodeText(reply)))["error"]);
  if (code === methodNotFound && pagesBefore === 0) return;
  throw fail(`failed: ${typeof message === "string" ? message : "the reply holds no list"}`);
}
