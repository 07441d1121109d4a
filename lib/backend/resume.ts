// The event streams of a backend over HTTP: those of calls, resumed when they break, and the standalone one, kept open.

import type { GatewayError } from "../core/errors.ts";
import { type Scope, sleep } from "../core/scope.ts";
import { type EventPosition, type EventReader, readEvents } from "./events.ts";
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

export class EventStreams {
  readonly #source: StreamSource;
  readonly #events: TransportEvents;

  constructor(source: StreamSource, events: TransportEvents) {
    this.#source = source;
    this.#events = events;
  }

  /** Reads a call's stream to its answer, resuming it where the server gave event ids. */
  async follow(first: HttpReply, call: number, scope: Scope): Promise<void> {
    const position: EventPosition = { lastId: undefined, retryMs: undefined };
    let reply: HttpReply | undefined = first;
    for (let broken = 0; broken <= maxResumes;) {
      const ended = reply !== undefined && (await this.#readToEnd(reply, position, call, scope));
      if (!this.#events.waiting(call) || position.lastId === undefined) return;
      const delay = delayOf(position);
      // A stream that was ended in order, with an id to come back to, is polling (2025-11-25, Transports).
      if (ended) this.#events.paused(call, delay);
      else broken += 1;
      await sleep(delay, scope);
      reply = await this.#resume(position, scope);
      if (reply === undefined || reply.status === 200) continue;
      reply.body.cancel();
      const lost = reply.status === 404 ? this.#source.sessionLost() : undefined;
      if (lost) this.#events.retired(lost);
      if (!mayComeBack(reply.status)) return;
      reply = undefined;
    }
  }

  /** False where the connection broke and the stream can be resumed. */
  async #readToEnd(reply: HttpReply, position: EventPosition, call: number, scope: Scope): Promise<boolean> {
    try {
      await this.#readStream(reply, position, {
        deliver: (data) => this.#events.message(data, call),
        progress: (bytes, start, end) => this.#events.progress?.(bytes, start, end) === true,
        congestion: () => {
          const congestion = this.#events.congestion(call);
          return congestion && scope.race(congestion);
        },
      });
      return true;
    } catch (error) {
      if (scope.cancelled || position.lastId === undefined) throw this.#source.named(error);
      return false;
    }
  }

  /** Undefined where the server cannot be reached: the call itself was sent, so that is no "not sent". */
  async #resume(position: EventPosition, scope: Scope): Promise<HttpReply | undefined> {
    try {
      return await this.#source.get(position.lastId, scope);
    } catch (error) {
      if (scope.cancelled) throw error;
      return undefined;
    }
  }

  #readStream(reply: HttpReply, position: EventPosition, reader: EventReader): Promise<void> {
    return readEvents(reply.body, this.#source.maxMessageBytes, position, reader);
  }

  /** Keeps the standalone stream open, for what the server says on its own; a server may not offer one. */
  async listen(scope: Scope): Promise<void> {
    const position: EventPosition = { lastId: undefined, retryMs: undefined };
    for (let failures = 0; !scope.cancelled; failures += 1) {
      try {
        const reply = await this.#source.get(position.lastId, scope);
        const isStream = reply.status === 200 && mediaType(reply) === "text/event-stream";
        if (!isStream) reply.body.cancel();
        const lost = reply.status === 404 ? this.#source.sessionLost() : undefined;
        if (lost) return this.#events.retired(lost);
        if (!isStream && !mayComeBack(reply.status)) return;
        if (isStream) {
          failures = 0;
          // What belongs to no call is for many clients: the slowest one must not hold up the others.
          const deliver = (data: Uint8Array): void => this.#events.message(data, undefined);
          await this.#readStream(reply, position, { deliver, congestion: () => undefined });
        }
      } catch {
        if (scope.cancelled) return;
      }
      const delay = failures === 0 ? delayOf(position) : Math.min(resumeDelayMs * 2 ** failures, 30_000);
      await sleep(delay, scope).catch(() => {});
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
