// Cache fields of modern results: what they say, and what they say of several results together.

import { isRecord } from "../core/text.ts";
import { type Entry, entry } from "./fields.ts";

/** How long a result stays fresh, and whether it may be shared between callers (2026-07-28, Caching). */
export interface CacheHint {
  readonly ttlMs: number;
  readonly cacheScope: "public" | "private";
}

/** The members of a result that say it. */
export const cacheHints: readonly string[] = ["ttlMs", "cacheScope"];

/** For results of servers that say nothing of it: stale at once, for nobody else. */
export const noCache: CacheHint = { ttlMs: 0, cacheScope: "private" };

/** What a result says of caching; the strictest for what it says wrongly, or not at all. */
export function cacheOf(result: unknown): CacheHint {
  if (!isRecord(result)) return noCache;
  const { ttlMs, cacheScope } = result;
  return {
    ttlMs: isTtl(ttlMs) ? ttlMs : 0,
    cacheScope: cacheScope === "public" ? "public" : "private",
  };
}

/** What is true of a page that is made of several results: the least that remains, and the strictest scope. */
export function mergeCache(hints: readonly CacheHint[]): CacheHint {
  if (hints.length === 0) return noCache;
  return {
    ttlMs: Math.min(...hints.map(({ ttlMs }) => ttlMs)),
    cacheScope: hints.every(({ cacheScope }) => cacheScope === "public") ? "public" : "private",
  };
}

/** What remains of a hint after some time. */
export function agedCache({ ttlMs, cacheScope }: CacheHint, ageMs: number): CacheHint {
  return { ttlMs: Math.max(0, Math.floor(ttlMs - ageMs)), cacheScope };
}

/** The members that make a result of the gateway's own a modern one; `cache` for the cacheable methods only. */
export function completeEntries(cache: CacheHint | undefined): readonly Entry[] {
  const complete = entry("resultType", "complete");
  return cache ? [complete, entry("ttlMs", cache.ttlMs), entry("cacheScope", cache.cacheScope)] : [complete];
}

export function isTtl(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
