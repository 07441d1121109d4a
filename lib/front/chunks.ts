// An event stream on its way to a client: the frames of one turn leave in one chunk.

import { joinBytes } from "../core/text.ts";
import type { EventSink } from "./eventlog.ts";

export interface ChunkOutput {
  /** The head of the answer; leaves with the first frames. */
  readonly head: Uint8Array;
  /** False for HTTP/1.0: the end of the connection ends the stream. */
  readonly chunked: boolean;
  write(bytes: Uint8Array): void;
  /** The stream is over, and its last bytes were written. */
  ended(): void;
}

const lineEnd = Buffer.from("\r\n");
const lastChunk = Buffer.from("0\r\n\r\n");

export class ChunkSink implements EventSink {
  readonly #output: ChunkOutput;
  #frames: Uint8Array[] = [];
  #head: Uint8Array | undefined;
  #scheduled = false;
  #state: "open" | "ending" | "over" = "open";
  #gone: (() => void) | undefined;

  constructor(output: ChunkOutput) {
    this.#output = output;
    this.#head = output.head;
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
    const parts: Uint8Array[] = [];
    if (this.#head) parts.push(this.#head);
    this.#head = undefined;
    const frames = this.#frames;
    this.#frames = [];
    if (frames.length > 0) {
      const { chunked } = this.#output;
      if (chunked) parts.push(sizeLine(frames));
      parts.push(...frames);
      if (chunked) parts.push(lineEnd);
    }
    const isEnd = this.#state === "ending";
    if (isEnd && this.#output.chunked) parts.push(lastChunk);
    if (isEnd) this.#state = "over";
    const [only = new Uint8Array(), ...more] = parts;
    if (parts.length > 0) this.#output.write(more.length === 0 ? only : joinBytes(parts));
    if (isEnd) this.#output.ended();
  }
}

function sizeLine(frames: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const frame of frames) size += frame.length;
  return Buffer.from(`${size.toString(16)}\r\n`, "latin1");
}
