// Large messages in memory that is used again, with room around them: a part can be replaced without a copy of the rest.

import type { Span } from "./json.ts";

/** Before and after the bytes; the ids that clients make are shorter. */
const roomBytes = 256;
/** So much is believed of an announced length; what is longer grows as it comes. */
const trustedBytes = 4 * 2 ** 20;
/** Only large pieces of memory are worth keeping, and not the largest. */
const minKeptBytes = 64 * 1024;
const maxKeptBytes = 4 * 2 ** 20;
const stepBytes = 64 * 1024;
/** Of all that are kept. */
const keptBytes = 8 * 2 ** 20;

/** Memory for messages. A fresh megabyte costs more than copying one: page faults first, and garbage collection later. */
export class Rooms {
  #kept: ArrayBufferLike[] = [];
  #keptBytes = 0;

  /** Memory for at least so many bytes and the room around them. */
  take(length: number): Buffer {
    const needed = length + 2 * roomBytes;
    // Messages of one kind differ by a few bytes, and the memory of one is to fit the next.
    const size = needed < minKeptBytes ? needed : Math.ceil(needed / stepBytes) * stepBytes;
    const at = this.#kept.findIndex(({ byteLength }) => byteLength >= size && byteLength <= 2 * size);
    const [known] = at < 0 ? [] : this.#kept.splice(at, 1);
    // Not of the pool that small buffers share: what is around the bytes is theirs.
    if (!known) return Buffer.allocUnsafeSlow(size);
    this.#keptBytes -= known.byteLength;
    return Buffer.from(known);
  }

  /** Takes memory back that nobody looks at any more. */
  put(memory: ArrayBufferLike): void {
    const size = memory.byteLength;
    if (size < minKeptBytes || size > maxKeptBytes || this.#keptBytes + size > keptBytes) return;
    this.#kept.push(memory);
    this.#keptBytes += size;
  }

  clear(): void {
    this.#kept = [];
    this.#keptBytes = 0;
  }
}

/** Where the memory of bytes came from that have one owner. */
const homes = new WeakMap<Uint8Array, Rooms>();

/** Memory for bytes of this length, which the caller writes and hands on; their last owner gives it back. */
export function takeRoom(rooms: Rooms, length: number): Uint8Array {
  if (length < minKeptBytes) return Buffer.allocUnsafe(length);
  const bytes = Buffer.from(rooms.take(length).buffer, roomBytes, length);
  homes.set(bytes, rooms);
  return bytes;
}

/** Bytes that come in pieces. */
export class RoomyBytes {
  readonly #maxBytes: number;
  readonly #rooms: Rooms;
  readonly #expected: number | undefined;
  #memory: Buffer;
  #length = 0;

  /** `expected`: how many will come, where that is known. */
  constructor(rooms: Rooms, expected: number | undefined, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#rooms = rooms;
    this.#expected = expected;
    this.#memory = rooms.take(Math.min(expected ?? 0, trustedBytes));
  }

  /** False where the bytes are more than they may be. */
  add(piece: Uint8Array): boolean {
    const length = this.#length + piece.length;
    if (length > this.#maxBytes) return false;
    if (length + 2 * roomBytes > this.#memory.length) {
      // Doubled, so that each byte is copied a constant number of times.
      const grown = this.#rooms.take(Math.max(length, Math.min(2 * length, this.#expected ?? Infinity)));
      grown.set(this.#memory.subarray(0, roomBytes + this.#length));
      this.#memory = grown;
    }
    this.#memory.set(piece, roomBytes + this.#length);
    this.#length = length;
    return true;
  }

  /** What has come; nothing is added after this. */
  take(): Uint8Array {
    const bytes = Buffer.from(this.#memory.buffer, roomBytes, this.#length);
    homes.set(bytes, this.#rooms);
    return bytes;
  }
}

/**
 * Replaces a part of a {@link RoomyBytes} that nobody else looks at any more, moving the shorter side into the room around
 * it. Returns where the bytes are now; undefined where they are other bytes, or there is not enough room.
 */
export function replaceInPlace(bytes: Uint8Array, { start, end }: Span, by: Uint8Array): Uint8Array | undefined {
  const rooms = homes.get(bytes);
  if (!rooms) return undefined;
  const { buffer, byteOffset: first } = bytes;
  const more = by.length - (end - start);
  const last = first + bytes.length;
  const all = new Uint8Array(buffer);
  const isFront = start < bytes.length - end;
  if (more > (isFront ? first : all.length - last)) return undefined;
  if (isFront) all.copyWithin(first - more, first, first + start);
  else all.copyWithin(first + end + more, first + end, last);
  const from = isFront ? first - more : first;
  all.set(by, from + start);
  const moved = Buffer.from(buffer, from, bytes.length + more);
  homes.delete(bytes);
  homes.set(moved, rooms);
  return moved;
}

/** The last one who looked at these bytes is done with them: where they are a {@link RoomyBytes}, their memory is used again. */
export function giveBack(bytes: Uint8Array): void {
  homes.get(bytes)?.put(bytes.buffer);
  homes.delete(bytes);
}
