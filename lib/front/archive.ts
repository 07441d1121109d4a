// Streams of calls that have ended, of all sessions: kept for a while for a client that did not get the end.

import type { EventLog } from "./eventlog.ts";

/** Of all sessions together; the streams that ended first go first. */
const maxBytes = 64 * 2 ** 20;
const maxLogs = 10_000;
/** A client that has not come back by now does not. */
const maxAgeMs = 60_000;

interface Kept {
  readonly endedAt: number;
  readonly bytes: number;
  readonly drop: () => void;
}

export class Archive {
  readonly #kept = new Map<EventLog, Kept>();
  #bytes = 0;

  get size(): number {
    return this.#kept.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a stream that has ended; `drop` is called when its time is over. */
  keep(log: EventLog, drop: () => void): void {
    this.#kept.set(log, { endedAt: Date.now(), bytes: log.bytes, drop });
    this.#bytes += log.bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= maxBytes && this.#kept.size <= maxLogs) return;
      this.#drop(oldest);
    }
  }

  forget(log: EventLog): void {
    this.#bytes -= this.#kept.get(log)?.bytes ?? 0;
    this.#kept.delete(log);
  }

  /** Drops what is older than any client that still comes back. */
  expire(now: number = Date.now()): void {
    for (const [log, { endedAt }] of this.#kept) {
      if (now - endedAt < maxAgeMs) return;
      this.#drop(log);
    }
  }

  #drop(log: EventLog): void {
    const kept = this.#kept.get(log);
    this.forget(log);
    kept?.drop();
  }
}
