// Reads an event stream from a backend, and remembers where it can be resumed.

import { LoneEvent } from "../core/sse-lone.ts";
import { SseParser } from "../core/sse.ts";
import type { HttpBody } from "./pool.ts";

/** Where a stream stands; updated while it is read. */
export interface EventPosition {
  lastId: string | undefined;
  retryMs: number | undefined;
}

/** What becomes of the messages of a stream. */
export interface EventReader {
  deliver(data: Uint8Array): void;
  /** Takes a message that lies in other bytes, where it can. */
  progress?(bytes: Uint8Array, start: number, end: number): boolean;
  /** Waited for before more is read: who hears the messages may be slower than they come. */
  congestion(): Promise<void> | undefined;
}

/** Delivers each message of the stream until it ends; fails when the connection breaks. */
export function readEvents(
  body: HttpBody,
  maxEventBytes: number,
  position: EventPosition,
  reader: EventReader,
): Promise<void> {
  const parser = new SseParser(maxEventBytes);
  const lone = new LoneEvent();
  const shortcut = {
    take: (bytes: Uint8Array, start: number, end: number): boolean =>
      parser.lone(bytes, start, end, lone) && reader.progress?.(bytes, lone.start, lone.end) === true,
    congestion: () => reader.congestion(),
  };
  return body.pipe((chunk) => {
    for (const { id, retryMs, event, data } of parser.push(chunk)) {
      if (id !== undefined) position.lastId = id === "" ? undefined : id;
      if (retryMs !== undefined) position.retryMs = retryMs;
      const isMessage = event === undefined || event === "message";
      // An event without data only primes the client to resume (2025-11-25, Transports).
      if (isMessage && data !== undefined && data.length > 0) reader.deliver(data);
    }
    return reader.congestion();
  }, shortcut);
}
