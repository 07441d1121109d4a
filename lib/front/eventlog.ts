// One event stream of a session: what was sent on it, so that a client that lost its connection can go on.

import { type Part, partBytes } from "../core/part.ts";
import { frameComment, frameEvent, frameNumbered, frameRetry, idField } from "../core/sse-frames.ts";
import { toLine } from "../core/envelope.ts";

/** The connection that carries a stream right now. */
export interface EventSink {
  /** Resolves when the connection takes more; undefined where it does. */
  readonly congestion?: Promise<void> | undefined;
  write(frame: Uint8Array): void;
  end(): void;
}

export interface LogOptions {
  /** First part of the ids of this stream's events; no other stream has it. */
  readonly id: string;
  /** What is kept for a client that comes back; the oldest events go first, the newest one stays whatever its size. */
  readonly maxBytes: number;
  /** Hears when the stream gets its first connection, and when it loses its last one before its end. */
  readonly watch?: (connected: boolean) => void;
}

const nothing = new Uint8Array();
const maxEvents = 1000;
/** How long a client waits before it resumes, ms. */
const retryMs = 1_000;
const keepAlive = frameComment("keep-alive");
/** Saying twice that something changed tells a client nothing that it does not hear when it comes. */
const hints = [Buffer.from('list_changed"'), Buffer.from('"notifications/resources/updated"')];

export class EventLog {
  readonly id: string;
  readonly #options: LogOptions;
  /** Frames of the events up to the last one, which are numbered without a gap. */
  readonly #events: Uint8Array[] = [];
  #bytes = 0;
  #last = 0;
  #idField: Uint8Array | undefined;
  /** Number of the last event that was written to a connection. */
  #delivered = 0;
  #sinks: EventSink[] = [];
  #ended = false;
  /** The client is to come back after this time, ms; said to the first connection, which is not here yet. */
  #pauseMs: number | undefined;
  #carried = false;
  #wroteAt = Date.now();

  constructor(options: LogOptions) {
    this.id = options.id;
    this.#options = options;
  }

  get connected(): boolean {
    return this.#sinks.length > 0;
  }

  /** Resolves when the newest connection takes more; undefined where it does, or there is none. */
  get congestion(): Promise<void> | undefined {
    return this.#sinks.at(-1)?.congestion;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Carries the stream from here on; `after` is the number of the last event that the client has. */
  attach(sink: EventSink, prime: boolean, after: number = this.#delivered): void {
    const from = Math.min(after, this.#last);
    // Before the first write: a connection that cannot take it leaves at once.
    if (!this.#ended) this.#sinks.push(sink);
    if (this.#sinks.length === 1) this.#options.watch?.(true);
    this.#wroteAt = Date.now();
    if (prime) sink.write(frameRetry(retryMs, this.#eventId(from)));
    for (const frame of this.#events.slice(Math.max(0, from - this.#dropped))) sink.write(frame);
    this.#delivered = this.#last;
    this.#carried = true;
    if (this.#ended) sink.end();
    else if (this.#pauseMs !== undefined) this.pause(this.#pauseMs);
    this.#pauseMs = undefined;
  }

  detach(sink: EventSink): void {
    const others = this.#sinks.filter((other) => other !== sink);
    const isLast = others.length === 0 && this.#sinks.length > 0;
    this.#sinks = others;
    if (isLast && !this.#ended) this.#options.watch?.(false);
  }

  /** Sends a message on the newest connection only (2025-11-25, Transports, "Multiple Connections"), or keeps it. */
  send(message: Uint8Array): void {
    if (this.#ended) return;
    const line = toLine(message);
    const sink = this.#sinks.at(-1);
    if (!sink && this.#isWaiting(line)) return;
    this.#put({ bytes: line, start: 0, end: line.length, cut: 0, cutEnd: 0, by: nothing }, sink);
  }

  /** As `send`, for a message on one line that is not made yet. */
  sendPart(part: Part): void {
    if (this.#ended) return;
    const sink = this.#sinks.at(-1);
    if (sink) this.#put(part, sink);
    else this.send(partBytes(part));
  }

  #put(part: Part, sink: EventSink | undefined): void {
    this.#last += 1;
    this.#idField ??= idField(`${this.id}-`);
    const frame = frameNumbered(this.#idField, this.#last, part);
    this.#events.push(frame);
    this.#bytes += frame.length;
    while (this.#events.length > maxEvents || (this.#bytes > this.#options.maxBytes && this.#events.length > 1)) {
      this.#bytes -= this.#events.shift()?.length ?? 0;
    }
    if (!sink) return;
    this.#delivered = this.#last;
    this.#wroteAt = Date.now();
    sink.write(frame);
  }

  /** Sends a comment where nothing was sent for `silentMs`: proxies cut what is silent. */
  keepAlive(silentMs: number): void {
    if (Date.now() - this.#wroteAt < silentMs) return;
    this.#wroteAt = Date.now();
    for (const sink of this.#sinks) sink.write(keepAlive);
  }

  /** Ends the connections and not the stream: the client is to come back after `retryMs`. */
  pause(retryMs: number): void {
    const sinks = this.#sinks.splice(0);
    if (!this.#carried) this.#pauseMs = retryMs;
    for (const sink of sinks) {
      sink.write(frameRetry(retryMs, this.#eventId(this.#last)));
      sink.end();
    }
    if (sinks.length > 0) this.#options.watch?.(false);
  }

  end(): void {
    this.#ended = true;
    for (const sink of this.#sinks.splice(0)) sink.end();
  }

  /** Number of the last event that is not kept any more. */
  get #dropped(): number {
    return this.#last - this.#events.length;
  }

  #eventId(number: number): string {
    return `${this.id}-${number}`;
  }

  /** True for a hint that waits already, with none but hints behind it. */
  #isWaiting(line: Uint8Array): boolean {
    if (!isHint(line)) return false;
    for (let at = this.#events.length - 1; at >= 0; at -= 1) {
      const frame = this.#events[at];
      const number = this.#dropped + at + 1;
      if (!frame || number <= this.#delivered || !isHint(frame)) return false;
      if (Buffer.compare(frame, frameEvent(line, this.#eventId(number))) === 0) return true;
    }
    return false;
  }
}

function isHint(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024));
  return hints.some((hint) => text.includes(hint));
}
