// The reply to a listing request: what an era has in results, the items of a page, the next cursor, and what is missing.

import { encodeText } from "../core/text.ts";
import type { Rooms } from "../core/room.ts";
import { type Cut, writePage } from "../merge/page.ts";
import { type Entry, entry, membersOf, objectOf } from "../protocol/fields.ts";

/** What an era has in results beside the listing itself. */
export interface ResultExtras {
  readonly members?: readonly Entry[];
  readonly meta?: readonly Entry[];
}

export interface ListingAnswer {
  /** Of the request, as the client wrote it. */
  readonly id: Uint8Array;
  /** Of the result, that holds the items. */
  readonly member: string;
  readonly cut: Cut;
  /** Undefined on the last page. */
  readonly nextCursor: string | undefined;
  /** Backends whose items are missing, or may be out of date. */
  readonly partial: readonly unknown[];
  readonly extras: ResultExtras;
}

export function writeListing(answer: ListingAnswer, rooms: Rooms): Uint8Array {
  const { id, member, cut, nextCursor, partial, extras } = answer;
  const { members = [], meta = [] } = extras;
  const metas = partial.length > 0 ? [...meta, entry("mcpctl/partial", partial)] : meta;
  const more: Entry[] = nextCursor === undefined ? [] : [entry("nextCursor", nextCursor)];
  if (metas.length > 0) more.push(["_meta", objectOf(metas)]);
  const open = ['{"jsonrpc":"2.0","id":', id, ',"result":{', membersOf(members), members.length > 0 ? "," : ""];
  const close = ["]", more.length > 0 ? "," : "", membersOf(more), "}}"];
  return writePage(cut, bytesOf([...open, `"${member}":[`]), bytesOf(close), rooms);
}

function bytesOf(parts: readonly (Uint8Array | string)[]): Uint8Array {
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? encodeText(part) : part)));
}
