// Server-sent events as bytes: an incremental parser (HTML standard, 9.2 "Server-sent events").
import { asGatewayError, GatewayError } from "./errors.ts";
import { decode } from "./json.ts";
import type { LoneEvent } from "./sse-lone.ts";
import { cut } from "./text.ts";

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
  #bytes = nothing;

  append(piece: Uint8Array): void {
    const length = this.length + piece.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2, 256));
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
    if (this.#bytes.length > keptBytes) this.#bytes = nothing;
  }
}

const nothing = new Uint8Array();

/**
 * Turns the chunks of one event stream into events, wherever the chunks are cut. An event that is not finished when the
 * stream ends never comes out. After an error every `push` throws it again.
 */
export class SseParser {
  readonly #maxEventBytes: number;
  /** There only from the first event on that is not written as most are: thousands of streams may be open. */
  #lines: EventLines | undefined;
  #atStart = true;
  /** Of the chunk that is being taken: no CR lies before it. */
  #nextCr = 0;
  #failure: GatewayError | undefined;

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  push(chunk: Uint8Array): SseEvent[] {
    if (this.#failure !== undefined) throw this.#failure;
    const events: SseEvent[] = [];
    const pos = this.#takeWhole(chunk, events);
    if (pos < chunk.length) this.#takeLines(chunk, pos, events);
    return events;
  }

  /** Whether these bytes are one whole event in the form that `event` finds, and nothing of another one is held. */
  lone(bytes: Uint8Array, start: number, end: number, event: LoneEvent): boolean {
    if (!this.#isBetween || !event.find(bytes, start, end)) return false;
    this.#atStart = false;
    return true;
  }

  get #isBetween(): boolean {
    return this.#lines === undefined || this.#lines.isBetween;
  }

  /** Takes the events that lie in the chunk as most do, each without a copy of its lines; returns where the rest begins. */
  #takeWhole(chunk: Uint8Array, events: SseEvent[]): number {
    if (!this.#isBetween || (this.#atStart && chunk[0] === bom[0])) return 0;
    if (chunk.length > 0) this.#atStart = false;
    this.#nextCr = find(chunk, cr, 0);
    let pos = 0;
    for (let end = this.#takeEvent(chunk, 0, events); end > pos; end = this.#takeEvent(chunk, pos, events)) pos = end;
    return pos;
  }

  /**
   * Takes the event at `start` where all of it is here, with one line of data and in lines that end with LF or with
   * CRLF; returns the offset after it. What is not so is left to be taken line by line.
   */
  #takeEvent(chunk: Uint8Array, start: number, events: SseEvent[]): number {
    let event: string | undefined;
    let id: string | undefined;
    let dataStart = -1;
    let dataEnd = -1;
    let at = start;
    if (reads(chunk, at, eventField)) {
      event = "message";
      at += eventField.length;
    }
    while (at < chunk.length) {
      const next = chunk[at] === lf ? at : chunk.indexOf(lf, at);
      if (next < 0 || next - start > this.#maxEventBytes) break;
      const end = chunk[next - 1] === cr && next > at ? next - 1 : next;
      if (this.#nextCr < at) this.#nextCr = find(chunk, cr, at);
      if (this.#nextCr < end) break;
      if (end === at) {
        if (dataStart < 0) break;
        events.push({ event, data: cut(chunk, dataStart, dataEnd), id, retryMs: undefined });
        return next + 1;
      }
      if (dataStart < 0 && reads(chunk, at, dataField)) {
        dataStart = valueAt(chunk, at + dataField.length);
        dataEnd = end;
      } else if (reads(chunk, at, "event:")) {
        event = decode(chunk.subarray(valueAt(chunk, at + 6), end));
      } else if (reads(chunk, at, idField)) {
        const value = chunk.subarray(valueAt(chunk, at + idField.length), end);
        if (value.includes(0)) break;
        id = decode(value);
      } else break;
      at = next + 1;
    }
    return start;
  }

  #takeLines(chunk: Uint8Array, start: number, events: SseEvent[]): void {
    const lines = (this.#lines ??= new EventLines(this.#maxEventBytes, this.#atStart));
    this.#atStart = false;
    try {
      lines.take(chunk, start, events);
    } catch (error) {
      this.#failure = asGatewayError(error);
      throw error;
    }
  }
}

/** Takes events line by line, wherever the lines are cut. */
class EventLines {
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
  #atStart: boolean;
  #afterCr = false;

  constructor(maxEventBytes: number, atStart: boolean) {
    this.#maxEventBytes = maxEventBytes;
    this.#atStart = atStart;
  }

  /** Nothing of an event is held. */
  get isBetween(): boolean {
    return this.#held === 0 && this.#line.length === 0 && !this.#hasData && !this.#afterCr;
  }

  take(chunk: Uint8Array, start: number, events: SseEvent[]): void {
    // The two searches go on from where they last matched, or a chunk of many lines would be searched once per line.
    let nextLf = find(chunk, lf, start);
    let nextCr = find(chunk, cr, start);
    let pos = start;
    if (this.#afterCr) {
      this.#afterCr = false;
      if (nextLf === pos) pos += 1;
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
  }

  #bound(more: number): void {
    if (this.#held + this.#line.length + more <= this.#maxEventBytes) return;
    this.#line.clear();
    this.#data.clear();
    throw new GatewayError("badProtocol", `an event is larger than ${this.#maxEventBytes} bytes`);
  }

  #endLine(piece: Uint8Array, events: SseEvent[]): void {
    let line = piece;
    if (this.#line.length > 0) {
      this.#line.append(piece);
      line = this.#line.view();
    }
    if (this.#atStart) {
      this.#atStart = false;
      if (line[0] === bom[0] && line[1] === bom[1] && line[2] === bom[2]) line = line.subarray(3);
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
const bom = [0xef, 0xbb, 0xbf] as const;
const dataField = "data:";
const eventField = "event: message\n";
const idField = "id:";

/** Whether these ASCII characters are in the bytes at an offset. */
function reads(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return true;
}

/** Where the value of a field begins, whose name and colon end at `at`. */
function valueAt(bytes: Uint8Array, at: number): number {
  return bytes[at] === space ? at + 1 : at;
}

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
