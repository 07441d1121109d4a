// Walks a listing page by page, as the server gives it: nothing is merged, and one page at a time is kept.

import { asRecord, decodeText } from "../core/text.ts";
import { GatewayError } from "../core/errors.ts";
import { scanListing } from "../core/listing.ts";
import { textOf } from "./lines.ts";
import { answerError, type Answer, type Patience, type Peer } from "./peer.ts";

/** Kinds of items, as commands name them. */
export const itemKinds = ["tools", "resources", "templates", "prompts"] as const;
export type ItemKind = (typeof itemKinds)[number];

interface Shape {
  readonly method: string;
  /** Member of the result that holds the items. */
  readonly member: string;
  /** Member of an item that tells it from the others. */
  readonly key: string;
  /** What a server declares that has them. */
  readonly capability: string;
}

const shapes: Readonly<Record<ItemKind, Shape>> = {
  tools: { method: "tools/list", member: "tools", key: "name", capability: "tools" },
  resources: { method: "resources/list", member: "resources", key: "uri", capability: "resources" },
  templates: {
    method: "resources/templates/list",
    member: "resourceTemplates",
    key: "uriTemplate",
    capability: "resources",
  },
  prompts: { method: "prompts/list", member: "prompts", key: "name", capability: "prompts" },
};

export interface ListedItem {
  /** Name or URI. */
  readonly key: string;
  /** As the server wrote it. */
  readonly text: string;
}

export interface Page {
  /** From 1. */
  readonly number: number;
  /** What was asked with; undefined for the first page. */
  readonly cursor: string | undefined;
  readonly next: string | undefined;
  readonly items: readonly ListedItem[];
  /** Elements that are no items. */
  readonly skipped: number;
  readonly answer: Answer;
}

export interface WalkOptions {
  readonly kind: ItemKind;
  /** Where to begin. */
  readonly cursor?: string | undefined;
  readonly maxPages?: number | undefined;
  readonly maxItems?: number | undefined;
  /** Called with every page that repeats a cursor; without it that is an error. */
  readonly cycle?: (page: Page) => void;
}

/** A backend whose items a gateway does not list, or not all of them. */
export interface Shortfall {
  readonly backend: string;
  readonly state: string;
  readonly code: string;
  readonly message: string;
}

const partialKey = "mcpctl/partial";

/** What a gateway says is missing from a page of its; empty for other servers. */
export function shortfallsOf({ answer }: Page): readonly Shortfall[] {
  // Of most pages this is all that is looked at.
  if (Buffer.from(answer.bytes.buffer, answer.bytes.byteOffset, answer.bytes.length).indexOf(partialKey) < 0) return [];
  const { result } = asRecord(JSON.parse(decodeText(answer.bytes)));
  const partial = asRecord(asRecord(result)["_meta"])[partialKey];
  if (!Array.isArray(partial)) return [];
  return partial.map((each: unknown) => {
    const { backend, state, code, message } = asRecord(each);
    return { backend: textOf(backend), state: textOf(state), code: textOf(code), message: textOf(message) };
  });
}

/** A listing of more pages than this has no end. */
const absurdPages = 1_000_000;
const methodNotFound = -32601;

/** True where the server says that it has items of this kind. */
export function declares(peer: Peer, kind: ItemKind): boolean {
  return peer.facts.capabilities[shapes[kind].capability] !== undefined;
}

/** The pages of one listing; ends where it does, at a limit, or with a `GatewayError` "badListing" where it never would. */
export async function* walkPages(peer: Peer, options: WalkOptions, patience: Patience): AsyncGenerator<Page> {
  const { kind, maxPages = absurdPages, maxItems = Infinity } = options;
  const seen = new Set<string>();
  let cursor = options.cursor;
  let count = 0;
  for (let number = 1; number <= maxPages && count < maxItems; number += 1) {
    const page = await askPage(peer, options, cursor, number, patience);
    if (!page) return;
    count += page.items.length;
    yield count > maxItems ? { ...page, items: page.items.slice(0, maxItems - count) } : page;
    const { next } = page;
    if (next === undefined) return;
    if (seen.has(next) || next === cursor) {
      if (options.cycle) return options.cycle(page);
      throw new GatewayError(
        "badListing",
        `page ${number} of ${shapes[kind].method} leads back to the cursor ${shorten(next)}: the listing has no end`,
        { backend: peer.name },
      );
    }
    seen.add(next);
    cursor = next;
  }
  if (maxPages === absurdPages && count < maxItems)
    throw new GatewayError("badListing", `${shapes[kind].method} has over ${absurdPages} pages`, {
      backend: peer.name,
    });
}

/** One page; undefined where the server has no such listing. */
export async function askPage(
  peer: Peer,
  { kind }: WalkOptions,
  cursor: string | undefined,
  number: number,
  patience: Patience,
): Promise<Page | undefined> {
  const { method, member, key } = shapes[kind];
  const answer = await peer.ask(method, cursor === undefined ? {} : { cursor }, patience);
  const error = answerError(answer);
  if (error) {
    if (error.code === methodNotFound && number === 1 && cursor === undefined) return undefined;
    const text = `answered ${method} with error ${error.code}: ${error.message.slice(0, 300)}`;
    throw new GatewayError(error.code === -32602 ? "invalidParams" : "badProtocol", text, { backend: peer.name });
  }
  const listing = scanListing(answer.bytes, member, key);
  if (!listing) {
    const text = `answered ${method} without a list of ${member}`;
    throw new GatewayError("badProtocol", text, { backend: peer.name });
  }
  const { bytes } = answer;
  const textOf = (span: { readonly start: number; readonly end: number }): string =>
    decodeText(bytes.subarray(span.start, span.end));
  const items = listing.items.map(({ item, key }) => ({ key: String(JSON.parse(textOf(key))), text: textOf(item) }));
  const next = listing.nextCursor && String(JSON.parse(textOf(listing.nextCursor)));
  return { number, cursor, next, items, skipped: listing.skipped, answer };
}

/** What a model pays for an item, about: four bytes of JSON are a token. */
export function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

export function shorten(text: string, max = 40): string {
  const quoted = JSON.stringify(text);
  return quoted.length > max ? `${quoted.slice(0, max - 2)}…"` : quoted;
}
