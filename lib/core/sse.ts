// Server-sent events as bytes: an incremental parser (HTML standard, 9.2 "Server-sent events"), and frames to send.
import { GatewayError } from "./errors.ts";
import { decode } from "./json.ts";

export interface SseEvent {
  readonly event: string | undefined;
  /** The data lines joined with LF; undefined when there was none. */
  readonly data: Uint8Array | undefined;
  /** The id that this event carries itself. */
  readonly id: string | undefined;
  readonly retryMs: number | undefined;
}

const lf = 0x0a;
const cr = 0x0d;
const colon = 0x3a;
const space = 0x20;

/** A buffer that is larger than this is not kept for the next event. */
const keptBytes = 64 * 1024;

/** Bytes that are appended piece by piece, each copied a constant number of times. */
class ByteBuffer {
  length = 0;
  #bytes = new Uint8Array(256);

  append(piece: Uint8Array): void {
    const length = this.length + piece.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.length);
    this.length = length;
  }

  /** What was appended; valid until the next `append`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
    if (this.#bytes.length > keptBytes) this.#bytes = new Uint8Array(256);
  }
}

/**
 * Turns the chunks of one event stream into events, wherever the chunks are cut. An event that is not finished when the
 * stream ends never comes out. After an error every `push` throws it again.
 */
export class SseParser {
  readonly #maxEventBytes: number;
  /** The line that the last chunk left unfinished. */
  readonly #line = new ByteBuffer();
  readonly #data = new ByteBuffer();
  #hasData = false;
  #event: string | undefined;
  #id: string | undefined;
  #retryMs: number | undefined;
  /** Bytes of the event's finished lines that are kept. */
  #held = 0;
  #atStart = true;
  #afterCr = false;
  #failure: GatewayError | undefined;

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  push(chunk: Uint8Array): SseEvent[] {
    if (this.#failure !== undefined) throw this.#failure;
    const events: SseEvent[] = [];
    // The two searches go on from where they last matched, or a chunk of many lines would be searched once per line.
    let nextLf = find(chunk, lf, 0);
    let nextCr = find(chunk, cr, 0);
    let pos = 0;
    if (this.#afterCr && chunk.length > 0) {
      this.#afterCr = false;
      if (nextLf === 0) pos = 1;
    }
    while (pos < chunk.length) {
      if (nextLf < pos) nextLf = find(chunk, lf, pos);
      if (nextCr < pos) nextCr = find(chunk, cr, pos);
      const end = Math.min(nextLf, nextCr);
      const piece = chunk.subarray(pos, end);
      this.#bound(piece.length);
      if (end === chunk.length) {
        this.#line.append(piece);
        break;
      }
      this.#endLine(piece, events);
      pos = end + 1;
      if (end === nextCr) {
        if (pos === chunk.length) this.#afterCr = true;
        else if (chunk[pos] === lf) pos++;
      }
    }
    return events;
  }

  #bound(more: number): void {
    if (this.#held + this.#line.length + more <= this.#maxEventBytes) return;
    this.#failure = new GatewayError("badProtocol", `an event is larger than ${this.#maxEventBytes} bytes`);
    this.#line.clear();
    this.#data.clear();
    throw this.#failure;
  }

  #endLine(piece: Uint8Array, events: SseEvent[]): void {
    let line = piece;
    if (this.#line.length > 0) {
      this.#line.append(piece);
      line = this.#line.view();
    }
    if (this.#atStart) {
      this.#atStart = false;
      if (line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) line = line.subarray(3);
    }
    if (line.length === 0) this.#dispatch(events);
    else this.#field(line);
    this.#line.clear();
  }

  #field(line: Uint8Array): void {
    const mark = find(line, colon, 0);
    if (mark === 0) return;
    const value = line.subarray(line[mark + 1] === space ? mark + 2 : mark + 1);
    switch (fieldName(line, mark)) {
      case "data":
        if (this.#hasData) this.#data.append(newline);
        this.#hasData = true;
        this.#data.append(value);
        break;
      case "event":
        this.#event = decode(value);
        break;
      case "id":
        if (!value.includes(0)) this.#id = decode(value);
        break;
      case "retry":
        this.#retryMs = parseDigits(value) ?? this.#retryMs;
        break;
      case undefined:
        return;
    }
    this.#held += line.length;
  }

  #dispatch(events: SseEvent[]): void {
    const data = this.#hasData ? this.#data.view().slice() : undefined;
    const id = this.#id;
    const retryMs = this.#retryMs;
    if (data !== undefined || id !== undefined || retryMs !== undefined) {
      events.push({ event: this.#event, data, id, retryMs });
    }
    this.#data.clear();
    this.#hasData = false;
    this.#event = this.#id = this.#retryMs = undefined;
    this.#held = 0;
  }
}

const newline = new Uint8Array([lf]);

/** Offset of the byte from `start` on, or the length where it is not there. */
function find(bytes: Uint8Array, byte: number, start: number): number {
  const at = bytes.indexOf(byte, start);
  return at < 0 ? bytes.length : at;
}

function fieldName(line: Uint8Array, length: number): "data" | "event" | "id" | "retry" | undefined {
  if (length > 5) return undefined;
  const name = decode(line.subarray(0, length));
  return name === "data" || name === "event" || name === "id" || name === "retry" ? name : undefined;
}

/** The number that a run of ASCII digits writes; undefined for anything else. */
function parseDigits(value: Uint8Array): number | undefined {
  if (value.length === 0 || value.some((byte) => byte < 0x30 || byte > 0x39)) return undefined;
  return Number(decode(value));
}

const encoder = new TextEncoder();
const dataStart = encoder.encode("data: ");

/** One event with `data`, which must already be one line (`toLine`), and an id that holds no line break. */
export function frameEvent(data: Uint8Array, id?: string): Uint8Array {
  const head = id === undefined ? dataStart : encoder.encode(`id: ${oneLine(id)}\ndata: `);
  const frame = new Uint8Array(head.length + data.length + 2);
  frame.set(head, 0);
  frame.set(data, head.length);
  frame.fill(lf, head.length + data.length);
  return frame;
}

/** A comment: keeps a silent stream open, and no client sees it. */
export function frameComment(text: string): Uint8Array {
  return encoder.encode(`: ${oneLine(text)}\n\n`);
}

/** 2025-11-25, Transports, "Sending Messages to the Server": the priming event lets a client resume before any message. */
export function frameRetry(retryMs: number, id: string): Uint8Array {
  return encoder.encode(`id: ${oneLine(id)}\nretry: ${retryMs}\ndata: \n\n`);
}

/** A line break would start a field that the text's author chose. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, " ");
}
