// A backend over Streamable HTTP: one POST a message, answers as JSON or as an event stream that is resumed when it breaks.

import type { HttpReplicaPlan } from "../config/plan.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { Scope, sleep } from "../core/scope.ts";
import { asRecord, decodeText } from "../core/text.ts";
import { type EventPosition, readEvents } from "./events.ts";
import { type HttpReply, HttpPool } from "./pool.ts";
import type { SendOutcome, Transport, TransportEvents } from "./transport.ts";

export interface HttpOptions {
  readonly backend: string;
  readonly replica: HttpReplicaPlan;
  readonly connectMs: number;
  readonly maxMessageBytes: number;
  readonly stray: (what: string) => void;
}

const maxErrorBytes = 64 * 1024;
const maxRedirects = 3;
/** 2025-11-25, Transports: a client waits as long as the server's `retry` says before it resumes; this where it says nothing. */
const resumeDelayMs = 1_000;
const maxResumes = 5;
const closeMs = 1_000;
/** The least pause before a stream is asked for again. */
const minDelayMs = 50;
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
  #path: string;
  #session: string | undefined;
  #version: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: HttpOptions, events: TransportEvents) {
    const url = new URL(options.replica.url);
    this.#options = options;
    this.#events = events;
    this.#pool = new HttpPool(url, { connectTimeoutMs: options.connectMs });
    this.#headers = Object.entries(options.replica.headers);
    this.#path = url.pathname + url.search;
  }

  async send(message: Uint8Array, call: number | undefined, scope: Scope): Promise<SendOutcome> {
    const reply = await this.#post(message, scope);
    const session = reply.headers.get("mcp-session-id");
    if (session !== undefined && this.#version === undefined) this.#session = session;
    if (reply.status >= 300) await this.#refused(reply, call);
    else if (call === undefined) await reply.body.bytes(maxErrorBytes);
    else await this.#answer(reply, call, scope);
    return "ended";
  }

  negotiated(protocolVersion: string): void {
    this.#version = protocolVersion;
  }

  opened(): void {
    void this.#listen();
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #post(message: Uint8Array, scope: Scope, redirects = 0): Promise<HttpReply> {
    const headers = this.#requestHeaders("application/json, text/event-stream");
    headers.push(["content-type", "application/json"]);
    const reply = await this.#request({ method: "POST", path: this.#path, headers, body: message }, scope);
    const location = reply.headers.get("location");
    // Frameworks redirect /mcp to /mcp/ before they run anything; another origin would get this one's credentials.
    if ((reply.status !== 307 && reply.status !== 308) || location === undefined || redirects >= maxRedirects)
      return reply;
    const { origin } = new URL(this.#options.replica.url);
    const target = new URL(location, origin + this.#path);
    if (target.origin !== origin) return reply;
    await reply.body.bytes(maxErrorBytes);
    this.#path = target.pathname + target.search;
    return this.#post(message, scope, redirects + 1);
  }

  async #request(request: Parameters<HttpPool["request"]>[0], scope: Scope): Promise<HttpReply> {
    try {
      return await this.#pool.request(request, scope);
    } catch (error) {
      if (scope.cancelled) throw error;
      const failure = this.#named(error);
      if (failure.code === "unreachable" || failure.code === "connectTimeout") this.#events.retired(failure);
      throw failure;
    }
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

  async #answer(reply: HttpReply, call: number, scope: Scope): Promise<void> {
    const type = mediaType(reply);
    if (type === "application/json") {
      this.#events.message(await reply.body.bytes(this.#options.maxMessageBytes), call);
    } else if (type === "text/event-stream") {
      await this.#follow(reply, call, scope);
    } else {
      reply.body.cancel();
      throw this.#failure("badProtocol", `answered with content type "${type}" (HTTP ${reply.status})`, true);
    }
  }

  /** Reads a call's stream to its answer, resuming it where the server gave event ids. */
  async #follow(first: HttpReply, call: number, scope: Scope): Promise<void> {
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
      if (reply.status === 404 && this.#session !== undefined) this.#events.retired(this.#sessionLost());
      if (!mayComeBack(reply.status)) return;
      reply = undefined;
    }
  }

  /** False where the connection broke and the stream can be resumed. */
  async #readToEnd(reply: HttpReply, position: EventPosition, call: number, scope: Scope): Promise<boolean> {
    try {
      await this.#readStream(reply, position, call);
      return true;
    } catch (error) {
      if (scope.cancelled || position.lastId === undefined) throw this.#named(error);
      return false;
    }
  }

  /** Undefined where the server cannot be reached: the call itself was sent, so that is no "not sent". */
  async #resume(position: EventPosition, scope: Scope): Promise<HttpReply | undefined> {
    try {
      return await this.#get(position, scope);
    } catch (error) {
      if (scope.cancelled) throw error;
      return undefined;
    }
  }

  async #readStream(reply: HttpReply, position: EventPosition, call: number | undefined): Promise<void> {
    const deliver = (data: Uint8Array): void => this.#events.message(data, call);
    await readEvents(reply.body, this.#options.maxMessageBytes, position, deliver);
  }

  #get(position: EventPosition, scope: Scope): Promise<HttpReply> {
    const headers = this.#requestHeaders("text/event-stream");
    if (position.lastId !== undefined) headers.push(["last-event-id", position.lastId]);
    return this.#request({ method: "GET", path: this.#path, headers }, scope);
  }

  /** Keeps the standalone stream open, for what the server says on its own; a server may not offer one. */
  async #listen(): Promise<void> {
    const position: EventPosition = { lastId: undefined, retryMs: undefined };
    const scope = this.#scope;
    for (let failures = 0; !scope.cancelled; failures += 1) {
      try {
        const reply = await this.#get(position, scope);
        const isStream = reply.status === 200 && mediaType(reply) === "text/event-stream";
        if (!isStream) reply.body.cancel();
        if (reply.status === 404 && this.#session !== undefined) return this.#events.retired(this.#sessionLost());
        if (!isStream && !mayComeBack(reply.status)) return;
        if (isStream) {
          failures = 0;
          await this.#readStream(reply, position, undefined);
        }
      } catch {
        if (scope.cancelled) return;
      }
      const delay = failures === 0 ? delayOf(position) : Math.min(resumeDelayMs * 2 ** failures, 30_000);
      await sleep(delay, scope).catch(() => {});
    }
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

/** A server may not want to be asked at once, and never without a pause. */
function delayOf({ retryMs }: EventPosition): number {
  return Math.max(retryMs ?? resumeDelayMs, minDelayMs);
}

/** Statuses of a GET after which the stream may be had later: a conflict with a connection that the server has not missed yet, too. */
function mayComeBack(status: number): boolean {
  return status >= 500 || status === 408 || status === 409 || status === 429;
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

function mediaType(reply: HttpReply): string {
  return (reply.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}
