// A backend over Streamable HTTP: one POST a message, answers as JSON or as an event stream.

import { GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import { isModernRefusal } from "../protocol/modern-codes.ts";
import { headerNames } from "../protocol/modern-headers.ts";
import { named } from "./failures.ts";
import type { InFlight } from "./flight.ts";
import type { Asker } from "./exchange.ts";
import type { HttpOptions } from "./http-options.ts";
import { Landing, type LandingPlace } from "./landing.ts";
import { type HttpReply, HttpPool, type HttpRequest } from "./pool.ts";
import { followRedirects, postRedirects } from "./redirect.ts";
import {
  eraChanged,
  isSessionError,
  maxErrorBytes,
  readRefusal,
  type Refusal,
  refusedWith,
  sessionLost,
} from "./refusal.ts";
import { EventStreams, mediaType, type StreamEnd } from "./resume.ts";
import { isUnshown, showing } from "./showing.ts";
import type { StraightWay } from "./straight.ts";
import { endpointOf } from "./target.ts";
import { readTrust } from "./trust.ts";
import type { MessageHeaders, SendOutcome, Transport, TransportEvents } from "./transport.ts";

const closeMs = 1_000;
/** 2025-11-25, Transports, "Backwards Compatibility": a server of the older transport refuses initialize so. */
const olderStatuses: ReadonlySet<number> = new Set([400, 404, 405]);

/** Opens nothing yet: the first POST is the handshake. */
export function openHttp(options: HttpOptions, events: TransportEvents): Transport {
  return new HttpTransport(options, events);
}

class HttpTransport implements Transport, LandingPlace {
  readonly #options: HttpOptions;
  readonly maxMessageBytes: number;
  readonly #events: TransportEvents;
  readonly #pool: HttpPool;
  readonly #scope = new Scope();
  readonly #streams: EventStreams;
  readonly #origin: string;
  #path: string;
  #session: string | undefined;
  #version: string | undefined;
  /** What the common headers show. */
  #shown: string | undefined;
  /** Of every POST; made anew when session, version or path change. */
  #common: HttpRequest | undefined;
  /** What the server turned out to speak instead. */
  #older: Transport | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: HttpOptions, events: TransportEvents) {
    const url = new URL(options.replica.url);
    this.#options = options;
    this.maxMessageBytes = options.maxMessageBytes;
    this.#events = events;
    this.#pool = new HttpPool(url, { connectTimeoutMs: options.connectMs, tls: readTrust(options.replica.tls) });
    this.#streams = new EventStreams(
      {
        maxMessageBytes: options.maxMessageBytes,
        get: (lastId, scope) => this.#get(lastId, scope),
        named: (error) => named(options.backend, error),
        sessionLost: () => (this.#session === undefined ? undefined : sessionLost(options.backend)),
      },
      events,
    );
    ({ path: this.#path, origin: this.#origin } = endpointOf(url));
  }

  async send(
    message: Uint8Array,
    call: number | undefined,
    scope: Scope,
    headers?: MessageHeaders,
  ): Promise<SendOutcome> {
    if (this.#older) return this.#older.send(message, call, scope, headers);
    return this.#receive(await this.#post(message, scope, headers), message, call, scope, headers);
  }

  straight(): StraightWay | undefined {
    if (this.#older || this.#version === undefined || this.#options.credential?.isNeeded) return undefined;
    return this.#pool.straight(this.#head(), this);
  }

  diverted(flight: InFlight): Asker {
    return new Landing(this, flight);
  }

  /** A straight call has an answer that is to be read. */
  landed(flight: InFlight, reply: HttpReply, end: StreamEnd): void {
    const { straight, upstream, wire, call } = flight;
    if (reply.status === 200 && mediaType(reply) === "text/event-stream") {
      this.#options.answered?.(reply.status, reply.headers, upstream);
      return this.#streams.follow(reply, upstream, wire, end);
    }
    const message = new Uint8Array(straight?.size(upstream) ?? 0);
    straight?.put(upstream, message, 0);
    const isAgain = this.#options.credential && isUnshown(reply);
    (isAgain ? this.#post(message, wire, call.headers) : Promise.resolve(reply))
      .then((answer) => this.#receive(answer, message, upstream, wire, call.headers))
      .then(
        () => end.over(),
        (error: unknown) => end.failed(error),
      );
  }

  failed(flight: InFlight, reason: unknown): void {
    flight.owner.broken(flight, this.#failed(reason, flight.isCut));
  }

  async #receive(
    first: HttpReply,
    message: Uint8Array,
    call: number | undefined,
    scope: Scope,
    headers?: MessageHeaders,
  ): Promise<SendOutcome> {
    const reply = postRedirects.has(first.status) ? await this.#redirected(first, message, scope, headers) : first;
    this.#options.answered?.(reply.status, reply.headers, call);
    // The modern era, which has headers for each message, has no sessions.
    const isModern = headers?.some(([name]) => name === headerNames.method) === true;
    if (this.#version === undefined && !isModern) this.#session = reply.headers.get("mcp-session-id") ?? this.#session;
    if (reply.status >= 300) {
      const refusal = await readRefusal(reply);
      const older = call !== undefined && !isModern && (await this.#olderAfter(refusal, scope));
      if (older) return older.send(message, call, scope, headers);
      this.#refused(refusal, call);
    } else if (call === undefined) await reply.body.bytes(maxErrorBytes);
    else if (mediaType(reply) !== "application/json") await this.#stream(reply, call, scope);
    else {
      const whole = reply.body.whole(this.maxMessageBytes) ?? (await reply.body.bytes(this.maxMessageBytes));
      this.#events.message(whole, call, true);
    }
    return "ended";
  }

  get hears(): boolean {
    return this.#older?.hears ?? this.#streams.hears;
  }

  negotiated(protocolVersion: string): void {
    this.#older?.negotiated(protocolVersion);
    this.#version = protocolVersion;
    this.#common = undefined;
  }

  opened(): void {
    if (!this.#older) void this.#streams.listen(this.#scope);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#end());
  }

  #post(message: Uint8Array, scope: Scope, more?: MessageHeaders): Promise<HttpReply> {
    const { credential } = this.#options;
    const send = (): Promise<HttpReply> => {
      const head = this.#head();
      const headers = more ? [...head.headers, ...more] : head.headers;
      return this.#request({ ...head, headers, body: message }, scope);
    };
    return credential ? showing(credential, scope, () => ({ reply: send(), shown: this.#shown })) : send();
  }

  /** What all POSTs have in common. */
  #head(): HttpRequest {
    const shown = this.#options.credential?.current();
    if (this.#common?.path === this.#path && this.#shown === shown) return this.#common;
    this.#shown = shown;
    const headers: HttpRequest["headers"] = [
      ...this.#requestHeaders("application/json, text/event-stream"),
      ["content-type", "application/json"],
    ];
    this.#common = { method: "POST", path: this.#path, headers };
    return this.#common;
  }

  #redirected(first: HttpReply, message: Uint8Array, scope: Scope, headers?: MessageHeaders): Promise<HttpReply> {
    const again = (path: string): Promise<HttpReply> => {
      this.#path = path;
      return this.#post(message, scope, headers);
    };
    return followRedirects(first, { origin: this.#origin, path: this.#path, statuses: postRedirects, again });
  }

  #request(request: HttpRequest, scope: Scope): Promise<HttpReply> {
    return this.#pool.request(request, scope).catch((error: unknown) => {
      throw this.#failed(error, scope.cancelled);
    });
  }

  #failed(error: unknown, isCut: boolean): unknown {
    if (isCut) return error;
    const failure = named(this.#options.backend, error);
    if (failure.code === "unreachable" || failure.code === "connectTimeout") this.#events.retired(failure);
    return failure;
  }

  #requestHeaders(accept: string): [string, string][] {
    const headers = Object.entries(this.#options.replica.headers);
    const shown = this.#options.credential?.current();
    if (shown !== undefined) headers.push(["authorization", shown]);
    headers.push(["accept", accept]);
    if (this.#session !== undefined) headers.push(["mcp-session-id", this.#session]);
    if (this.#version !== undefined) headers.push(["mcp-protocol-version", this.#version]);
    return headers;
  }

  #stream(reply: HttpReply, call: number, scope: Scope): Promise<void> {
    const type = mediaType(reply);
    if (type === "text/event-stream")
      return new Promise((over, failed) => this.#streams.follow(reply, call, scope, { over, failed }));
    reply.body.cancel();
    const { backend } = this.#options;
    const text = `backend "${backend}" answered with content type "${type}" (HTTP ${reply.status})`;
    throw new GatewayError("badProtocol", text, { backend, data: { sent: true } });
  }

  #get(lastId: string | undefined, scope: Scope): Promise<HttpReply> {
    const { credential } = this.#options;
    const send = (): Promise<HttpReply> => {
      const headers = this.#requestHeaders("text/event-stream");
      if (lastId !== undefined) headers.push(["last-event-id", lastId]);
      return this.#request({ method: "GET", path: this.#path, headers }, scope);
    };
    return credential ? showing(credential, scope, () => ({ shown: credential.current(), reply: send() })) : send();
  }

  /** The older transport, where the refusal of the handshake is that of a server that speaks nothing else. */
  async #olderAfter({ status, error }: Refusal, scope: Scope): Promise<Transport | undefined> {
    const { older } = this.#options;
    // 2026-07-28, Streamable HTTP, "HTTP+SSE Transport": the error of a modern server is none of those.
    if (!older || this.#version !== undefined || isModernRefusal(status, error?.code)) return undefined;
    if (!olderStatuses.has(status)) return undefined;
    try {
      this.#older = await older(scope);
    } catch (failure) {
      if (scope.cancelled) throw failure;
      // That the address has no such stream either says less than its first answer.
      return undefined;
    }
    if (this.#closing) void this.#older.close();
    this.#session = undefined;
    return this.#older;
  }

  /** Throws unless the body is the answer of the call. */
  #refused(refusal: Refusal, call: number | undefined): void {
    const { backend, stray } = this.#options;
    const { status, body, error, isPutOff } = refusal;
    const isModern = this.#version !== undefined && status === 400 && isModernRefusal(status, error?.code);
    if (isModern || (this.#session !== undefined && isSessionError(refusal, call))) {
      if (isModern) this.#options.changed?.();
      const lost = isModern ? eraChanged(backend) : sessionLost(backend);
      this.#events.retired(lost);
      throw lost;
    }
    if (call !== undefined && error && !isPutOff) return this.#events.message(body, call);
    if (call === undefined) return stray(`HTTP ${status} for a notification or an answer`);
    throw refusedWith(backend, refusal);
  }

  async #end(): Promise<void> {
    this.#scope.cancel();
    await this.#older?.close();
    if (this.#session !== undefined) {
      using scope = new Scope(undefined, closeMs);
      const headers = this.#requestHeaders("application/json");
      try {
        const reply = await this.#pool.request({ method: "DELETE", path: this.#path, headers }, scope);
        reply.body.cancel();
      } catch {
        // The session ends by itself at a server that cannot be reached.
      }
    }
    await this.#pool[Symbol.asyncDispose]();
    this.#events.closed(new GatewayError("draining", `the link to backend "${this.#options.backend}" was closed`));
  }
}
