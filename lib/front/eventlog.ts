// One event stream of a session: what was sent on it, so that a client that lost its connection can go on.

import { frameComment, frameEvent, frameRetry } from "../core/sse.ts";
import { toLine } from "../core/envelope.ts";

/** The connection that carries a stream right now. */
export interface EventSink {
  write(frame: Uint8Array): void;
  end(): void;
}

interface LoggedEvent {
  readonly number: number;
  readonly frame: Uint8Array;
}

/** What a stream keeps for a client that comes back; the oldest events go first. */
const maxEvents = 1000;
const maxBytes = 4 * 2 ** 20;
/** How long a client waits before it resumes, ms. */
const retryMs = 1_000;

export class EventLog {
  readonly id: string;
  #events: LoggedEvent[] = [];
  #bytes = 0;
  #last = 0;
  /** Number of the last event that was written to a connection. */
  #delivered = 0;
  #sinks: EventSink[] = [];
  #ended = false;

  constructor(id: string) {
    this.id = id;
  }

  get connected(): boolean {
    return this.#sinks.length > 0;
  }

  /** True after the last message, whether the client has it or not. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Carries the stream from here on; `after` is the number of the last event that the client has. */
  attach(sink: EventSink, prime: boolean, after: number = this.#delivered): void {
    this.#sinks.push(sink);
    if (prime) sink.write(frameRetry(retryMs, this.#eventId(after)));
    for (const event of this.#events) if (event.number > after) sink.write(event.frame);
    this.#delivered = this.#last;
    if (this.#ended) sink.end();
  }

  detach(sink: EventSink): void {
    this.#sinks = this.#sinks.filter((other) => other !== sink);
  }

  /** Sends a message on the newest connection only (2025-11-25, Transports, "Multiple Connections"), or keeps it. */
  send(message: Uint8Array): void {
    if (this.#ended) return;
    const line = toLine(message);
    const sink = this.#sinks.at(-1);
    if (!sink && this.#isWaiting(line)) return;
    this.#last += 1;
    const frame = frameEvent(line, this.#eventId(this.#last));
    this.#events.push({ number: this.#last, frame });
    this.#bytes += frame.length;
    while (this.#events.length > maxEvents || (this.#bytes > maxBytes && this.#events.length > 1)) {
      this.#bytes -= this.#events.shift()?.frame.length ?? 0;
    }
    if (!sink) return;
    this.#delivered = this.#last;
    sink.write(frame);
  }

  comment(): void {
    for (const sink of this.#sinks) sink.write(frameComment("keep-alive"));
  }

  end(): void {
    this.#ended = true;
    for (const sink of this.#sinks) sink.end();
    this.#sinks = [];
  }

  #eventId(number: number): string {
    return `${this.id}-${number}`;
  }

  /** The same message twice tells a client nothing that it does not hear when it comes. */
  #isWaiting(line: Uint8Array): boolean {
    const last = this.#events.at(-1);
    if (!last || last.number <= this.#delivered) return false;
    return Buffer.compare(last.frame, frameEvent(line, this.#eventId(last.number))) === 0;
  }
}
