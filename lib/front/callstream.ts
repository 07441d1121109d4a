// The answer to one POST: plain JSON while there is only a reply, an event stream from the first other message on.

import type { GatewayError } from "../core/errors.ts";
import type { Part } from "../core/part.ts";
import { after, Scope } from "../core/scope.ts";
import { joinBytes } from "../core/text.ts";
import { ClientCancel } from "../backend/link.ts";
import type { Port } from "../route/session.ts";
import type { EventLog } from "./eventlog.ts";
import type { HttpReply, HttpRequest } from "./exchange.ts";
import { challengeReply, emptyReply, eventReply, jsonReply } from "./reply.ts";
import { connect, type SessionStreams } from "./streams.ts";

export interface CallStreamOptions {
  readonly streams: SessionStreams;
  /** Whether the client understands an event without data (2025-11-25 and later). */
  readonly prime: boolean;
  /** How long the client may be gone from a stream before its calls are cancelled, ms. */
  readonly resumeMs: number;
  /** Replies to wait for; more than one is a batch. */
  readonly replies: number;
  readonly isBatch: boolean;
  readonly request: HttpRequest;
  /** Of a call that went the straight way until now: its scope, and when it began. */
  readonly begun?: { readonly scope: Scope; readonly at: number };
}

export class CallStream implements Port {
  readonly response: Promise<HttpReply>;
  /** Of the calls that are answered here. */
  readonly scope: Scope;
  readonly query: string;
  readonly #request: CallStreamOptions["request"];
  readonly #options: Omit<CallStreamOptions, "request">;
  readonly #respond: (response: HttpReply) => void;
  readonly #replies: Uint8Array[] = [];
  readonly #startedAt: number;
  #left: number;
  #log: EventLog | undefined;
  #over = false;
  /** How long the client was asked to stay away. */
  #retryMs = 0;
  #stopWaiting: (() => void) | undefined;
  #challenge: GatewayError | undefined;

  constructor({ request, ...options }: CallStreamOptions) {
    let respond: (response: HttpReply) => void = () => {};
    this.response = new Promise((resolve) => {
      respond = resolve;
    });
    this.#respond = respond;
    this.#options = options;
    this.query = request.query;
    this.#request = request;
    this.#left = options.replies;
    this.scope = options.begun?.scope ?? new Scope();
    this.#startedAt = options.begun?.at ?? Date.now();
    // Before the head of an answer there is nothing that a client could resume.
    request.whenGone(() => {
      if (this.#undecided) this.#abandon();
    });
  }

  header(name: string): string | undefined {
    return this.#request.header(name);
  }

  deliver(message: Uint8Array): void {
    if (!this.#over) this.#stream().send(message);
  }

  deliverPart(part: Part): void {
    if (!this.#over) this.#stream().sendPart(part);
  }

  get congestion(): Promise<void> | undefined {
    return this.#log?.congestion;
  }

  /** The backend wants the call to be polled, and a client that understands it is told the same. */
  pause(retryMs: number): void {
    if (this.#over || !this.#options.prime) return;
    this.#retryMs = retryMs;
    this.#stream().pause(retryMs);
  }

  challenge(failure: GatewayError): void {
    this.#challenge = failure;
  }

  /** One reply; undefined for a call that the client took back. */
  reply(message: Uint8Array | undefined): void {
    if (this.#over) return;
    this.#left -= 1;
    if (message && this.#log) this.#log.send(message);
    else if (message) this.#replies.push(message);
    if (this.#left === 0) this.#finish();
  }

  /** A client that waits for the head of the answer for this long gets a stream: proxies cut what is silent. */
  commit(silentMs: number): void {
    if (this.#undecided && Date.now() - this.#startedAt >= silentMs) this.#stream();
  }

  /** The gateway cannot wait for the calls any longer. */
  stop(error: GatewayError): void {
    this.scope.cancel(error);
  }

  get #undecided(): boolean {
    return !this.#log && !this.#over;
  }

  #finish(): void {
    const { streams, isBatch } = this.#options;
    this.#end();
    if (this.#log) return streams.finish(this.#log);
    // A call that was taken back has no reply, and HTTP needs an answer: a stream without messages.
    if (this.#replies.length === 0) return this.#respond(eventReply((sink) => (sink.end(), () => {})));
    const [only = new Uint8Array()] = this.#replies;
    if (this.#challenge && !isBatch) return this.#respond(challengeReply(only, this.#challenge));
    this.#respond(jsonReply(isBatch ? joinBatch(this.#replies) : only));
  }

  #stream(): EventLog {
    if (this.#log) return this.#log;
    const { streams, prime } = this.#options;
    const log = streams.open((connected) => this.#watch(connected));
    this.#log = log;
    this.#respond(connect(log, prime, 0));
    for (const early of this.#replies.splice(0)) log.send(early);
    return log;
  }

  /** A lost connection is no cancellation (2025-11-25, Transports): the client may come back for the stream. */
  #watch(connected: boolean): void {
    this.#stopWaiting?.();
    if (!connected && !this.#over)
      this.#stopWaiting = after(this.#retryMs + this.#options.resumeMs, () => this.#abandon());
  }

  /** The client is gone for good. */
  #abandon(): void {
    if (this.#over) return;
    this.#end();
    if (this.#log) this.#options.streams.drop(this.#log);
    this.scope.cancel(new ClientCancel());
    this.#respond(emptyReply(499));
  }

  #end(): void {
    this.#over = true;
    this.#stopWaiting?.();
  }
}

const opening = Buffer.from("[");
const comma = Buffer.from(",");
const closing = Buffer.from("]");

/** Replies as one JSON array. */
export function joinBatch(replies: readonly Uint8Array[]): Uint8Array {
  return joinBytes([opening, ...replies.flatMap((reply, at) => (at === 0 ? [reply] : [comma, reply])), closing]);
}
