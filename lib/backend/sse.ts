// A backend over HTTP+SSE, the transport of revision 2024-11-05: one stream for all that it says, and a POST a message.

import { scan } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import { type SseEvent, SseParser } from "../core/sse.ts";
import { decodeText } from "../core/text.ts";
import { linkClosed, named } from "./failures.ts";
import type { HttpOptions } from "./http-options.ts";
import { type HttpReply, HttpPool, type HttpRequest } from "./pool.ts";
import { followRedirects, getRedirects, postRedirects } from "./redirect.ts";
import { isSessionError, maxErrorBytes, readRefusal, refusedWith, sessionLost } from "./refusal.ts";
import { mediaType } from "./resume.ts";
import { showing } from "./showing.ts";
import { endpointOf } from "./target.ts";
import type { MessageHeaders, SendOutcome, Transport, TransportEvents } from "./transport.ts";
import { readTrust } from "./trust.ts";

type SseOptions = Omit<HttpOptions, "older">;

/** An address that is longer than this is none. */
const maxEndpointBytes = 8 * 1024;

/** Opens the stream; resolves when the server has said where messages go. */
export async function openSse(options: SseOptions, events: TransportEvents, scope: Scope): Promise<Transport> {
  const transport = new SseTransport(options, events);
  await transport.open(scope);
  return transport;
}

class SseTransport implements Transport {
  readonly #options: SseOptions;
  readonly #events: TransportEvents;
  readonly #pool: HttpPool;
  readonly #origin: string;
  /** Of the stream, which is the session: when it is gone, so is everything. */
  readonly #life = new Scope();
  readonly #endpoint = Promise.withResolvers<void>();
  /** Where the stream is; then where messages go. */
  #path: string;
  #isOpen = false;
  #isOver = false;
  #version: string | undefined;
  /** Of every POST. */
  #postHeaders: HttpRequest["headers"] | undefined;
  /** What they show. */
  #shown: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SseOptions, events: TransportEvents) {
    const url = new URL(options.replica.url);
    this.#options = options;
    this.#events = events;
    this.#pool = new HttpPool(url, { connectTimeoutMs: options.connectMs, tls: readTrust(options.replica.tls) });
    ({ path: this.#path, origin: this.#origin } = endpointOf(url));
  }

  /** Rejects with a `GatewayError`, or the scope's reason, and leaves nothing open then. */
  async open(scope: Scope): Promise<void> {
    const release = scope.onCancel((reason) => this.#life.cancel(reason));
    try {
      void this.#read(await this.#get());
      await this.#endpoint.promise;
    } catch (error) {
      this.#isOver = true;
      this.#life.cancel();
      await this.#pool[Symbol.asyncDispose]();
      throw scope.cancelled ? scope.reason : named(this.#options.backend, error);
    } finally {
      release();
    }
  }

  async send(
    message: Uint8Array,
    call: number | undefined,
    scope: Scope,
    more: MessageHeaders = [],
  ): Promise<SendOutcome> {
    const { backend, stray } = this.#options;
    const reply = await this.#post(message, scope, more);
    if (reply.status < 300) {
      await this.#accepted(reply, call);
      return call === undefined ? "ended" : "open";
    }
    const refusal = await readRefusal(reply);
    // Before there is one, the address is wrong.
    if (this.#version !== undefined && isSessionError(refusal, call)) {
      const lost = sessionLost(backend);
      this.#events.retired(lost);
      throw lost;
    }
    if (call === undefined) stray(`HTTP ${refusal.status} for a notification or an answer`);
    else if (refusal.error) this.#events.message(refusal.body, call);
    else throw refusedWith(backend, refusal, " at the endpoint that it named");
    return "ended";
  }

  negotiated(protocolVersion: string): void {
    this.#version = protocolVersion;
    this.#postHeaders = undefined;
  }

  opened(): void {}

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #get(): Promise<HttpReply> {
    const get = (path: string): Promise<HttpReply> => {
      this.#path = path;
      return this.#pool.request({ method: "GET", path, headers: this.#headers("text/event-stream") }, this.#life);
    };
    const request = { origin: this.#origin, path: this.#path, statuses: getRedirects, again: get };
    const { credential } = this.#options;
    const ask = async (): Promise<HttpReply> => await followRedirects(await get(this.#path), request);
    const reply = credential
      ? await showing(credential, this.#life, () => ({ shown: credential.current(), reply: ask() }))
      : await ask();
    if (reply.status === 200 && mediaType(reply) === "text/event-stream") return reply;
    reply.body.cancel();
    if (reply.status !== 200) throw refusedWith(this.#options.backend, await readRefusal(reply));
    throw this.#fault(`answered with content type "${mediaType(reply)}" instead of an event stream`);
  }

  /**
   * All calls share the stream, so it is never held up for one of them: a client that reads too slowly is given up by the
   * front, and costs the others nothing.
   */
  async #read({ body }: HttpReply): Promise<void> {
    const { backend, maxMessageBytes } = this.#options;
    const parser = new SseParser(maxMessageBytes);
    const ended = { backend, data: { sent: true } };
    try {
      await body.pipe((chunk) => {
        for (const event of parser.push(chunk)) this.#event(event);
        return undefined;
      });
      this.#lost(new GatewayError("lost", `backend "${backend}" ended its event stream`, ended));
    } catch (error) {
      this.#lost(this.#life.cancelled ? linkClosed(backend) : named(backend, error));
    }
  }

  #event({ event = "message", data }: SseEvent): void {
    if (data === undefined || this.#isOver) return;
    if (event === "endpoint") {
      if (this.#isOpen) return this.#options.stray("a second endpoint on its event stream");
      this.#path = this.#endpointIn(data);
      this.#isOpen = true;
      return this.#endpoint.resolve();
    }
    if (event !== "message") return;
    if (!this.#isOpen) throw this.#fault("began its event stream with something else than the endpoint for messages");
    if (data.length > 0) this.#events.message(data, undefined);
  }

  /** Path and query of the address that the server names; the credentials of this origin go to no other. */
  #endpointIn(data: Uint8Array): string {
    const base = new URL(this.#origin + this.#path);
    const url = data.length > 0 && data.length <= maxEndpointBytes ? URL.parse(decodeText(data), base.href) : null;
    if (!url) throw this.#fault("names an endpoint for messages that is no address");
    if (url.origin !== base.origin || url.protocol !== base.protocol)
      throw this.#fault(`names an endpoint for messages at ${url.origin}; only ${base.origin} is trusted with them`);
    return url.pathname + url.search;
  }

  async #post(message: Uint8Array, scope: Scope, more: MessageHeaders): Promise<HttpReply> {
    const { credential } = this.#options;
    const post = (path: string): Promise<HttpReply> =>
      this.#pool.request({ method: "POST", path, headers: [...this.#toPost(), ...more], body: message }, scope);
    const request = { origin: this.#origin, path: this.#path, statuses: postRedirects, again: post };
    const send = async (): Promise<HttpReply> => await followRedirects(await post(this.#path), request);
    try {
      if (!credential) return await send();
      return await showing(credential, scope, () => ({ shown: credential.current(), reply: send() }));
    } catch (error) {
      if (scope.cancelled) throw error;
      const failure = named(this.#options.backend, error);
      if (failure.code === "unreachable" || failure.code === "connectTimeout") this.#events.retired(failure);
      throw failure;
    }
  }

  /** The headers of a POST, made anew when what is shown changes. */
  #toPost(): HttpRequest["headers"] {
    const shown = this.#options.credential?.current();
    if (this.#postHeaders && this.#shown === shown) return this.#postHeaders;
    this.#shown = shown;
    this.#postHeaders = [...this.#headers("application/json, text/event-stream"), ["content-type", "application/json"]];
    return this.#postHeaders;
  }

  /** The answer comes on the stream; some servers give it here, and what else they say here is of no use. */
  async #accepted(reply: HttpReply, call: number | undefined): Promise<void> {
    const isJson = call !== undefined && mediaType(reply) === "application/json";
    if (mediaType(reply) === "text/event-stream") return reply.body.cancel();
    const limit = isJson ? this.#options.maxMessageBytes : maxErrorBytes;
    const body = await reply.body.bytes(limit).catch(() => new Uint8Array());
    const scanned = isJson ? scan(body) : undefined;
    if (scanned?.kind === "message" && scanned.envelope.kind === "response") this.#events.message(body, call);
  }

  #headers(accept: string): [string, string][] {
    const headers = Object.entries(this.#options.replica.headers);
    const shown = this.#options.credential?.current();
    if (shown !== undefined) headers.push(["authorization", shown]);
    headers.push(["accept", accept]);
    if (this.#version !== undefined) headers.push(["mcp-protocol-version", this.#version]);
    return headers;
  }

  #lost(error: GatewayError): void {
    this.#endpoint.reject(error);
    this.#finish(error);
  }

  #finish(error: GatewayError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // Before it was open nobody but the opener hears of it.
    if (this.#isOpen) this.#events.closed(error);
  }

  #fault(what: string): GatewayError {
    const { backend } = this.#options;
    return new GatewayError("badProtocol", `backend "${backend}" ${what}`, { backend, data: { sent: true } });
  }

  async #end(): Promise<void> {
    this.#finish(linkClosed(this.#options.backend));
    this.#life.cancel();
    await this.#pool[Symbol.asyncDispose]();
  }
}
