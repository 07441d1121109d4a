// The part of a merged listing that one backend has: its items under their exposed names, in the order of these.

import { itemAt, placeOf, type Slab } from "./slab.ts";

export interface Section {
  readonly slab: Slab;
  /** Its backend, as positions name it. */
  readonly mark: string;
  /** What all exposed names begin with. */
  readonly prefix: string;
  /**
   * The rest of each, ascending and each once: mostly the local names themselves, which need no memory of their own then.
   * An exposed name that differs from the local one is plain ASCII.
   */
  readonly names: readonly string[];
  /** The row of each name in the slab; undefined where they are the rows in order. */
  readonly rows: Uint32Array | undefined;
}

/** Cursors travel with every page, and 2^48 is far from the number of anybody's backends. */
export const markLength: number = 8;

/** 48 bits of the name, mixed as MurmurHash does it: positions are sealed, so that nobody can look for two names with one mark. */
function markOf(backend: string): string {
  let [high, low] = [backend.length, 0x9e3779b9];
  for (const byte of Buffer.from(backend)) {
    high = mixed(high ^ byte);
    low = mixed(low + byte) ^ high;
  }
  const mark = Buffer.alloc((markLength * 6) / 8);
  mark.writeUInt32BE(mixed(low ^ (high << 7)) >>> 0, 0);
  mark.writeUInt16BE(mixed(high ^ low) >>> 16, 4);
  return mark.toString("base64url");
}

function mixed(word: number): number {
  const once = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return twice ^ (twice >>> 16);
}

/** All items of a slab under their own names, with a prefix before each. */
export function plainSection(slab: Slab, prefix: string = ""): Section {
  return { slab, mark: markOf(slab.backend), prefix, names: slab.locals, rows: undefined };
}

/** A section of these rows, ascending, under names that stand beside them. */
export function buildSection(slab: Slab, rows: readonly number[], names: readonly string[]): Section {
  const isWhole = rows.length === slab.locals.length;
  if (isAscending(names)) {
    const isPlain = isWhole && names.every((name, at) => name === slab.locals[at]);
    if (isPlain) return plainSection(slab);
    return { ...plainSection(slab), names, rows: isWhole ? undefined : Uint32Array.from(rows) };
  }
  const order = names.map((_name, at) => at).sort((a, b) => ((names[a] ?? "") < (names[b] ?? "") ? -1 : 1));
  return {
    ...plainSection(slab),
    names: order.map((at) => names[at] ?? ""),
    rows: Uint32Array.from(order, (at) => rows[at] ?? 0),
  };
}

function isAscending(names: readonly string[]): boolean {
  for (let at = 1; at < names.length; at += 1) if ((names[at - 1] ?? "") >= (names[at] ?? "")) return false;
  return true;
}

/** The row of an exposed name in the slab; -1 where the section has none of it. */
export function rowOf({ prefix, names, rows }: Section, exposed: string): number {
  if (!exposed.startsWith(prefix)) return -1;
  const rest = exposed.slice(prefix.length);
  const at = placeOf(names, rest);
  if (names[at] !== rest) return -1;
  return rows ? (rows[at] ?? 0) : at;
}

/** The name in the item of an exposed one; undefined where the section has none of it. */
export function localOf(section: Section, exposed: string): string | undefined {
  return section.slab.locals[rowOf(section, exposed)];
}

/** What the backend calls the item of an exposed name; undefined where the section has none of it. */
export function wireOf(section: Section, exposed: string): string | undefined {
  const row = rowOf(section, exposed);
  return section.slab.wires?.[row] ?? section.slab.locals[row];
}

/** Where the first name behind `last` is. */
export function placeBehind({ prefix, names }: Section, last: string): number {
  if (!last.startsWith(prefix)) return last < prefix ? 0 : names.length;
  const rest = last.slice(prefix.length);
  const place = placeOf(names, rest);
  return names[place] === rest ? place + 1 : place;
}

/** Whether two states of a section show the same: then nobody who sees only this part needs to be told. */
export function sameSection(a: Section, b: Section): boolean {
  return (
    a.names.length === b.names.length &&
    a.names.every((name, at) => {
      if (a.prefix + name !== b.prefix + (b.names[at] ?? "")) return false;
      return Buffer.compare(rowAt(a, at), rowAt(b, at)) === 0;
    })
  );
}

function rowAt({ slab, rows }: Section, at: number): Uint8Array {
  return itemAt(slab, rows ? (rows[at] ?? 0) : at);
}
