// HTTP+SSE for clients of revision 2024-11-05: a GET opens a stream, which names the endpoint that takes messages.

import { randomUUID } from "node:crypto";
import { GatewayError } from "../core/errors.ts";
import { anonymous, type Principal } from "../core/principal.ts";
import { after, Scope } from "../core/scope.ts";
import { frameEndpoint } from "../core/sse-frames.ts";
import { decodeText, encodeJson } from "../core/text.ts";
import type { View } from "../merge/names.ts";
import type { ServerIdentity } from "../route/greet.ts";
import type { Hub } from "../route/hub.ts";
import type { Router } from "../route/router.ts";
import type { EventSink } from "./eventlog.ts";
import { passOr } from "./elsewhere.ts";
import type { HttpReply, HttpRequest, Relay } from "./exchange.ts";
import { requireAccept, requireJson } from "./headers.ts";
import { type Judge, whenWhole } from "./judged.ts";
import { pathOf, viewAt } from "./place.ts";
import { emptyReply, errorReply, eventReply, refusalReply } from "./reply.ts";
import { SseClient } from "./sse-client.ts";

export interface SseFrontOptions {
  readonly hub: Hub;
  readonly router: Router;
  readonly identity: ServerIdentity;
  readonly again: Judge;
  /** The way to other processes, where there are any. */
  readonly relay?: Relay | undefined;
}

const streamPath = "/sse";
const messagePath = "/messages";
const sessionParam = "sessionId";
const purpose = "sse";
/** A stream on which nobody begins a session is not kept for longer. */
const greetingMs = 60_000;
/** For calls that were cut at the end to be answered. */
const farewellMs = 1_000;
const shuttingDown = (): GatewayError => new GatewayError("draining", "the gateway is shutting down");

export class SseFront {
  readonly #options: SseFrontOptions;
  readonly #hub: Hub;
  /** By the key that their ids hold. */
  readonly #clients = new Map<string, SseClient>();
  #stopTicking: () => void = () => {};
  #isDraining = false;

  constructor(options: SseFrontOptions) {
    this.#options = options;
    this.#hub = options.hub;
    this.#schedule();
  }

  get inFlight(): number {
    let sum = 0;
    for (const client of this.#clients.values()) sum += client.inFlight;
    return sum;
  }

  /** Answers one request; undefined where the path is not of this transport, or that is switched off. */
  handle(request: HttpRequest, path: string, who: Principal = anonymous): HttpReply | Promise<HttpReply> | undefined {
    if (!this.#hub.plan.front.sse) return undefined;
    const stream = viewAt(this.#hub, streamPath, path, who);
    const messages = stream ? undefined : viewAt(this.#hub, messagePath, path, who);
    try {
      if (stream) return this.#open(request, stream, who);
      return messages && this.#post(request, messages, who);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** Takes no new streams and calls; those in flight go on. */
  drain(): void {
    this.#isDraining = true;
    for (const client of this.#clients.values()) client.drain(shuttingDown());
  }

  /** Answers the calls that are still in flight with an error, and ends all streams. */
  async close(): Promise<void> {
    this.drain();
    this.#stopTicking();
    using patience = new Scope(undefined, farewellMs);
    const answered = [...this.#clients.values()].map((client) => client.stop(shuttingDown()));
    await patience.race(Promise.all(answered)).catch(() => {});
    this.end();
  }

  /** Ends all streams now, and their sessions with them. */
  end(): void {
    for (const client of [...this.#clients.values()]) client.close();
  }

  #open(request: HttpRequest, view: View, who: Principal): HttpReply {
    if (request.method !== "GET") return refuseMethod(request, "GET");
    // Clients of that revision need not say what they take.
    if (request.header("accept") !== undefined) requireAccept(request, ["text/event-stream"]);
    if (this.#isDraining) throw shuttingDown();
    const { sessions } = this.#hub.plan.limits;
    if (this.#clients.size >= sessions)
      throw new GatewayError("tooManySessions", `${sessions} event streams are open, and there may not be more`);
    return eventReply((sink) => this.#attach(sink, view, who));
  }

  #attach(sink: EventSink, view: View, who: Principal): () => void {
    const key = randomUUID();
    const ended = (): void => void this.#clients.delete(key);
    const client = new SseClient({ ...this.#options, who, sink, ended });
    this.#clients.set(key, client);
    const id = this.#hub.sealer.seal(purpose, encodeJson([key, who.id, view.backend, this.#options.relay?.node]));
    sink.write(frameEndpoint(`${pathOf(messagePath, view)}?${sessionParam}=${id}`));
    return () => client.close();
  }

  #post(request: HttpRequest, view: View, who: Principal): HttpReply | Promise<HttpReply> {
    if (request.method !== "POST") return refuseMethod(request, "POST");
    const { relay } = this.#options;
    const node = relay && !request.isRelayed ? this.#nodeOf(request) : undefined;
    if (relay && node !== undefined && node !== relay.node) return this.#pass(relay, node, request, who);
    const client = this.#clientOf(request, view, who);
    requireJson(request);
    const body = request.body(this.#hub.plan.limits.bodyBytes);
    if (body instanceof Uint8Array) return take(client, body, view, who);
    const next = (late: Uint8Array): HttpReply => take(client, late, view, who);
    const { again } = this.#options;
    return whenWhole(request, body, this.#hub, again, next).catch((error: unknown) => this.#refuse(error));
  }

  /** The process that has the stream. */
  #nodeOf({ query }: HttpRequest): string | undefined {
    const opened = this.#hub.sealer.open(purpose, new URLSearchParams(query).get(sessionParam) ?? "");
    return opened && readParts(decodeText(opened))[3];
  }

  async #pass(relay: Relay, node: string, request: HttpRequest, who: Principal): Promise<HttpReply> {
    try {
      const body = await request.body(this.#hub.plan.limits.bodyBytes);
      return await passOr(relay, node, request, who, unknown, body);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  #clientOf(request: HttpRequest, view: View, who: Principal): SseClient {
    const id = new URLSearchParams(request.query).get(sessionParam);
    if (id === null)
      throw new GatewayError("sessionMissing", `the address has no ${sessionParam}: GET ${streamPath} gives one`);
    const opened = this.#hub.sealer.open(purpose, id);
    const [key, owner, backend] = opened ? readParts(decodeText(opened)) : [];
    const client = key !== undefined && owner === who.id && backend === view.backend && this.#clients.get(key);
    return client || unknown();
  }

  #refuse(error: unknown): HttpReply {
    return refusalReply(this.#hub.observer, error, undefined);
  }

  /** Half of the time: what became silent right after one look is found by the next. */
  #schedule(): void {
    const halfMs = Math.max(10, this.#hub.plan.timeouts.keepAliveMs / 2);
    this.#stopTicking = after(halfMs, () => {
      for (const client of [...this.#clients.values()]) {
        if (client.silentMs > greetingMs) client.close();
        else client.keepAlive(halfMs);
      }
      this.#schedule();
    });
  }
}

function take(client: SseClient, body: Uint8Array, view: View, who: Principal): HttpReply {
  // The stream may have ended while the body came.
  if (!client.connected) unknown();
  client.take(body, view, who);
  return emptyReply(202);
}

function unknown(): never {
  throw new GatewayError(
    "sessionUnknown",
    `the session has ended with its stream, or never was: GET ${streamPath} opens one`,
  );
}

function readParts(text: string): readonly string[] {
  const parts: unknown = JSON.parse(text);
  return Array.isArray(parts) ? parts.map(String) : [];
}

function refuseMethod({ method }: HttpRequest, allow: string): HttpReply {
  const error = new GatewayError("methodNotAllowed", `the endpoint does not take ${method}`);
  return errorReply(error, undefined, { allow });
}
