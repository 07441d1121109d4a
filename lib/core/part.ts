// A message that lies in other bytes, with one span of it replaced, before somebody makes it.

import { copyPart } from "./text.ts";

export interface Part {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** What is replaced. */
  readonly cut: number;
  readonly cutEnd: number;
  readonly by: Uint8Array;
}

export function partSize({ start, end, cut, cutEnd, by }: Part): number {
  return end - start - (cutEnd - cut) + by.length;
}

/** Writes the message; returns where it ends. */
export function putPart({ bytes, start, end, cut, cutEnd, by }: Part, target: Uint8Array, at: number): number {
  let to = copyPart(bytes, start, cut, target, at);
  to = copyPart(by, 0, by.length, target, to);
  return copyPart(bytes, cutEnd, end, target, to);
}

export function partBytes(part: Part): Uint8Array {
  const bytes = new Uint8Array(partSize(part));
  putPart(part, bytes, 0);
  return bytes;
}
