// How many items a page has: as the config says, or as a client asks in the query of the endpoint.

import type { PaginationPlan } from "../config/plan.ts";
import { type Envelope, spanText, spanValue } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";

/** Infinity for all items in one page. */
export function pageSizeOf({ pageSize, maxPageSize }: PaginationPlan, query: string): number {
  const fallback = pageSize === "off" ? Infinity : pageSize;
  if (query === "") return fallback;
  const asked = new URLSearchParams(query);
  const switched = asked.get("pagination");
  const size = asked.get("pageSize");
  if (switched === "off" || size === "off") return Infinity;
  if (size === null) return fallback;
  if (!/^[1-9]\d{0,8}$/.test(size)) {
    const data = { reason: "badPageSize" };
    throw new GatewayError("invalidParams", "pageSize in the query must be a whole number from 1, or off", { data });
  }
  return Math.min(Number(size), maxPageSize);
}

/** The cursor of a listing request; undefined for the first page. */
export function cursorOf(request: Envelope): string | undefined {
  if (!request.spans["params.cursor"]) return undefined;
  const text = spanText(request, "params.cursor");
  if (text !== undefined) return text;
  // Some clients write what they leave out.
  if (spanValue(request, "params.cursor") === null) return undefined;
  throw new GatewayError("cursorRefused", "the cursor must be a string", { data: { reason: "unknown" } });
}
