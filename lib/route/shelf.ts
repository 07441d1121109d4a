// The snapshots of one backend's listings for one owner: read page by page, single-flight, kept when the backend fails.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import type { Limits } from "../config/plan.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import { Scope } from "../core/scope.ts";
import { asRecord, decodeText } from "../core/text.ts";
import { type Item, kinds, readPage, sameItems } from "../merge/catalog.ts";

/** One listing as it stands. */
export interface Snapshot {
  readonly items: readonly Item[];
  /** Why the last reading failed, with the items of the one before. */
  readonly error: GatewayError | undefined;
  /** When the items were read, Unix ms. */
  readonly readAt: number;
}

const methodNotFound = -32601;

export class Shelf {
  readonly #backend: Backend;
  readonly #limits: () => Limits;
  readonly #changed: (kind: ListingKind) => void;
  readonly #snapshots = new Map<ListingKind, Snapshot>();
  readonly #reading = new Map<ListingKind, { readonly since: number; readonly done: Promise<void> }>();
  /** Kinds that changed while they were read. */
  readonly #again = new Set<ListingKind>();

  constructor(backend: Backend, limits: () => Limits, changed: (kind: ListingKind) => void) {
    this.#backend = backend;
    this.#limits = limits;
    this.#changed = changed;
  }

  get(kind: ListingKind): Snapshot | undefined {
    return this.#snapshots.get(kind);
  }

  /** When the reading under way began, Unix ms. */
  readingSince(kind: ListingKind): number | undefined {
    return this.#reading.get(kind)?.since;
  }

  /** True where a reading is needed before the snapshot can be trusted. */
  needsReading(link: Link, kind: ListingKind): boolean {
    const snapshot = this.#snapshots.get(kind);
    return !snapshot || snapshot.error !== undefined || !this.#isWatched(link, kind);
  }

  /** True where the backend will say when this listing changes, so that a snapshot stays true until then. */
  #isWatched(link: Link, kind: ListingKind): boolean {
    const { capability } = kinds[kind];
    const declared = link.facts?.capabilities[capability];
    return declared === undefined || asRecord(declared)["listChanged"] === true;
  }

  /** Reads the listing again, once however many ask. `stale`: what is being read now may be the old state. */
  refresh(link: Link, kind: ListingKind, stale: boolean): Promise<void> {
    const reading = this.#reading.get(kind);
    if (reading) {
      if (stale) this.#again.add(kind);
      return reading.done;
    }
    const done = this.#read(link, kind).finally(() => this.#reading.delete(kind));
    this.#reading.set(kind, { since: Date.now(), done });
    return done;
  }

  async #read(link: Link, kind: ListingKind): Promise<void> {
    const before = this.#snapshots.get(kind);
    do {
      this.#again.delete(kind);
      try {
        const items = await this.#readAll(link, kind);
        this.#snapshots.set(kind, { items, error: undefined, readAt: Date.now() });
      } catch (error) {
        const items = this.#snapshots.get(kind)?.items ?? [];
        this.#snapshots.set(kind, { items, error: asGatewayError(error), readAt: before?.readAt ?? 0 });
      }
    } while (this.#again.has(kind));
    const now = this.#snapshots.get(kind);
    if (!sameItems(before?.items ?? [], now?.items ?? [])) this.#changed(kind);
  }

  async #readAll(link: Link, kind: ListingKind): Promise<readonly Item[]> {
    const { method, capability } = kinds[kind];
    const { name, connectMs } = this.#backend.plan;
    if (link.facts?.capabilities[capability] === undefined) return [];
    const limits = this.#limits();
    const late = (): GatewayError => this.#fail(kind, `was not complete after ${connectMs} ms`);
    using scope = new Scope(undefined, connectMs, late);
    const items: Item[] = [];
    const seen = new Set<string>();
    let cursor: string | undefined;
    for (let pages = 0; ; pages += 1) {
      if (pages >= limits.pages) throw this.#fail(kind, `has more than ${limits.pages} pages`);
      const reply = await link.request(method, cursor === undefined ? {} : { cursor }, scope);
      const page = readPage(name, kind, reply);
      if (!page) return this.#withoutPage(kind, reply);
      items.push(...page.items);
      if (items.length > limits.items) throw this.#fail(kind, `has more than ${limits.items} items`);
      if (page.nextCursor === undefined) return items;
      if (seen.has(page.nextCursor)) throw this.#fail(kind, "comes back to a cursor that it gave before");
      cursor = page.nextCursor;
      seen.add(cursor);
    }
  }

  /** A backend that lacks the method has an empty listing. */
  #withoutPage(kind: ListingKind, reply: Uint8Array): readonly Item[] {
    const error = asRecord(asRecord(JSON.parse(decodeText(reply)))["error"]);
    if (error["code"] === methodNotFound) return [];
    throw this.#fail(kind, `failed: ${String(error["message"] ?? "the reply holds no list")}`);
  }

  #fail(kind: ListingKind, why: string): GatewayError {
    const { name } = this.#backend.plan;
    return new GatewayError("badProtocol", `${kinds[kind].method} of backend "${name}" ${why}`, { backend: name });
  }
}
