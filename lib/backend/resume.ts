// The event streams of a backend over HTTP: those of calls, resumed when they break, and the standalone one, kept open.

import type { GatewayError } from "../core/errors.ts";
import type { Taken } from "../core/part.ts";
import { type Scope, sleep } from "../core/scope.ts";
import { LoneEvent } from "../core/sse-lone.ts";
import { EventFeed, type EventPosition, type EventReader } from "./events.ts";
import { Hearing } from "./hearing.ts";
import type { HttpReply } from "./pool.ts";
import type { TransportEvents } from "./transport.ts";

/** Where streams come from. */
export interface StreamSource {
  readonly maxMessageBytes: number;
  /** Asks for the stream that the event id names, from the event after it, or for the standalone one. */
  get(lastId: string | undefined, scope: Scope): Promise<HttpReply>;
  /** The same failure with the backend's name. */
  named(error: unknown): GatewayError;
  /** What a 404 says; undefined where there is no session. */
  sessionLost(): GatewayError | undefined;
}

/** 2025-11-25, Transports: a client waits as long as the server's `retry` says before it resumes; this where it says nothing. */
const resumeDelayMs = 1_000;
const maxResumes = 5;
/** The least pause before a stream is asked for again. */
const minDelayMs = 50;

/** Who hears how a call's stream has ended. */
export interface StreamEnd {
  /** Nothing more comes on it. */
  over(): void;
  failed(error: unknown): void;
}

export class EventStreams {
  readonly source: StreamSource;
  readonly events: TransportEvents;
  readonly #lone = new LoneEvent();
  readonly #hearing: Hearing;

  constructor(source: StreamSource, events: TransportEvents) {
    this.source = source;
    this.events = events;
    this.#hearing = new Hearing(() => events.missed?.());
  }

  /** False where the standalone stream was refused, or has broken, and is not open again. */
  get hears(): boolean {
    return this.#hearing.hears;
  }

  /** Reads a call's stream to its answer, resuming it where the server gave event ids. */
  follow(first: HttpReply, call: number, scope: Scope, end: StreamEnd): void {
    const stream = new CallEvents(this, call, scope, end);
    this.read(first, stream, stream);
  }

  read(reply: HttpReply, position: EventPosition, reader: EventReader): void {
    reply.body.feed(new EventFeed(this.source.maxMessageBytes, position, reader, this.#lone));
  }

  /** Keeps the standalone stream open, for what the server says on its own; a server may not offer one. */
  async listen(scope: Scope): Promise<void> {
    const position: EventPosition = { lastId: undefined, retryMs: undefined };
    for (let failures = 0; !scope.cancelled; failures += 1) {
      try {
        const reply = await this.source.get(position.lastId, scope);
        const isStream = reply.status === 200 && mediaType(reply) === "text/event-stream";
        if (!isStream) reply.body.cancel();
        const lost = reply.status === 404 ? this.source.sessionLost() : undefined;
        if (lost) return this.events.retired(lost);
        if (!isStream && !mayComeBack(reply.status)) {
          if (position.lastId === undefined) return this.#hearing.ended(true);
          // It is the event that the server does not know any more.
          position.lastId = undefined;
        }
        if (isStream) {
          failures = 0;
          await this.#hear(reply, position);
        }
      } catch {
        if (scope.cancelled) return;
      }
      // Whoever names the last event is told later what the server says now.
      const isKept = position.lastId !== undefined;
      if (!isKept || failures > 0) this.#hearing.ended(!isKept);
      const delay = failures === 0 ? delayOf(position) : Math.min(resumeDelayMs * 2 ** failures, 30_000);
      await sleep(delay, scope).catch(() => {});
    }
  }

  /** Reads the standalone stream to its end. */
  async #hear(reply: HttpReply, position: EventPosition): Promise<void> {
    const over = this.#hearing.began();
    // What belongs to no call is for many clients: the slowest one must not hold up the others.
    const deliver = (data: Uint8Array): void => this.events.message(data, undefined);
    try {
      await new Promise<void>((ended, failed) =>
        this.read(reply, position, { deliver, congestion: () => undefined, ended, failed }),
      );
    } finally {
      over();
    }
  }
}

/** The stream of one call, over all connections that carry it. */
class CallEvents implements EventReader, EventPosition {
  lastId: string | undefined;
  retryMs: number | undefined;
  readonly #streams: EventStreams;
  readonly #call: number;
  readonly #scope: Scope;
  readonly #end: StreamEnd;
  /** How often it broke. */
  #breaks = 0;

  constructor(streams: EventStreams, call: number, scope: Scope, end: StreamEnd) {
    this.#streams = streams;
    this.#call = call;
    this.#scope = scope;
    this.#end = end;
  }

  deliver(data: Uint8Array): void {
    this.#streams.events.message(data, this.#call);
  }

  progress(bytes: Uint8Array, start: number, end: number): Taken {
    const taken = this.#streams.events.progress?.(bytes, start, end, this.#call) ?? false;
    return typeof taken === "boolean" ? taken : this.#scope.race(taken);
  }

  congestion(): Promise<void> | undefined {
    const congestion = this.#streams.events.congestion(this.#call);
    return congestion && this.#scope.race(congestion);
  }

  ended(): void {
    this.#goOn(true);
  }

  failed(error: unknown): void {
    if (this.#scope.cancelled || this.lastId === undefined) this.#end.failed(this.#streams.source.named(error));
    else this.#goOn(false);
  }

  #goOn(isEnd: boolean): void {
    if (!this.#isWanted) return this.#end.over();
    this.#resume(isEnd).then(
      (reply) => (reply ? this.#streams.read(reply, this, this) : this.#end.over()),
      (error: unknown) => this.#end.failed(error),
    );
  }

  get #isWanted(): boolean {
    return this.lastId !== undefined && this.#streams.events.waiting(this.#call);
  }

  /** Resolves to the stream from the last event on; undefined where it cannot be had, or is not needed any more. */
  async #resume(wasEnd: boolean): Promise<HttpReply | undefined> {
    const { source, events } = this.#streams;
    for (let isEnd = wasEnd; this.#isWanted; isEnd = false) {
      const delay = delayOf(this);
      // A stream that was ended in order, with an id to come back to, is polling (2025-11-25, Transports).
      if (isEnd) events.paused(this.#call, delay);
      else if (this.#breaks++ >= maxResumes) return undefined;
      await sleep(delay, this.#scope);
      const reply = await this.#ask();
      if (reply?.status === 200) return reply;
      if (!reply) continue;
      reply.body.cancel();
      const lost = reply.status === 404 ? source.sessionLost() : undefined;
      if (lost) events.retired(lost);
      if (!mayComeBack(reply.status)) return undefined;
    }
    return undefined;
  }

  /** Undefined where the server cannot be reached: the call itself was sent, so that is no "not sent". */
  async #ask(): Promise<HttpReply | undefined> {
    try {
      return await this.#streams.source.get(this.lastId, this.#scope);
    } catch (error) {
      if (this.#scope.cancelled) throw error;
      return undefined;
    }
  }
}

/** A server may not want to be asked at once, and never without a pause. */
function delayOf({ retryMs }: EventPosition): number {
  return Math.max(retryMs ?? resumeDelayMs, minDelayMs);
}

/** Statuses of a GET after which the stream may be had later: a conflict with a connection that the server has not missed yet, too. */
function mayComeBack(status: number): boolean {
  return status >= 500 || status === 408 || status === 409 || status === 429;
}

export function mediaType(reply: HttpReply): string {
  const type = reply.headers.get("content-type") ?? "";
  return type === "application/json" ? type : (type.split(";", 1)[0]?.trim().toLowerCase() ?? "");
}
