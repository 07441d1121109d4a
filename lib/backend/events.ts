// Takes the event stream of a backend as it comes, and remembers where it can be resumed.

import type { Taken } from "../core/part.ts";
import type { LoneEvent } from "../core/sse-lone.ts";
import { SseParser } from "../core/sse.ts";
import type { BodyTaker } from "./http1-body.ts";

/** Where a stream stands; updated while it is read. */
export interface EventPosition {
  lastId: string | undefined;
  retryMs: number | undefined;
}

/** What becomes of the messages of a stream. */
export interface EventReader {
  deliver(data: Uint8Array): void;
  /** Takes a message that lies in other bytes, where it can. */
  progress?(bytes: Uint8Array, start: number, end: number): Taken;
  /** Waited for before more is read: who hears the messages may be slower than they come. */
  congestion(): Promise<void> | undefined;
  /** The stream came to its end. */
  ended(): void;
  /** The connection broke, or what came is no event stream. */
  failed(reason: unknown): void;
}

/** One body of a stream. A stream may be open for hours and say nothing: there may be thousands of these. */
export class EventFeed implements BodyTaker {
  readonly #parser: SseParser;
  readonly #position: EventPosition;
  readonly #reader: EventReader;
  /** One for many streams: each looks at an event for no longer than it is handed on. */
  readonly #lone: LoneEvent;

  constructor(maxEventBytes: number, position: EventPosition, reader: EventReader, lone: LoneEvent) {
    this.#parser = new SseParser(maxEventBytes);
    this.#position = position;
    this.#reader = reader;
    this.#lone = lone;
  }

  take(piece: Uint8Array): Promise<void> | undefined {
    for (const { id, retryMs, event, data } of this.#parser.push(piece)) {
      if (id !== undefined) this.#position.lastId = id === "" ? undefined : id;
      if (retryMs !== undefined) this.#position.retryMs = retryMs;
      const isMessage = event === undefined || event === "message";
      // An event without data only primes the client to resume (2025-11-25, Transports).
      if (isMessage && data !== undefined && data.length > 0) this.#reader.deliver(data);
    }
    return this.#reader.congestion();
  }

  takeFrom(bytes: Uint8Array, start: number, end: number): Taken {
    const lone = this.#lone;
    return (
      this.#reader.progress !== undefined &&
      this.#parser.lone(bytes, start, end, lone) &&
      this.#reader.progress(bytes, lone.start, lone.end)
    );
  }

  /** What looks at events, and what writes them, then finds its code in the processor's caches. */
  get isPatient(): boolean {
    return true;
  }

  ended(): void {
    this.#reader.ended();
  }

  failed(reason: unknown): void {
    this.#reader.failed(reason);
  }
}
