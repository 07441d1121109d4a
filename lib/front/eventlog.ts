// One event stream of a session: what was sent on it, so that a client that lost its connection can go on.

import { keptPart, type Part, partBytes } from "../core/part.ts";
import { frameComment, frameRetry } from "../core/sse-frames.ts";
import { toLine } from "../core/envelope.ts";
import { asciiBytes, cut } from "../core/text.ts";
import { LoggedEvent } from "./logged.ts";

/** The connection that carries a stream right now. */
export interface EventSink {
  /** Resolves when the connection takes more; undefined where it does. */
  readonly congestion?: Promise<void> | undefined;
  write(frame: Uint8Array): void;
  /** As `write` with the bytes of the event, where they need not be put together before. */
  writeEvent?(event: LoggedEvent): void;
  end(): void;
}

export interface LogOptions {
  /** First part of the ids of this stream's events; no other stream has it. */
  readonly id: string;
  /** What is kept for a client that comes back; the oldest events go first, the newest one stays whatever its size. */
  readonly maxBytes: number;
  readonly watch?: LogWatch | undefined;
}

export interface LogWatch {
  /** The stream has its first connection, or has lost its last one before its end. */
  connected(is: boolean): void;
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
  readonly #maxBytes: number;
  readonly #watch: LogWatch | undefined;
  /** Up to the last one; they are numbered without a gap. */
  #events: LoggedEvent[] | undefined;
  #idStart: Uint8Array | undefined;
  #bytes = 0;
  #last = 0;
  /** Number of the last event that was written to a connection. */
  #delivered = 0;
  /** The newest connection, and those before it. */
  #sink: EventSink | undefined;
  #older: EventSink[] | undefined;
  /** Waited for while the newest one takes no more. */
  #hold: PromiseWithResolvers<void> | undefined;
  #ended = false;
  /** The client is to come back after this time, ms; said to the first connection, which is not here yet. */
  #pauseMs: number | undefined;
  #carried = false;
  /** Something was written since it was last looked at for silence. */
  #isFresh = true;

  constructor({ id, maxBytes, watch }: LogOptions) {
    this.id = id;
    this.#maxBytes = maxBytes;
    this.#watch = watch;
  }

  get connected(): boolean {
    return this.#sink !== undefined;
  }

  /** Resolves when the newest connection takes more, or is it no more; undefined where it does, or there is none. */
  get congestion(): Promise<void> | undefined {
    const congestion = this.#sink?.congestion;
    return congestion && (this.#hold ??= this.#holdFor(congestion)).promise;
  }

  #holdFor(congestion: Promise<void>): PromiseWithResolvers<void> {
    const hold = Promise.withResolvers<void>();
    void congestion.then(() => this.#hold === hold && this.#release());
    return hold;
  }

  /** Its client may have lost the connection that takes no more, unseen, and go on with another one. */
  #release(): void {
    this.#hold?.resolve();
    this.#hold = undefined;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Carries the stream from here on; `after` is the number of the last event that the client has. */
  attach(sink: EventSink, prime: boolean, after: number = this.#delivered): void {
    const from = Math.min(after, this.#last);
    const isFirst = !this.#sink;
    // Before the first write: a connection that cannot take it leaves at once.
    if (!this.#ended) {
      if (this.#sink) (this.#older ??= []).push(this.#sink);
      this.#sink = sink;
      this.#release();
      if (isFirst) this.#watch?.connected(true);
    }
    this.#isFresh = true;
    if (prime) sink.write(frameRetry(retryMs, this.#eventId(from)));
    for (const event of this.#events?.slice(Math.max(0, from - this.#dropped)) ?? []) sink.write(event.whole());
    this.#delivered = this.#last;
    this.#carried = true;
    if (this.#ended) sink.end();
    else if (this.#pauseMs !== undefined) this.pause(this.#pauseMs);
    this.#pauseMs = undefined;
  }

  detach(sink: EventSink): void {
    const wasConnected = this.connected;
    if (sink === this.#sink) {
      this.#sink = this.#older?.pop();
      this.#release();
    } else this.#older = this.#older?.filter((other) => other !== sink);
    if (wasConnected && !this.connected && !this.#ended) this.#watch?.connected(false);
  }

  /** All connections, which carry it no more. */
  #takeSinks(): readonly EventSink[] {
    const sinks = this.#sink ? [...(this.#older ?? []), this.#sink] : [];
    this.#sink = this.#older = undefined;
    this.#release();
    return sinks;
  }

  /** Sends a message on the newest connection only (2025-11-25, Transports, "Multiple Connections"), or keeps it. */
  send(message: Uint8Array): void {
    if (this.#ended) return;
    const line = toLine(message);
    const sink = this.#sink;
    if (!sink && this.#isWaiting(line)) return;
    // It may be a view of more than is to be kept.
    this.#put(partOf(cut(line, 0, line.length)), sink);
  }

  /** As `send`, for a message on one line that is not made yet. */
  sendPart(part: Part): void {
    if (this.#ended) return;
    const sink = this.#sink;
    if (sink) this.#put(keptPart(part), sink);
    else this.send(partBytes(part));
  }

  #put(part: Part, sink: EventSink | undefined): void {
    this.#last += 1;
    this.#idStart ??= asciiBytes(`id: ${this.id}-`);
    const event = new LoggedEvent(this.#idStart, this.#last, part);
    const events = (this.#events ??= []);
    events.push(event);
    this.#bytes += event.size;
    while (events.length > maxEvents || (this.#bytes > this.#maxBytes && events.length > 1)) {
      this.#bytes -= events.shift()?.size ?? 0;
    }
    if (!sink) return;
    this.#delivered = this.#last;
    this.#isFresh = true;
    if (sink.writeEvent) sink.writeEvent(event);
    else sink.write(event.whole());
  }

  /** Sends a comment where nothing was sent since the last time: proxies cut what is silent. */
  keepAlive(): void {
    const isSilent = !this.#isFresh;
    this.#isFresh = false;
    if (!isSilent) return;
    for (const sink of this.#older ?? []) sink.write(keepAlive);
    this.#sink?.write(keepAlive);
  }

  /** Ends the connections and not the stream: the client is to come back after `retryMs`. */
  pause(retryMs: number): void {
    const sinks = this.#takeSinks();
    if (!this.#carried) this.#pauseMs = retryMs;
    for (const sink of sinks) {
      sink.write(frameRetry(retryMs, this.#eventId(this.#last)));
      sink.end();
    }
    if (sinks.length > 0) this.#watch?.connected(false);
  }

  /** The messages behind the event of this number, or behind what was delivered, which somebody else brings now. */
  surrender(after: number = this.#delivered): readonly Uint8Array[] {
    const from = Math.min(after, this.#last);
    this.#delivered = this.#last;
    return (this.#events ?? []).slice(Math.max(0, from - this.#dropped)).map(({ part }) => partBytes(part));
  }

  end(): void {
    this.#ended = true;
    for (const sink of this.#takeSinks()) sink.end();
  }

  /** Number of the last event that is not kept any more. */
  get #dropped(): number {
    return this.#last - (this.#events?.length ?? 0);
  }

  #eventId(number: number): string {
    return `${this.id}-${number}`;
  }

  /** True for a hint that waits already, with none but hints behind it. */
  #isWaiting(line: Uint8Array): boolean {
    if (!isHint(line)) return false;
    const events = this.#events ?? [];
    for (let at = events.length - 1; at >= 0; at -= 1) {
      const event = events[at];
      const message = event && partBytes(event.part);
      if (!message || this.#dropped + at < this.#delivered || !isHint(message)) return false;
      if (Buffer.compare(message, line) === 0) return true;
    }
    return false;
  }
}

/** A message by itself. */
function partOf(bytes: Uint8Array): Part {
  return { bytes, start: 0, end: bytes.length, cut: 0, cutEnd: 0, by: nothing };
}

function isHint(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024));
  return hints.some((hint) => text.includes(hint));
}
