// A message that lies in other bytes, with one span of it replaced, before somebody makes it.

import { hasPlainSockets } from "./tcp.ts";
import { copyPart, cut as cutOut } from "./text.ts";

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

/** Takes parts, one after another. */
export interface PartSink {
  sendPart(part: Part): void;
  /** Resolves when it takes more without growing; undefined where it does. */
  readonly congestion: Promise<void> | undefined;
}

/** Whether somebody took a part; a promise where nothing more should come before that is resolved. */
export type Taken = boolean | Promise<void>;

/** What a part may lie in beside itself, where it is kept for long. */
const maxAround = 256;

/** The same part, in bytes that may be kept: those that came from a socket, or a copy where they hold much more. */
export function keptPart(part: Part): Part {
  const { bytes, start, end, cut, cutEnd, by } = part;
  // A view would keep all that it is a view of.
  if (hasPlainSockets && bytes.byteOffset === 0 && bytes.length - (end - start) <= maxAround) return part;
  return { bytes: cutOut(bytes, start, end), start: 0, end: end - start, cut: cut - start, cutEnd: cutEnd - start, by };
}
