// An event stream on its way to a client: the frames of one turn leave in one chunk.

import { allocate, copyPart } from "../core/text.ts";
import type { EventSink } from "./eventlog.ts";

/** The connection that a stream is written to. */
export interface ChunkOutput {
  /** Where a few bytes are put together, to be written by `writeStart` in the same turn. */
  readonly encoder: { readonly chunkRoom: Uint8Array };
  write(bytes: Uint8Array): void;
  /** Writes the first of these bytes, which are used again at once. */
  writeStart(bytes: Uint8Array, length: number): void;
  /** `congestion` resolves when the client keeps up again; undefined where it does. */
  readonly out: { readonly congestion: Promise<void> | undefined };
  /** The stream is over, and its last bytes were written. */
  ended(): void;
}

/** Where nobody listens any more. */
export const silentSink: EventSink = { write: () => {}, end: () => {} };

const lineEnd = "\r\n";
const lastChunk = "0\r\n\r\n";
/** At most, of what is around the frames. */
const overhead = 32;
const nothing = new Uint8Array();

export class ChunkSink implements EventSink {
  readonly #output: ChunkOutput;
  readonly #isChunked: boolean;
  #frames: Uint8Array[] = [];
  #head: Uint8Array | undefined;
  #flushing: (() => void) | undefined;
  #scheduled = false;
  #state: "open" | "ending" | "over" = "open";
  #gone: (() => void) | undefined;

  /** `head` leaves with the first frames. Without chunks (HTTP/1.0) the end of the connection ends the stream. */
  constructor(output: ChunkOutput, head: Uint8Array, isChunked: boolean) {
    this.#output = output;
    this.#head = head;
    this.#isChunked = isChunked;
    this.#schedule();
  }

  /** Called once: from here on `gone` hears when the client is lost before the end. */
  watch(gone: () => void): void {
    this.#gone = gone;
    // Lost while it was opened.
    if (this.#state === "over") gone();
  }

  write(frame: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#frames.push(frame);
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
    this.#state = "over";
    this.#frames = [];
    this.#gone?.();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#flushing ??= () => this.#flush();
    queueMicrotask(this.#flushing);
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#state === "over") return;
    const isEnd = this.#state === "ending";
    if (isEnd) this.#state = "over";
    this.#write(isEnd);
    if (isEnd) this.#output.ended();
  }

  /** Writes head, frames and end, as far as they are due, in one piece. */
  #write(isEnd: boolean): void {
    const head = this.#head ?? nothing;
    const frames = this.#frames;
    this.#head = undefined;
    this.#frames = [];
    let size = 0;
    for (const frame of frames) size += frame.length;
    const { chunkRoom: room } = this.#output.encoder;
    const bytes = head.length + size + overhead <= room.length ? room : allocate(head.length + size + overhead);
    const isChunk = this.#isChunked && size > 0;
    let at = copyPart(head, 0, head.length, bytes, 0);
    if (isChunk) at = put(bytes, at, `${size.toString(16)}\r\n`);
    for (const frame of frames) at = copyPart(frame, 0, frame.length, bytes, at);
    if (isChunk) at = put(bytes, at, lineEnd);
    if (isEnd && this.#isChunked) at = put(bytes, at, lastChunk);
    if (bytes === room) this.#output.writeStart(room, at);
    else this.#output.write(bytes.subarray(0, at));
  }
}

/** Writes ASCII text; returns where it ends. */
function put(bytes: Uint8Array, start: number, text: string): number {
  for (let at = 0; at < text.length; at += 1) bytes[start + at] = text.charCodeAt(at);
  return start + text.length;
}
