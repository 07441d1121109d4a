// Reads an event stream from a backend, and remembers where it can be resumed.

import { SseParser } from "../core/sse.ts";
import type { HttpBody } from "./pool.ts";

/** Where a stream stands; updated while it is read. */
export interface EventPosition {
  lastId: string | undefined;
  retryMs: number | undefined;
}

/** Delivers each message of the stream until it ends; throws when the connection breaks. */
export async function readEvents(
  body: HttpBody,
  maxEventBytes: number,
  position: EventPosition,
  deliver: (data: Uint8Array) => void,
): Promise<void> {
  const parser = new SseParser(maxEventBytes);
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
    for (const event of parser.push(chunk)) {
      if (event.id !== undefined) position.lastId = event.id === "" ? undefined : event.id;
      if (event.retryMs !== undefined) position.retryMs = event.retryMs;
      const isMessage = event.event === undefined || event.event === "message";
      // An event without data only primes the client to resume (2025-11-25, Transports).
      if (isMessage && event.data !== undefined && event.data.length > 0) deliver(event.data);
    }
  }
}
