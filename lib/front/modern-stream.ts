// The answer to a modern client's POST: plain JSON while there is only a reply, else the messages of this request alone.

import { ClientCancel } from "../backend/link.ts";
import { toLine } from "../core/envelope.ts";
import type { GatewayError } from "../core/errors.ts";
import { frameComment, frameEvent } from "../core/sse-frames.ts";
import { Scope } from "../core/scope.ts";
import { modernStatus } from "../protocol/modern-codes.ts";
import { errorCode } from "../route/reply-code.ts";
import type { Port } from "../route/outlet.ts";
import type { EventSink } from "./eventlog.ts";
import type { EventBody, Gone, HttpReply, HttpRequest } from "./exchange.ts";
import { challengeReply, emptyReply, jsonReply, streamReply } from "./reply.ts";

const keepAlive = frameComment("keep-alive");

export class ModernStream implements Port, EventBody, Gone {
  readonly response: Promise<HttpReply>;
  /** Of the request that is answered here. */
  readonly scope: Scope = new Scope();
  readonly query: string;
  readonly #request: HttpRequest;
  readonly #respond: (reply: HttpReply) => void;
  /** Frames from before the connection carries them; undefined while the form of the answer is open. */
  #early: Uint8Array[] | undefined;
  #sink: EventSink | undefined;
  #isOver = false;
  #wroteAt = Date.now();
  #challenge: GatewayError | undefined;

  constructor(request: HttpRequest) {
    const { promise, resolve } = Promise.withResolvers<HttpReply>();
    this.response = promise;
    this.#respond = resolve;
    this.query = request.query;
    this.#request = request;
    request.whenGone(this);
  }

  header(name: string): string | undefined {
    return this.#request.header(name);
  }

  deliver(message: Uint8Array): void {
    if (!this.#isOver) this.#write(frameEvent(toLine(message)));
  }

  get congestion(): Promise<void> | undefined {
    return this.#sink?.congestion;
  }

  challenge(failure: GatewayError): void {
    this.#challenge = failure;
  }

  /** The last message; undefined for a request that the client took back. */
  reply(message: Uint8Array | undefined): void {
    if (this.#isOver) return;
    if (message && !this.#early) {
      this.#isOver = true;
      if (this.#challenge) return this.#respond(challengeReply(message, this.#challenge));
      const code = errorCode(message);
      return this.#respond(jsonReply(message, undefined, typeof code === "number" ? modernStatus(code) : 200));
    }
    if (message) this.#write(frameEvent(toLine(message)));
    this.#isOver = true;
    this.#sink?.end();
  }

  /** Proxies cut what is silent: an answer that takes long becomes a stream, and streams get comments. */
  keepAlive(silentMs: number): void {
    if (!this.#isOver && Date.now() - this.#wroteAt >= silentMs) this.#write(keepAlive);
  }

  /** The gateway cannot wait for the request any longer. */
  stop(error: GatewayError): void {
    this.scope.cancel(error);
  }

  #write(frame: Uint8Array): void {
    this.#wroteAt = Date.now();
    if (this.#sink) return this.#sink.write(frame);
    if (this.#early) {
      this.#early.push(frame);
      return;
    }
    this.#early = [frame];
    this.#respond(streamReply(this));
  }

  /** Called by the connection that carries the answer. */
  open(sink: EventSink): Gone {
    this.#sink = sink;
    for (const frame of this.#early ?? []) sink.write(frame);
    this.#early = [];
    if (this.#isOver) sink.end();
    return this;
  }

  /** The end of its stream takes a request back (2026-07-28, Cancellation). */
  gone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.scope.cancel(new ClientCancel());
    this.#respond(emptyReply(499));
  }
}
