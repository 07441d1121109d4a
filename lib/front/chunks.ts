// An event stream on its way to a client: the frames of one turn leave in one chunk.

import { allocate, copyBytes } from "../core/text.ts";
import type { EventSink } from "./eventlog.ts";

export interface ChunkOutput {
  /** The head of the answer; leaves with the first frames. */
  readonly head: Uint8Array;
  /** False for HTTP/1.0: the end of the connection ends the stream. */
  readonly chunked: boolean;
  write(bytes: Uint8Array): void;
  /** Resolves when the client keeps up again; undefined where it does. */
  congestion(): Promise<void> | undefined;
  /** The stream is over, and its last bytes were written. */
  ended(): void;
}

/** Where nobody listens any more. */
export const silentSink: EventSink = { write: () => {}, end: () => {} };

const lineEnd = "\r\n";
const lastChunk = "0\r\n\r\n";
const nothing = new Uint8Array();

export class ChunkSink implements EventSink {
  readonly #output: Omit<ChunkOutput, "head">;
  #frames: Uint8Array[] = [];
  #head: Uint8Array | undefined;
  #scheduled = false;
  #state: "open" | "ending" | "over" = "open";
  #gone: (() => void) | undefined;

  constructor(output: ChunkOutput) {
    const { head, ...rest } = output;
    this.#output = rest;
    this.#head = head;
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
    return this.#state === "open" ? this.#output.congestion() : undefined;
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
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#state === "over") return;
    const isEnd = this.#state === "ending";
    if (isEnd) this.#state = "over";
    const bytes = this.#join(isEnd);
    if (bytes.length > 0) this.#output.write(bytes);
    if (isEnd) this.#output.ended();
  }

  /** Head, frames and end, as far as they are due, in one piece. */
  #join(isEnd: boolean): Uint8Array {
    const head = this.#head ?? nothing;
    const frames = this.#frames;
    this.#head = undefined;
    this.#frames = [];
    let size = 0;
    for (const frame of frames) size += frame.length;
    const { chunked } = this.#output;
    const sizeLine = chunked && size > 0 ? `${size.toString(16)}\r\n` : "";
    const end = chunked ? (sizeLine === "" ? "" : lineEnd) + (isEnd ? lastChunk : "") : "";
    const bytes = allocate(head.length + sizeLine.length + size + end.length);
    bytes.set(head);
    let at = put(bytes, head.length, sizeLine);
    for (const frame of frames) {
      copyBytes(frame, 0, frame.length, bytes, at);
      at += frame.length;
    }
    put(bytes, at, end);
    return bytes;
  }
}

/** Writes ASCII text; returns where it ends. */
function put(bytes: Uint8Array, start: number, text: string): number {
  for (let at = 0; at < text.length; at += 1) bytes[start + at] = text.charCodeAt(at);
  return start + text.length;
}
