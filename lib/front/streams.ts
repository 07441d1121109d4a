// The streams of one HTTP session: one for each call that streams, and the standalone one for what belongs to no call.

import type { Outlet, Port } from "../route/session.ts";
import { after } from "../core/scope.ts";
import { EventLog } from "./eventlog.ts";
import { eventStream } from "./reply.ts";

/** Streams of calls that are kept for a client that may come back. */
const maxStreams = 100;
const standaloneId = "0";

export class SessionStreams implements Outlet {
  readonly #logs = new Map<string, EventLog>();
  readonly #standalone = new EventLog(standaloneId);
  #lastId = 0;

  get connected(): boolean {
    return this.#standalone.connected;
  }

  send(message: Uint8Array): void {
    this.#standalone.send(message);
  }

  close(): void {
    this.#standalone.end();
    for (const log of this.#logs.values()) log.end();
    this.#logs.clear();
  }

  keepAlive(): void {
    this.#standalone.comment();
    for (const log of this.#logs.values()) log.comment();
  }

  /** A stream for a call, kept after its end until the client has it or others push it out. */
  open(): EventLog {
    this.#lastId += 1;
    const log = new EventLog(String(this.#lastId));
    this.#logs.set(log.id, log);
    if (this.#logs.size > maxStreams) {
      const ended = [...this.#logs.values()].find((other) => other.ended && !other.connected);
      if (ended) this.#logs.delete(ended.id);
    }
    return log;
  }

  drop(log: EventLog): void {
    this.#logs.delete(log.id);
  }

  /** The standalone stream, or the one that the event id names, from the event after it. */
  listen(lastEventId: string | null, prime: boolean): Response {
    const [id = "", number = ""] = (lastEventId ?? "").split("-");
    const resumed = /^\d+$/.test(number) ? (id === standaloneId ? this.#standalone : this.#logs.get(id)) : undefined;
    const log = resumed ?? this.#standalone;
    return connect(log, prime, resumed ? Number(number) : undefined, () => {});
  }
}

/** A response that carries a log from `from` on. */
function connect(log: EventLog, prime: boolean, from: number | undefined, gone: () => void): Response {
  return eventStream((sink) => {
    log.attach(sink, prime, from);
    return () => {
      log.detach(sink);
      gone();
    };
  });
}

export interface CallStreamOptions {
  readonly streams: SessionStreams;
  /** Whether the client understands an event without data (2025-11-25 and later). */
  readonly prime: boolean;
  /** How long the client may be gone from a stream before its calls are cancelled, ms. */
  readonly resumeMs: number;
  /** Replies to wait for; more than one is a batch. */
  readonly replies: number;
  readonly isBatch: boolean;
  /** The client is gone for good. */
  readonly abandoned: () => void;
  readonly headers: Readonly<Record<string, string>>;
}

/** The answer to one POST: plain JSON while there is only a reply, an event stream from the first other message on. */
export class CallStream implements Port {
  readonly response: Promise<Response>;
  readonly #options: CallStreamOptions;
  readonly #respond: (response: Response) => void;
  readonly #replies: Uint8Array[] = [];
  readonly #startedAt = Date.now();
  #left: number;
  #log: EventLog | undefined;
  #over = false;

  constructor(options: CallStreamOptions) {
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#respond = resolve;
    this.#options = options;
    this.#left = options.replies;
  }

  deliver(message: Uint8Array): void {
    if (!this.#over) this.stream().send(message);
  }

  /** One reply; undefined for a call that the client took back. */
  reply(message: Uint8Array | undefined): void {
    if (this.#over) return;
    this.#left -= 1;
    if (message && this.#log) this.#log.send(message);
    else if (message) this.#replies.push(message);
    if (this.#left > 0) return;
    this.#over = true;
    if (this.#log) return this.#log.end();
    // A call that was taken back has no reply, and HTTP needs an answer: a stream without messages.
    if (this.#replies.length === 0) return this.#respond(eventStream((sink) => (sink.end(), () => {})));
    this.#respond(jsonReplies(this.#replies, this.#options));
  }

  /** Turns the answer into an event stream, if it is not one yet. */
  stream(): EventLog {
    if (this.#log) return this.#log;
    const { streams, prime, resumeMs, abandoned } = this.#options;
    const log = streams.open();
    this.#log = log;
    const gone = (): void => {
      if (this.#over) return;
      // A lost connection is no cancellation (2025-11-25, Transports): the client may come back for the stream.
      after(resumeMs, () => {
        if (!log.connected && !this.#over) this.abandon();
      });
    };
    this.#respond(connect(log, prime, 0, gone));
    for (const early of this.#replies.splice(0)) log.send(early);
    if (this.#over) abandoned();
    return log;
  }

  isOld(ms: number): boolean {
    return Date.now() - this.#startedAt >= ms;
  }

  /** True while the client waits for the head of the answer. */
  get undecided(): boolean {
    return !this.#log && !this.#over;
  }

  /** The client is gone and nothing can be resumed. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#log) this.#options.streams.drop(this.#log);
    this.#options.abandoned();
    this.#respond(new Response(null, { status: 499 }));
  }
}

function jsonReplies(replies: readonly Uint8Array[], { isBatch, headers }: CallStreamOptions): Response {
  const [only = new Uint8Array()] = replies;
  const pieces = replies.flatMap((reply, at) => (at === 0 ? [reply] : [Buffer.from(","), reply]));
  const body = isBatch ? Buffer.concat([Buffer.from("["), ...pieces, Buffer.from("]")]) : only;
  return new Response(new Uint8Array(body), { headers: { "content-type": "application/json", ...headers } });
}
