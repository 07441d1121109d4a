// The answer to one POST: plain JSON while there is only a reply, an event stream from the first other message on.

import { GatewayError } from "../core/errors.ts";
import type { PartSink } from "../core/part.ts";
import { after, Scope } from "../core/scope.ts";
import { joinBytes } from "../core/text.ts";
import { ClientCancel } from "../backend/link.ts";
import type { Port } from "../route/outlet.ts";
import type { EventLog, LogWatch } from "./eventlog.ts";
import type { Gone, HttpReply, HttpRequest } from "./exchange.ts";
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

export class CallStream implements Port, LogWatch, Gone {
  /** Of the calls that are answered here. */
  readonly scope: Scope;
  readonly #request: HttpRequest;
  readonly #streams: SessionStreams;
  readonly #prime: boolean;
  readonly #isBatch: boolean;
  readonly #resumeMs: number;
  readonly #startedAt: number;
  #response: Promise<HttpReply> | undefined;
  #respond: ((response: HttpReply) => void) | undefined;
  /** From before there was a stream. */
  #replies: Uint8Array[] | undefined;
  #left: number;
  #log: EventLog | undefined;
  #over = false;
  /** How long the client was asked to stay away. */
  #retryMs = 0;
  #stopWaiting: (() => void) | undefined;
  #challenge: GatewayError | undefined;

  constructor({ request, streams, prime, isBatch, resumeMs, replies, begun }: CallStreamOptions) {
    const { promise, resolve } = Promise.withResolvers<HttpReply>();
    this.#response = promise;
    this.#respond = resolve;
    this.#request = request;
    this.#streams = streams;
    this.#prime = prime;
    this.#isBatch = isBatch;
    this.#resumeMs = resumeMs;
    this.#left = replies;
    this.scope = begun?.scope ?? new Scope();
    this.#startedAt = begun?.at ?? Date.now();
    request.whenGone(this);
  }

  /** Called once: not kept, for a stream may be open for hours. */
  response(): Promise<HttpReply> {
    const response = this.#response;
    this.#response = undefined;
    return response ?? Promise.reject(new GatewayError("internal", "an answer has one reader"));
  }

  #answer(reply: HttpReply): void {
    const respond = this.#respond;
    this.#respond = undefined;
    respond?.(reply);
  }

  /** Before the head of an answer there is nothing that a client could resume. */
  gone(): void {
    if (this.#undecided) this.#abandon();
  }

  get query(): string {
    return this.#request.query;
  }

  header(name: string): string | undefined {
    return this.#request.header(name);
  }

  deliver(message: Uint8Array): void {
    if (!this.#over) this.#stream().send(message);
  }

  get parts(): PartSink | undefined {
    return this.#over ? undefined : this.#stream();
  }

  get congestion(): Promise<void> | undefined {
    return this.#log?.congestion;
  }

  /** The backend wants the call to be polled, and a client that understands it is told the same. */
  pause(retryMs: number): void {
    if (this.#over || !this.#prime) return;
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
    else if (message) (this.#replies ??= []).push(message);
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
    this.#end();
    if (this.#log) return this.#streams.finish(this.#log);
    const replies = this.#replies ?? [];
    // A call that was taken back has no reply, and HTTP needs an answer: a stream without messages.
    if (replies.length === 0) return this.#answer(eventReply((sink) => (sink.end(), () => {})));
    const [only = new Uint8Array()] = replies;
    if (this.#challenge && !this.#isBatch) return this.#answer(challengeReply(only, this.#challenge));
    this.#answer(jsonReply(this.#isBatch ? joinBatch(replies) : only));
  }

  #stream(): EventLog {
    if (this.#log) return this.#log;
    const log = this.#streams.open(this);
    this.#log = log;
    this.#answer(connect(log, this.#prime, 0));
    for (const early of this.#replies ?? []) log.send(early);
    this.#replies = undefined;
    return log;
  }

  /** A lost connection is no cancellation (2025-11-25, Transports): the client may come back for the stream. */
  connected(is: boolean): void {
    this.#stopWaiting?.();
    this.#stopWaiting = is || this.#over ? undefined : after(this.#retryMs + this.#resumeMs, () => this.#abandon());
  }

  /** The client is gone for good. */
  #abandon(): void {
    if (this.#over) return;
    this.#end();
    if (this.#log) this.#streams.drop(this.#log);
    this.scope.cancel(new ClientCancel());
    this.#answer(emptyReply(499));
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
