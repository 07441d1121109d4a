// The snapshots of one backend's listings for one owner: read page by page, single-flight, kept when the backend fails.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import type { Limits } from "../config/plan.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import { after, Scope } from "../core/scope.ts";
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
/** A backend may say "changed" whenever it is asked; after so many readings in a row it is given a pause. */
const maxReadings = 3;
const pauseMs = 1_000;

/** A reading under way. */
interface Reading {
  readonly since: number;
  readonly done: Promise<void>;
  link: Link;
  scope: Scope;
  /** The link to read from again: the listing changed while it was read, or the link was replaced. */
  again: Link | undefined;
}

export class Shelf {
  readonly #backend: Backend;
  readonly #limits: () => Limits;
  readonly #changed: (kind: ListingKind) => void;
  readonly #snapshots = new Map<ListingKind, Snapshot>();
  readonly #readings = new Map<ListingKind, Reading>();

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
    return this.#readings.get(kind)?.since;
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
    const reading = this.#readings.get(kind);
    if (!reading) return this.#begin(link, kind);
    const replaced = link !== reading.link;
    if (link.usable && (stale || replaced)) reading.again = link;
    // What a link that was replaced may still answer is of no use.
    if (link.usable && replaced) reading.scope.cancel(this.#fail(kind, "was read on a link that was replaced"));
    return reading.done;
  }

  #begin(link: Link, kind: ListingKind): Promise<void> {
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const reading: Reading = { since: Date.now(), done, link, scope: new Scope(), again: undefined };
    this.#readings.set(kind, reading);
    void this.#read(reading, kind).finally(() => {
      this.#readings.delete(kind);
      resolve();
      const { again } = reading;
      if (again) after(pauseMs, () => void (again.usable && this.refresh(again, kind, true)));
    });
    return done;
  }

  async #read(reading: Reading, kind: ListingKind): Promise<void> {
    const before = this.#snapshots.get(kind);
    for (let readings = 0; readings < maxReadings; readings += 1) {
      reading.link = reading.again ?? reading.link;
      reading.again = undefined;
      const items = await this.#attempt(reading, kind);
      if (!(items instanceof GatewayError)) this.#snapshots.set(kind, { items, error: undefined, readAt: Date.now() });
      // The failure of a link that has been replaced says nothing of the backend.
      else if (!reading.again) this.#keep(kind, items);
      if (!reading.again) break;
    }
    const now = this.#snapshots.get(kind);
    if (!sameItems(before?.items ?? [], now?.items ?? [])) this.#changed(kind);
  }

  /** What was known last stays. */
  #keep(kind: ListingKind, error: GatewayError): void {
    const { items = [], readAt = 0 } = this.#snapshots.get(kind) ?? {};
    this.#snapshots.set(kind, { items, error, readAt });
  }

  async #attempt(reading: Reading, kind: ListingKind): Promise<readonly Item[] | GatewayError> {
    const { connectMs } = this.#backend.plan;
    const late = (): GatewayError => this.#fail(kind, `was not complete after ${connectMs} ms`);
    using scope = new Scope(undefined, connectMs, late);
    reading.scope = scope;
    try {
      return await this.#readAll(reading.link, kind, scope);
    } catch (error) {
      return asGatewayError(error);
    }
  }

  async #readAll(link: Link, kind: ListingKind, scope: Scope): Promise<readonly Item[]> {
    const { method, capability } = kinds[kind];
    const { name } = this.#backend.plan;
    if (link.facts?.capabilities[capability] === undefined) return [];
    const limits = this.#limits();
    const items: Item[] = [];
    const seen = new Set<string>();
    let cursor: string | undefined;
    for (let pages = 0; ; pages += 1) {
      if (pages >= limits.pages) throw this.#fail(kind, `has more than ${limits.pages} pages`);
      const reply = await link.request(method, cursor === undefined ? {} : { cursor }, scope);
      const page = readPage(name, kind, reply, link.facts?.modern ? "modern" : "legacy");
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
    const { message } = error;
    throw this.#fail(kind, `failed: ${typeof message === "string" ? message : "the reply holds no list"}`);
  }

  #fail(kind: ListingKind, why: string): GatewayError {
    const { name } = this.#backend.plan;
    return new GatewayError("badProtocol", `${kinds[kind].method} of backend "${name}" ${why}`, { backend: name });
  }
}
