// The snapshots of one backend's listings for one owner: read page by page, single-flight, kept when the backend fails.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import type { Limits } from "../config/limits.ts";
import { type ErrorCode, GatewayError } from "../core/errors.ts";
import type { ListingKind } from "../core/nouns.ts";
import { after, Scope } from "../core/scope.ts";
import { asRecord } from "../core/text.ts";
import { kinds, listingKinds } from "../merge/catalog.ts";
import { emptySlab, itemAt, rowOfWire, sameSlab, type Slab } from "../merge/slab.ts";
import type { CacheHint } from "../protocol/modern-cache.ts";
import { readListing } from "./reading.ts";

/** One listing as it stands. */
export interface Snapshot {
  /** What may be listed and used. */
  readonly slab: Slab;
  /** The same with what the lock holds back. */
  readonly whole: Slab;
  /** When the items were read, Unix ms; 0 = never. */
  readonly readAt: number;
  /** What the backend said of caching when they were. */
  readonly hint: CacheHint | undefined;
  /** Why the last reading failed; the items are those of the one before, or as far as the first one came. */
  readonly trouble: Trouble | undefined;
}

export interface Trouble {
  readonly error: GatewayError;
  /** When the first of the failures in a row was, and the last one; Unix ms. */
  readonly since: number;
  readonly at: number;
  readonly failures: number;
}

/** What a shelf needs of its surroundings. */
export interface ShelfOptions {
  readonly limits: () => Limits;
  readonly changed: (kind: ListingKind, before: Slab) => void;
  /** The same items as another owner has, if it has: then they are kept once. */
  readonly share: (kind: ListingKind, slab: Slab) => Slab;
  /** A reading has failed, after one that had not. */
  readonly troubled: (error: GatewayError) => void;
  /** The part of the items that may be listed and used. */
  readonly judge: (kind: ListingKind, slab: Slab) => Slab;
  /** The items as clients are to see them. */
  readonly shape: (kind: ListingKind, slab: Slab) => Slab;
}

/** A backend may say "changed" whenever it is asked; after so many readings in a row it is given a pause. */
const maxReadings = 3;
const pauseMs = 1_000;
/** It may also say so because it was asked: then clients hear of as many in a row that change nothing. */
const maxEchoes = 3;
/** A listing that failed is read again by itself, ever more seldom, and for whoever asks no sooner than this after it. */
const firstRetryMs = 1_000;
const lastRetryMs = 300_000;

/** Readings in a row that a word of change led to, and that found none. */
interface Echoes {
  count: number;
  /** When the last one was over, Unix ms. */
  at: number;
}

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
  readonly #options: ShelfOptions;
  readonly #empty: Slab;
  readonly #snapshots = new Map<ListingKind, Snapshot>();
  readonly #readings = new Map<ListingKind, Reading>();
  readonly #retries = new Map<ListingKind, () => void>();
  readonly #told = new Set<ListingKind>();
  readonly #echoes = new Map<ListingKind, Echoes>();

  constructor(backend: Backend, options: ShelfOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#empty = emptySlab(backend.plan.name);
  }

  get(kind: ListingKind): Snapshot | undefined {
    return this.#snapshots.get(kind);
  }

  /** A tool by the name that the backend knows; undefined where it is not known. */
  tool(name: string): Uint8Array | undefined {
    const slab = this.#snapshots.get("tools")?.slab;
    const row = slab ? rowOfWire(slab, name) : -1;
    return slab && row >= 0 ? itemAt(slab, row) : undefined;
  }

  /** The backend says that a listing has changed: whoever listens hears of it, whatever the next reading finds. */
  told(link: Link, kind: ListingKind): void {
    this.#told.add(kind);
    const echoes = this.#echoes.get(kind);
    const isReading = this.#readings.has(kind);
    if (echoes && !isReading && Date.now() - echoes.at > pauseMs) this.#echoes.delete(kind);
    else if (echoes && !isReading && echoes.count >= maxEchoes) {
      if (!this.#retries.has(kind)) this.#later(link, kind, pauseMs);
      return;
    }
    void this.refresh(link, kind, true);
  }

  /** Whether clients are to hear of a reading: it found something else, or what was told of cannot be an echo of it. */
  #isNews(kind: ListingKind, isSame: boolean): boolean {
    const isTold = this.#told.delete(kind);
    if (!isSame) this.#echoes.delete(kind);
    if (!isSame || !isTold) return !isSame;
    const echoes = { count: (this.#echoes.get(kind)?.count ?? 0) + 1, at: Date.now() };
    this.#echoes.set(kind, echoes);
    return echoes.count <= maxEchoes;
  }

  /** When the reading under way began, Unix ms. */
  readingSince(kind: ListingKind): number | undefined {
    return this.#readings.get(kind)?.since;
  }

  /** True where a reading is needed before the snapshot can be trusted. */
  needsReading(link: Link, kind: ListingKind): boolean {
    const snapshot = this.#snapshots.get(kind);
    if (!snapshot) return true;
    const { hint, readAt, trouble } = snapshot;
    if (trouble) return Date.now() - trouble.at >= firstRetryMs;
    const ttlMs = hint?.ttlMs ?? this.#backend.plan.ttlMs;
    // Of a backend that tells of changes nothing but a time of its own makes a snapshot old.
    if (this.#isWatched(link, kind) && !hint?.ttlMs) return false;
    return Date.now() - readAt >= ttlMs;
  }

  /** True where the backend will say when this listing changes, and is heard, so that a snapshot stays true until then. */
  #isWatched(link: Link, kind: ListingKind): boolean {
    const declared = declaredOf(link, kind);
    return declared === undefined || (link.hears && asRecord(declared)["listChanged"] === true);
  }

  /** The link may not have heard of changes: what it would tell of is read again, and clients hear of what differs. */
  missed(link: Link): void {
    for (const kind of listingKinds)
      if (asRecord(declaredOf(link, kind))["listChanged"] === true) void this.refresh(link, kind, true);
  }

  /** Reads the listing again, once however many ask. `stale`: what is being read now may be the old state. */
  refresh(link: Link, kind: ListingKind, stale: boolean): Promise<void> {
    const reading = this.#readings.get(kind);
    if (!reading) return this.#begin(link, kind);
    const replaced = link !== reading.link;
    if (link.usable && (stale || replaced)) reading.again = link;
    // What a link that was replaced may still answer is of no use.
    if (link.usable && replaced)
      reading.scope.cancel(this.#fail("badListing", kind, "was read on a link that was replaced"));
    return reading.done;
  }

  #begin(link: Link, kind: ListingKind): Promise<void> {
    this.#retries.get(kind)?.();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const reading: Reading = { since: Date.now(), done, link, scope: new Scope(), again: undefined };
    this.#readings.set(kind, reading);
    void this.#read(reading, kind).finally(() => {
      this.#readings.delete(kind);
      resolve();
      const { again } = reading;
      const trouble = this.#snapshots.get(kind)?.trouble;
      if (again) this.#later(again, kind, pauseMs);
      else if (trouble)
        this.#later(reading.link, kind, Math.min(firstRetryMs * 2 ** (trouble.failures - 1), lastRetryMs));
    });
    return done;
  }

  /** Reads again after some time, unless it is read before, or the link ends: the next one is read anyway. */
  #later(link: Link, kind: ListingKind, delayMs: number): void {
    if (!link.usable) return;
    const stop = after(delayMs, () => {
      forget();
      if (link.usable) void this.refresh(link, kind, true);
    });
    const release = link.life.onCancel(() => forget());
    const forget = (): void => {
      stop();
      release();
      this.#retries.delete(kind);
    };
    this.#retries.set(kind, forget);
  }

  async #read(reading: Reading, kind: ListingKind): Promise<void> {
    const before = this.#snapshots.get(kind)?.slab ?? this.#empty;
    for (let readings = 0; readings < maxReadings; readings += 1) {
      reading.link = reading.again ?? reading.link;
      reading.again = undefined;
      await this.#attempt(reading, kind);
      if (!reading.again) break;
    }
    const isSame = sameSlab(before, this.#snapshots.get(kind)?.slab ?? this.#empty);
    if (this.#isNews(kind, isSame)) this.#options.changed(kind, before);
  }

  async #attempt(reading: Reading, kind: ListingKind): Promise<void> {
    const { connectMs } = this.#backend.plan;
    const late = (): GatewayError => this.#fail("listingLate", kind, `was not complete after ${connectMs} ms`);
    using scope = new Scope(undefined, connectMs, late);
    reading.scope = scope;
    const { shape } = this.#options;
    const backend = this.#backend.plan.name;
    const fail = (why: string): GatewayError => this.#fail("badListing", kind, why);
    const source = { link: reading.link, kind, backend, limits: this.#options.limits(), fail };
    const outcome = await readListing(source, scope);
    if (outcome.kind === "whole")
      this.#put(kind, { whole: shape(kind, outcome.slab), hint: outcome.hint, readAt: Date.now(), trouble: undefined });
    // The failure of a link that has been replaced says nothing of the backend.
    else if (!reading.again) this.#keep(kind, outcome.error, outcome.found && shape(kind, outcome.found));
  }

  /** What was known last stays; what a first reading has found before it failed is better than nothing. */
  #keep(kind: ListingKind, error: GatewayError, found: Slab = this.#empty): void {
    const { whole, hint, readAt, trouble } = this.#snapshots.get(kind) ?? unread(this.#empty);
    const { since = Date.now(), failures = 0 } = trouble ?? {};
    // One that fails now here and now there must not be told of each time.
    const isMore = readAt === 0 && found.locals.length > whole.locals.length;
    const failed = { error, since, at: Date.now(), failures: failures + 1 };
    if (!trouble) this.#options.troubled(error);
    this.#put(kind, { whole: isMore ? found : whole, hint, readAt, trouble: failed });
  }

  #put(kind: ListingKind, snapshot: Omit<Snapshot, "slab">): void {
    const known = this.#snapshots.get(kind)?.whole;
    const isSame = known !== undefined && sameSlab(known, snapshot.whole);
    const whole = isSame ? known : this.#options.share(kind, snapshot.whole);
    this.#snapshots.set(kind, { ...snapshot, whole, slab: this.#options.judge(kind, whole) });
  }

  /** What may be used has to be decided again. */
  judge(): void {
    for (const [kind, snapshot] of [...this.#snapshots]) {
      this.#put(kind, snapshot);
      const { slab } = this.#snapshots.get(kind) ?? snapshot;
      if (!sameSlab(snapshot.slab, slab)) this.#options.changed(kind, snapshot.slab);
    }
  }

  #fail(code: ErrorCode, kind: ListingKind, why: string): GatewayError {
    const { name } = this.#backend.plan;
    return new GatewayError(code, `${kinds[kind].method} of backend "${name}" ${why}`, { backend: name });
  }
}

/** What the backend says that it can of a listing; undefined where it has none. */
function declaredOf({ facts }: Link, kind: ListingKind): unknown {
  return facts?.capabilities[kinds[kind].capability];
}

function unread(slab: Slab): Snapshot {
  return { slab, whole: slab, readAt: 0, hint: undefined, trouble: undefined };
}
