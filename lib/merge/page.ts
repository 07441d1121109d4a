// Pages of a merged listing: what comes next behind a position that outlives every change, and the bytes of it.

import { type Rooms, takeRoom } from "../core/room.ts";
import { copyBytes } from "../core/text.ts";
import { placeBehind, type Section } from "./section.ts";

/**
 * How far a walk has come: by the mark of each backend whose items were seen, the exposed name of the last one, or undefined
 * where it was the last of all. It says nothing of the others, nor of their order, so that whatever is added, removed or
 * moved cannot hide an item or show it twice.
 */
export type Walk = ReadonlyMap<string, string | undefined>;

/** Items next to each other in a section: those at `from` up to, and without, `to`. */
interface Run {
  readonly section: Section;
  readonly from: number;
  readonly to: number;
}

export interface Cut {
  readonly runs: readonly Run[];
  /** Undefined on the last page. */
  readonly next: Walk | undefined;
}

export const walkStart: Walk = new Map();

/** The next `size` items behind `walk`; sections inside of which it stopped come first. */
export function cutPage(sections: readonly Section[], walk: Walk, size: number): Cut {
  const left = sections.filter(({ mark, names }) => names.length > 0 && !isDone(walk, mark));
  const begun = walk.size > 0 ? left.filter(({ mark }) => walk.has(mark)) : [];
  const ordered = begun.length > 0 ? [...begun, ...left.filter(({ mark }) => !walk.has(mark))] : left;
  const runs: Run[] = [];
  const seen = new Map(walk);
  let room = size;
  for (const section of ordered) {
    const { mark, prefix, names } = section;
    const last = walk.get(mark);
    const from = last === undefined ? 0 : placeBehind(section, last);
    const to = Math.min(names.length, from + room);
    if (to > from) runs.push({ section, from, to });
    else if (from < names.length) return { runs, next: seen };
    room -= to - from;
    seen.set(mark, to < names.length ? prefix + (names[to - 1] ?? "") : undefined);
    if (to < names.length) return { runs, next: seen };
  }
  return { runs, next: undefined };
}

function isDone(walk: Walk, mark: string): boolean {
  return walk.has(mark) && walk.get(mark) === undefined;
}

const quote = 0x22;

/** `head`, the items of a page with commas between them, and `tail`, in one piece. */
export function writePage({ runs }: Cut, head: Uint8Array, tail: Uint8Array, rooms: Rooms): Uint8Array {
  const items = runs.reduce((sum, run) => sum + runBytes(run), 0);
  // The last comma is written over: no tail is empty.
  const comma = items > 0 ? 1 : 0;
  const target = takeRoom(rooms, head.length + items - comma + tail.length);
  target.set(head);
  let at = head.length;
  for (const run of runs) at = writeRun(run, target, at);
  target.set(tail, target.length - tail.length);
  return target;
}

function runBytes({ section, from, to }: Run): number {
  const { slab, prefix, names, rows } = section;
  const { starts, keys, locals } = slab;
  if (prefix === "" && names === locals) return (starts[to] ?? 0) - (starts[from] ?? 0);
  let bytes = 0;
  for (let at = from; at < to; at += 1) {
    const row = rows ? (rows[at] ?? 0) : at;
    const name = names[at] ?? "";
    bytes += (starts[row + 1] ?? 0) - (starts[row] ?? 0);
    if (prefix !== "" || name !== locals[row])
      bytes += prefix.length + name.length + 2 - ((keys[2 * row + 1] ?? 0) - (keys[2 * row] ?? 0));
  }
  return bytes;
}

/** What stands between two changed names is copied in one piece, over the ends of items. Returns where it ends. */
function writeRun({ section, from, to }: Run, target: Uint8Array, start: number): number {
  const { slab, prefix, names, rows } = section;
  const { bytes, starts, keys, locals } = slab;
  const isPlain = prefix === "" && names === locals;
  let at = start;
  let copied = starts[rows ? (rows[from] ?? 0) : from] ?? 0;
  let end = copied;
  const copyTo = (place: number): void => {
    copyBytes(bytes, copied, place, target, at);
    at += place - copied;
    copied = place;
  };
  for (let item = from; item < to; item += 1) {
    const row = rows ? (rows[item] ?? 0) : item;
    const begin = starts[row] ?? 0;
    if (begin !== end) {
      copyTo(end);
      copied = begin;
    }
    const name = names[item] ?? "";
    if (!isPlain && (prefix !== "" || name !== locals[row])) {
      copyTo(keys[2 * row] ?? 0);
      target[at] = quote;
      at = writeText(prefix, target, at + 1);
      at = writeText(name, target, at);
      target[at] = quote;
      at += 1;
      copied = keys[2 * row + 1] ?? 0;
    }
    end = starts[row + 1] ?? 0;
  }
  copyTo(end);
  return at;
}

/** Names that are written are plain ASCII: nothing in them needs an escape. */
function writeText(text: string, target: Uint8Array, start: number): number {
  for (let at = 0; at < text.length; at += 1) target[start + at] = text.charCodeAt(at);
  return start + text.length;
}
