// One backend's listing of one kind as it is kept: the bytes of its items in one piece, in the order of their names.

import { copyBytes } from "../core/text.ts";
import type { Era } from "../protocol/codec.ts";
import { findField, wholeOf } from "../protocol/fields.ts";
import { keyText, type Page } from "./catalog.ts";

export interface Slab {
  readonly backend: string;
  /** Of the server that sent the items. */
  readonly era: Era;
  /** The items as they came, in order, each with a comma behind it: a run of them needs no joining. */
  readonly bytes: Uint8Array;
  /** Where each item begins, and where the last one ends; the comma before is not a part of the item before. */
  readonly starts: Uint32Array;
  /** Start and end of the raw value that names each item. */
  readonly keys: Uint32Array;
  /** Names, URIs or URI templates as the items have them, ascending and each once. */
  readonly locals: readonly string[];
  /** The same as the backend knows them, where the config has renamed some. */
  readonly wires: readonly string[] | undefined;
  /** Names that came again; the first one counts. */
  readonly doubles: readonly string[];
}

/** An item of a page that is to be kept. */
interface Row {
  readonly local: string;
  /** Its name at the backend. */
  readonly wire: string;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly keyStart: number;
  readonly keyEnd: number;
}

const comma = 0x2c;

/** One piece of memory for the items of all pages; `era` is that of the server that sent them. */
export function buildSlab(backend: string, pages: readonly Page[], era: Era = "legacy"): Slab {
  const doubles: string[] = [];
  const rows = sortRows(pages.flatMap(rowsOf), doubles);
  return { backend, era, ...fill(rows), doubles };
}

/** An item in other words, and the name in it. */
export interface Reshaped {
  readonly bytes: Uint8Array;
  readonly local: string;
}

/**
 * The same items in other words, each as `change` gives it back, without those for which that is nothing. The slab itself
 * where no item differs.
 */
export function reshape(
  slab: Slab,
  key: string,
  change: (item: Uint8Array, local: string) => Reshaped | undefined,
): Slab {
  let isSame = true;
  const doubles = [...slab.doubles];
  const rows = slab.locals.flatMap((local, row): Row[] => {
    const item = itemAt(slab, row);
    const changed = change(item, local);
    if (changed?.bytes !== item) isSame = false;
    const named = changed && findField(changed.bytes, wholeOf(changed.bytes), key);
    if (!named) return [];
    const wire = slab.wires?.[row] ?? local;
    const { bytes } = changed;
    const place = { start: 0, end: bytes.length, keyStart: named.start, keyEnd: named.end };
    return [{ local: changed.local, wire, bytes, ...place }];
  });
  return isSame ? slab : { ...slab, ...fill(sortRows(rows, doubles)), doubles };
}

function fill(rows: readonly Row[]): Pick<Slab, "bytes" | "starts" | "keys" | "locals" | "wires"> {
  const size = rows.reduce((sum, { start, end }) => sum + end - start + 1, 0);
  // Not of the pool: it is kept for long. Every byte of it is written.
  const bytes = Buffer.allocUnsafeSlow(size);
  const starts = new Uint32Array(rows.length + 1);
  const keys = new Uint32Array(rows.length * 2);
  let at = 0;
  for (const [row, { bytes: from, start, end, keyStart, keyEnd }] of rows.entries()) {
    copyBytes(from, start, end, bytes, at);
    starts[row] = at;
    keys[2 * row] = at + keyStart - start;
    keys[2 * row + 1] = at + keyEnd - start;
    at += end - start;
    bytes[at] = comma;
    at += 1;
  }
  starts[rows.length] = at;
  const isRenamed = rows.some(({ local, wire }) => local !== wire);
  const wires = isRenamed ? rows.map(({ wire }) => wire) : undefined;
  return { bytes, starts, keys, locals: rows.map(({ local }) => local), wires };
}

function rowsOf({ bytes, items }: Page): readonly Row[] {
  return items.map(({ item, key }) => {
    const local = keyText(bytes, key);
    const place = { start: item.start, end: item.end, keyStart: key.start, keyEnd: key.end };
    return { local, wire: local, bytes, ...place };
  });
}

/** By name; of several with one name the one that came first. */
function sortRows(rows: readonly Row[], doubles: string[]): readonly Row[] {
  const sorted = rows.toSorted((a, b) => (a.local < b.local ? -1 : a.local > b.local ? 1 : 0));
  return sorted.filter(({ local }, at) => {
    const isFirst = sorted[at - 1]?.local !== local;
    if (!isFirst) doubles.push(local);
    return isFirst;
  });
}

export function emptySlab(backend: string): Slab {
  return buildSlab(backend, []);
}

/** An item as it came; a view. */
export function itemAt({ bytes, starts }: Slab, row: number): Uint8Array {
  return bytes.subarray(starts[row], (starts[row + 1] ?? 1) - 1);
}

/** True where two slabs hold the same items: then nobody needs to be told, and one of them is enough. */
export function sameSlab(a: Slab, b: Slab): boolean {
  return a === b || (a.bytes.length === b.bytes.length && Buffer.compare(a.bytes, b.bytes) === 0);
}

/** Where `name` is in ascending names, or would be. */
export function placeOf(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] ?? "") < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The row of an item by the name that the backend knows; -1 where there is none. */
export function rowOfWire({ locals, wires }: Slab, wire: string): number {
  // Where some are renamed, the order is that of the new names.
  if (wires) return wires.indexOf(wire);
  const row = placeOf(locals, wire);
  return locals[row] === wire ? row : -1;
}
