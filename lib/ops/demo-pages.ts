// Pages of a list, behind opaque cursors that hold a key and not a position, so that additions shift nothing.

import { GatewayError } from "../core/errors.ts";
import type { JsonObject } from "./demo-server.ts";

/**
 * The page of `items` that `params.cursor` asks for, as the result of a list method: `{ [member]: [...], nextCursor? }`.
 * Items come in the order of their keys. A cursor of another list, or one that we did not write, is refused.
 */
export function page<Item>(
  member: string,
  items: Iterable<Item>,
  keyOf: (item: Item) => string,
  pageSize: number,
  params: JsonObject,
): JsonObject {
  const after = readCursor(member, params["cursor"]);
  const rest = [...items]
    .filter((item) => after === undefined || keyOf(item) > after)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const shown = rest.slice(0, pageSize);
  const last = shown.at(-1);
  if (last === undefined || rest.length === shown.length) return { [member]: shown };
  return { [member]: shown, nextCursor: writeCursor(member, keyOf(last)) };
}

const writeCursor = (member: string, key: string): string => Buffer.from(`${member}\n${key}`).toString("base64url");

function readCursor(member: string, cursor: unknown): string | undefined {
  if (cursor === undefined) return undefined;
  if (typeof cursor === "string") {
    const [, key] = Buffer.from(cursor, "base64url").toString().split("\n");
    // Decoding skips what is not base64url, so only a cursor that this list would write again is one of its own.
    if (key !== undefined && writeCursor(member, key) === cursor) return key;
  }
  throw new GatewayError("invalidParams", `params.cursor is not a cursor of this list of ${member}; start without one`);
}
