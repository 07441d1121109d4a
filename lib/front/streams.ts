// The streams of one HTTP session: one for each call that streams, and the standalone one for what belongs to no call.

import { GatewayError } from "../core/errors.ts";
import type { Outlet } from "../route/outlet.ts";
import type { Session } from "../route/session.ts";
import type { Archive } from "./archive.ts";
import { EventLog, type EventSink, type LogWatch } from "./eventlog.ts";
import type { EventBody, Gone, HttpReply } from "./exchange.ts";
import { streamReply } from "./reply.ts";

/** Ended streams of one session that are kept for it; the archive bounds those of all. */
const maxEnded = 100;
const maxCallBytes = 4 * 2 ** 20;
const maxStandaloneBytes = 2 ** 20;
const standalone = "0";

export class SessionStreams implements Outlet {
  readonly #archive: Archive;
  /** Ids of events must not repeat when another process, or a later one, goes on with the session. */
  readonly #nonce: string;
  readonly #calls = new Map<string, EventLog>();
  readonly #ended = new Set<EventLog>();
  readonly #standalone: EventLog;
  #lastId = 0;
  elsewhere: ((message: Uint8Array) => boolean) | undefined;
  left: (() => void) | undefined;

  /** `node`: this process, where there are others; ids of events say whose they are. */
  constructor(archive: Archive, node?: string) {
    this.#archive = archive;
    this.#nonce = (node ?? "") + Buffer.from(crypto.getRandomValues(new Uint8Array(4))).toString("hex");
    const watch: LogWatch | undefined = node === undefined ? undefined : { connected: (is) => is || this.left?.() };
    this.#standalone = new EventLog({ id: `${this.#nonce}-${standalone}`, maxBytes: maxStandaloneBytes, watch });
  }

  get connected(): boolean {
    return this.#standalone.connected;
  }

  /** Streams of calls that can be resumed. */
  get size(): number {
    return this.#calls.size;
  }

  send(message: Uint8Array): void {
    if (this.elsewhere && !this.connected && this.elsewhere(message)) return;
    this.#standalone.send(message);
  }

  surrender(lastEventId: string | undefined): readonly Uint8Array[] {
    const { nonce, stream, number } = partsOf(lastEventId);
    return this.#standalone.surrender(nonce === this.#nonce && stream === standalone ? number : undefined);
  }

  /** The client is to come back soon, to whoever takes it in then. */
  pause(retryMs: number): void {
    this.#standalone.pause(retryMs);
  }

  close(): void {
    this.#standalone.end();
    for (const log of this.#calls.values()) {
      log.end();
      this.drop(log);
    }
  }

  /** Called from time to time: streams on which nothing was sent since the last time get a comment. */
  keepAlive(): void {
    this.#standalone.keepAlive();
    for (const log of this.#calls.values()) log.keepAlive();
  }

  /** A stream for a call. */
  open(watch: LogWatch): EventLog {
    this.#lastId += 1;
    const log = new EventLog({ id: `${this.#nonce}-${this.#lastId}`, maxBytes: maxCallBytes, watch });
    this.#calls.set(log.id, log);
    return log;
  }

  /** The last message was sent on a call's stream, whether the client has it or not: kept until others push it out. */
  finish(log: EventLog): void {
    log.end();
    if (!this.#calls.has(log.id)) return;
    this.#ended.add(log);
    this.#archive.keep(log, () => this.drop(log));
    const [oldest] = this.#ended;
    if (this.#ended.size > maxEnded && oldest) this.drop(oldest);
  }

  drop(log: EventLog): void {
    this.#calls.delete(log.id);
    this.#ended.delete(log);
    this.#archive.forget(log);
  }

  /** The standalone stream, or the one that the event id names, from the event after it. */
  listen(lastEventId: string | undefined, prime: boolean): HttpReply {
    const { nonce, stream, number } = partsOf(lastEventId);
    // Whatever names no stream of a call opens the standalone one; one of another process goes on here.
    if (stream === "" || stream === standalone) {
      return connect(this.#standalone, prime, nonce === this.#nonce ? number : undefined);
    }
    const log = this.#calls.get(`${nonce}-${stream}`);
    // Not 404, which would end the session; and no other stream, on which the client would wait for its reply for ever.
    if (!log) throw new GatewayError("streamGone", "the stream of this Last-Event-ID cannot be resumed any more");
    return connect(log, prime, number);
  }
}

export function streamsOf({ outlet }: Session): SessionStreams {
  if (outlet instanceof SessionStreams) return outlet;
  throw new GatewayError("internal", "a session of another front came over HTTP");
}

/** The process that has the stream of a call; undefined for an event of no call, or of a process that is alone. */
export function callNodeOf(lastEventId: string | undefined): string | undefined {
  const { nonce, stream } = partsOf(lastEventId);
  return stream === "" || stream === standalone || nonce.length <= 8 ? undefined : nonce.slice(0, -8);
}

function partsOf(eventId: string = ""): { readonly nonce: string; readonly stream: string; readonly number: number } {
  const [, nonce = "", stream = "", number = ""] = /^((?:[0-9a-f]{8}){1,2})-(\d{1,15})-(\d{1,15})$/.exec(eventId) ?? [];
  return { nonce, stream, number: Number(number) };
}

/** A reply that carries a log, from the event after `from` on. */
export function connect(log: EventLog, prime: boolean, from?: number): HttpReply {
  return streamReply(new LogBody(log, prime, from));
}

class LogBody implements EventBody, Gone {
  readonly #log: EventLog;
  readonly #prime: boolean;
  readonly #from: number | undefined;
  #sink: EventSink | undefined;

  constructor(log: EventLog, prime: boolean, from: number | undefined) {
    this.#log = log;
    this.#prime = prime;
    this.#from = from;
  }

  open(sink: EventSink): Gone {
    this.#sink = sink;
    this.#log.attach(sink, this.#prime, this.#from);
    return this;
  }

  gone(): void {
    if (this.#sink) this.#log.detach(this.#sink);
  }
}
