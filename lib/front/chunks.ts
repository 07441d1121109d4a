// An event stream on its way to a client: the frames of one turn leave in one chunk.

import { atTurnEnd } from "../core/scope.ts";
import { allocate, copyPart, putAscii } from "../core/text.ts";
import type { Crowd } from "./crowd.ts";
import type { EventSink } from "./eventlog.ts";
import { type EventBody, type Leave, tellGone } from "./exchange.ts";
import type { Frame, LoggedEvent } from "./logged.ts";

/** The connection that a stream is written to. */
export interface ChunkOutput {
  /** Where a few bytes are put together, to be written by `writeStart` in the same turn. */
  readonly encoder: { readonly chunkRoom: Uint8Array; readonly chunkTurn: ChunkTurn; readonly crowd: Crowd };
  write(bytes: Uint8Array): void;
  /** Writes the first of these bytes, which are used again at once. */
  writeStart(bytes: Uint8Array, length: number): void;
  /** `congestion` resolves when the client keeps up again; undefined where it does. */
  readonly out: { readonly congestion: Promise<void> | undefined };
  /** The stream is over, and its last bytes were written. */
  ended(): void;
}

const silentSink: EventSink = { write: () => {}, end: () => {} };

/** Tells a stream whose client is gone before it began. */
export function leaveAtOnce(body: EventBody): void {
  tellGone(body.open(silentSink));
}

const lineEnd = "\r\n";
const lastChunk = "0\r\n\r\n";
/** At most, of what is around the frames. */
const overhead = 32;
const nothing = new Uint8Array();
const none: readonly Frame[] = [];

/**
 * The streams of all connections that have something to write. They do so when the turn is over: what reads and what
 * writes then find their code in the processor's caches, and a client with many streams is woken once for all of them.
 */
export class ChunkTurn {
  #sinks: ChunkSink[] = [];
  readonly #end = (): void => {
    const sinks = this.#sinks;
    this.#sinks = [];
    for (const sink of sinks) sink.flush();
  };

  add(sink: ChunkSink): void {
    if (this.#sinks.push(sink) === 1) atTurnEnd(this.#end);
  }
}

export class ChunkSink implements EventSink {
  readonly #output: ChunkOutput;
  readonly #isChunked: boolean;
  /** Most turns bring one. */
  #frame: Frame | undefined;
  #more: Frame[] | undefined;
  #head: Uint8Array | undefined;
  #scheduled = false;
  #state: "open" | "ending" | "over" = "open";
  #gone: Leave | undefined;

  /** `head` leaves with the first frames. Without chunks (HTTP/1.0) the end of the connection ends the stream. */
  constructor(output: ChunkOutput, head: Uint8Array, isChunked: boolean) {
    this.#output = output;
    this.#head = head;
    this.#isChunked = isChunked;
    output.encoder.crowd.opened();
    this.#schedule();
  }

  /** Called once: from here on `gone` hears when the client is lost before the end. */
  watch(gone: Leave): void {
    this.#gone = gone;
    // Lost while it was opened.
    if (this.#state === "over") tellGone(gone);
  }

  write(frame: Uint8Array): void {
    this.#add(new Ready(frame));
  }

  writeEvent(event: LoggedEvent): void {
    this.#add(event);
  }

  #add(frame: Frame): void {
    if (this.#state !== "open") return;
    if (this.#frame) (this.#more ??= []).push(frame);
    else this.#frame = frame;
    this.#schedule();
  }

  get congestion(): Promise<void> | undefined {
    return this.#state === "open" ? this.#output.out.congestion : undefined;
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#schedule();
  }

  /** Called by the connection: the client is gone. */
  lose(): void {
    if (this.#state === "over") return;
    this.#over();
    this.#frame = this.#more = undefined;
    tellGone(this.#gone);
  }

  #over(): void {
    this.#state = "over";
    this.#output.encoder.crowd.closed();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#output.encoder.chunkTurn.add(this);
  }

  /** The turn is over. */
  flush(): void {
    this.#scheduled = false;
    if (this.#state === "over") return;
    const isEnd = this.#state === "ending";
    if (isEnd) this.#over();
    this.#write(isEnd);
    if (isEnd) this.#output.ended();
  }

  /** Writes head, frames and end, as far as they are due, in one piece. */
  #write(isEnd: boolean): void {
    const head = this.#head ?? nothing;
    const frame = this.#frame;
    const more = this.#more ?? none;
    this.#head = undefined;
    this.#frame = this.#more = undefined;
    let size = frame ? frame.size : 0;
    for (const next of more) size += next.size;
    const { chunkRoom: room } = this.#output.encoder;
    const bytes = head.length + size + overhead <= room.length ? room : allocate(head.length + size + overhead);
    const isChunk = this.#isChunked && size > 0;
    let at = copyPart(head, 0, head.length, bytes, 0);
    if (isChunk) at = putAscii(lineEnd, bytes, putHex(size, bytes, at));
    if (frame) at = frame.put(bytes, at);
    for (const next of more) at = next.put(bytes, at);
    if (isChunk) at = putAscii(lineEnd, bytes, at);
    if (isEnd && this.#isChunked) at = putAscii(lastChunk, bytes, at);
    if (bytes === room) this.#output.writeStart(room, at);
    else this.#output.write(bytes.subarray(0, at));
  }
}

/** Bytes that are there already. */
class Ready implements Frame {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  put(target: Uint8Array, at: number): number {
    return copyPart(this.#bytes, 0, this.#bytes.length, target, at);
  }
}

/** Writes a number in hexadecimal digits; returns where they end. */
function putHex(value: number, bytes: Uint8Array, start: number): number {
  let end = start + 1;
  for (let rest = value >>> 4; rest > 0; rest >>>= 4) end += 1;
  let rest = value;
  for (let at = end - 1; at >= start; at -= 1) {
    const digit = rest & 15;
    bytes[at] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    rest >>>= 4;
  }
  return end;
}
