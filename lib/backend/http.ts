// A backend over Streamable HTTP: one POST a message, answers as JSON or as an event stream.

import type { HttpReplicaPlan } from "../config/plan.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import { asRecord, decodeText } from "../core/text.ts";
import { type HttpReply, HttpPool, type HttpRequest } from "./pool.ts";
import { EventStreams, mediaType } from "./resume.ts";
import { endpointOf } from "./target.ts";
import { readTrust } from "./trust.ts";
import type { MessageHeaders, SendOutcome, Transport, TransportEvents } from "./transport.ts";

export interface HttpOptions {
  readonly backend: string;
  readonly replica: HttpReplicaPlan;
  readonly connectMs: number;
  readonly maxMessageBytes: number;
  readonly stray: (what: string) => void;
}

const maxErrorBytes = 64 * 1024;
const maxRedirects = 3;
const closeMs = 1_000;
/** JSON-RPC codes that servers give to an unknown session. */
const sessionCodes: ReadonlySet<unknown> = new Set([-32000, -32001, -32600]);

/** Opens nothing yet: the first POST is the handshake. */
export function openHttp(options: HttpOptions, events: TransportEvents): Transport {
  return new HttpTransport(options, events);
}

class HttpTransport implements Transport {
  readonly #options: HttpOptions;
  readonly #events: TransportEvents;
  readonly #pool: HttpPool;
  readonly #headers: readonly (readonly [string, string])[];
  readonly #scope = new Scope();
  readonly #streams: EventStreams;
  readonly #origin: string;
  #path: string;
  #session: string | undefined;
  #version: string | undefined;
  /** Of every POST; made anew when session or version change. */
  #postHeaders: HttpRequest["headers"] | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: HttpOptions, events: TransportEvents) {
    const url = new URL(options.replica.url);
    this.#options = options;
    this.#events = events;
    this.#pool = new HttpPool(url, { connectTimeoutMs: options.connectMs, tls: readTrust(options.replica.tls) });
    this.#headers = Object.entries(options.replica.headers);
    this.#streams = new EventStreams(
      {
        maxMessageBytes: options.maxMessageBytes,
        get: (lastId, scope) => this.#get(lastId, scope),
        named: (error) => this.#named(error),
        sessionLost: () => (this.#session === undefined ? undefined : this.#sessionLost()),
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
    let reply = await this.#post(message, scope, headers);
    if (reply.status === 307 || reply.status === 308) reply = await this.#redirected(reply, message, scope, headers);
    // The modern era, which has headers for each message, has no sessions.
    if (this.#version === undefined && !headers) this.#session = reply.headers.get("mcp-session-id") ?? this.#session;
    if (reply.status >= 300) await this.#refused(reply, call);
    else if (call === undefined) await reply.body.bytes(maxErrorBytes);
    else if (mediaType(reply) !== "application/json") await this.#stream(reply, call, scope);
    else {
      const { maxMessageBytes } = this.#options;
      this.#events.message(reply.body.whole(maxMessageBytes) ?? (await reply.body.bytes(maxMessageBytes)), call, true);
    }
    return "ended";
  }

  negotiated(protocolVersion: string): void {
    this.#version = protocolVersion;
    this.#postHeaders = undefined;
  }

  opened(): void {
    void this.#streams.listen(this.#scope);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  #post(message: Uint8Array, scope: Scope, more?: MessageHeaders): Promise<HttpReply> {
    this.#postHeaders ??= [
      ...this.#requestHeaders("application/json, text/event-stream"),
      ["content-type", "application/json"],
    ];
    const headers = more ? [...this.#postHeaders, ...more] : this.#postHeaders;
    return this.#request({ method: "POST", path: this.#path, headers, body: message }, scope);
  }

  /** Frameworks redirect /mcp to /mcp/ before they run anything; another origin would get this one's credentials. */
  async #redirected(first: HttpReply, message: Uint8Array, scope: Scope, headers?: MessageHeaders): Promise<HttpReply> {
    let reply = first;
    for (let redirects = 0; redirects < maxRedirects; redirects += 1) {
      const location = reply.headers.get("location");
      if ((reply.status !== 307 && reply.status !== 308) || location === undefined) break;
      const target = new URL(location, this.#origin + this.#path);
      if (target.origin !== this.#origin) break;
      await reply.body.bytes(maxErrorBytes);
      this.#path = target.pathname + target.search;
      reply = await this.#post(message, scope, headers);
    }
    return reply;
  }

  #request(request: HttpRequest, scope: Scope): Promise<HttpReply> {
    return this.#pool.request(request, scope).catch((error: unknown) => {
      if (scope.cancelled) throw error;
      const failure = this.#named(error);
      if (failure.code === "unreachable" || failure.code === "connectTimeout") this.#events.retired(failure);
      throw failure;
    });
  }

  /** The same failure with the backend's name. */
  #named(error: unknown): GatewayError {
    const { code, message, data, cause } = asGatewayError(error);
    const { backend } = this.#options;
    return new GatewayError(code, `backend "${backend}": ${message}`, { backend, data, cause });
  }

  #requestHeaders(accept: string): [string, string][] {
    const headers: [string, string][] = this.#headers.map(([name, value]) => [name, value]);
    headers.push(["accept", accept]);
    if (this.#session !== undefined) headers.push(["mcp-session-id", this.#session]);
    if (this.#version !== undefined) headers.push(["mcp-protocol-version", this.#version]);
    return headers;
  }

  async #stream(reply: HttpReply, call: number, scope: Scope): Promise<void> {
    const type = mediaType(reply);
    if (type === "text/event-stream") return this.#streams.follow(reply, call, scope);
    reply.body.cancel();
    throw this.#failure("badProtocol", `answered with content type "${type}" (HTTP ${reply.status})`, true);
  }

  #get(lastId: string | undefined, scope: Scope): Promise<HttpReply> {
    const headers = this.#requestHeaders("text/event-stream");
    if (lastId !== undefined) headers.push(["last-event-id", lastId]);
    return this.#request({ method: "GET", path: this.#path, headers }, scope);
  }

  async #refused(reply: HttpReply, call: number | undefined): Promise<void> {
    const { status } = reply;
    const body = await reply.body.bytes(maxErrorBytes).catch(() => new Uint8Array());
    const text = decodeText(body);
    const error = mediaType(reply) === "application/json" ? readError(text) : undefined;
    if (this.#session !== undefined && isSessionError(status, text, error, call)) {
      const lost = this.#sessionLost();
      this.#events.retired(lost);
      throw lost;
    }
    if (call !== undefined && error) return this.#events.message(body, call);
    if (call === undefined) return this.#options.stray(`HTTP ${status} for a notification or an answer`);
    if (status === 401 || status === 403)
      throw this.#failure("unauthorized", `refused the credentials (HTTP ${status})`, false);
    const sent = status >= 500 && status !== 503;
    throw this.#failure(
      status === 503 || status === 429 ? "unavailable" : "badProtocol",
      `answered with HTTP ${status}`,
      sent,
    );
  }

  #failure(code: "badProtocol" | "unauthorized" | "unavailable", what: string, sent: boolean): GatewayError {
    const { backend } = this.#options;
    return new GatewayError(code, `backend "${backend}" ${what}`, { backend, data: { sent } });
  }

  #sessionLost(): GatewayError {
    const { backend } = this.#options;
    return new GatewayError("sessionLost", `backend "${backend}" does not know the session any more`, {
      backend,
      data: { sent: false },
    });
  }

  async #end(): Promise<void> {
    this.#scope.cancel();
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

interface RpcError {
  readonly id: unknown;
  readonly code: unknown;
  readonly message: string;
}

/** The JSON-RPC error of a refusal; undefined where its body is something else. */
function readError(text: string): RpcError | undefined {
  try {
    const { id, error } = asRecord(JSON.parse(text));
    const { code, message } = asRecord(error);
    return typeof code === "number" ? { id, code, message: String(message) } : undefined;
  } catch {
    return undefined;
  }
}

/** Servers say "no such session" with 404, some with 400 and a text; an error under the call's own id is mostly its answer. */
function isSessionError(status: number, text: string, error: RpcError | undefined, call: number | undefined): boolean {
  if (status !== 404 && !(status === 400 && /session/i.test(text))) return false;
  if (error === undefined || call === undefined || Number(error.id ?? NaN) !== call) return true;
  return sessionCodes.has(error.code) && (status === 404 || /session/i.test(error.message));
}
