// The gateway on stdin and stdout: one client, one session, messages as lines.

import { ClientCancel } from "../backend/link.ts";
import { LineSplitter } from "../backend/lines.ts";
import { type Envelope, scan, type Scanned, spanBytes } from "../core/envelope.ts";
import { asGatewayError, type ErrorCode, GatewayError } from "../core/errors.ts";
import { errorMessage, resultMessage } from "../core/rpc.ts";
import { anonymous } from "../core/principal.ts";
import { Scope } from "../core/scope.ts";
import type { View } from "../merge/names.ts";
import { allowsBatch, legacyCodec } from "../protocol/legacy.ts";
import { claimsModern } from "../protocol/modern-request.ts";
import { greet, readInitialize, type ServerIdentity } from "../route/greet.ts";
import type { Hub } from "../route/hub.ts";
import type { ModernRouter } from "../route/modern-router.ts";
import type { Router } from "../route/router.ts";
import type { Outlet, Port } from "../route/outlet.ts";
import type { Session } from "../route/session.ts";
import { joinBatch } from "./callstream.ts";
import { ModernPipe } from "./modern-stdio.ts";
import { LineWriter } from "./writer.ts";

export interface StdioFrontOptions {
  readonly hub: Hub;
  readonly router: Router;
  readonly modern: ModernRouter;
  readonly identity: ServerIdentity;
  /** What may be seen now. */
  readonly view: () => View;
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Takes the reply of one call; undefined where the client took the call back. */
type Answer = (reply: Uint8Array | undefined) => void;

const emptyResult = Buffer.from("{}");
const shuttingDown = (): GatewayError => new GatewayError("draining", "the gateway is shutting down");

export class StdioFront implements Outlet {
  readonly #options: StdioFrontOptions;
  readonly #writer: LineWriter;
  readonly #scope = new Scope();
  readonly #calls = new Set<Promise<void>>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #port: Port = { deliver: (message) => this.send(message) };
  readonly #modern: ModernPipe;
  #session: Session | undefined;
  #draining = false;
  readonly connected = true;

  constructor(options: StdioFrontOptions) {
    const { input, output } = options;
    this.#options = options;
    const { modern: router, view } = options;
    this.#modern = new ModernPipe({ router, view, port: this.#port });
    // A client that does not read its answers may not ask for more of them.
    this.#writer = new LineWriter(output, {
      full: () => input.pause(),
      drained: () => input.resume(),
      gone: () => {
        this.#scope.cancel(new ClientCancel());
        this.#ended.resolve();
      },
    });
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  /** Serves until the input ends and the calls in flight have, within the time that the plan gives them. */
  async run(): Promise<void> {
    const { input, hub } = this.#options;
    const { limits, timeouts } = hub.plan;
    const tooLarge = (): void =>
      this.#refuse(undefined, new GatewayError("tooLarge", `a message is larger than ${limits.bodyBytes} bytes`));
    const lines = new LineSplitter(limits.bodyBytes, (line) => this.#line(line), tooLarge);
    const onData = (chunk: Uint8Array): void => lines.push(chunk);
    input.on("data", onData);
    for (const event of ["end", "close", "error"]) input.on(event, () => this.#ended.resolve());
    await this.#ended.promise;
    input.removeListener("data", onData);
    // An input that flows keeps the process alive.
    input.pause();
    lines.end();
    // What waits for an answer of the client waits in vain.
    this.#session?.asks.close();
    this.#modern.endListening();
    using patience = new Scope(this.#scope, timeouts.drainMs);
    await patience.race(this.#settled()).catch(() => {});
    this.#scope.cancel(new ClientCancel());
    await this.#settled();
    if (this.#session) hub.sessions.end(this.#session);
    await this.#writer.flushed();
  }

  /** Takes no new calls; those in flight go on. */
  drain(): void {
    this.#draining = true;
  }

  /** Answers the calls that are still in flight with an error, and ends the run. */
  async stop(): Promise<void> {
    this.#scope.cancel(shuttingDown());
    await this.#settled();
    this.#ended.resolve();
  }

  /** The session has ended; so has whoever waits for its end. */
  close(): void {}

  /** A message that answers no request. */
  send(message: Uint8Array): void {
    this.#writer.offer(message);
  }

  async #settled(): Promise<void> {
    while (this.#calls.size > 0) await Promise.all(this.#calls);
  }

  #refuse(id: Uint8Array | undefined, error: unknown): void {
    this.#writer.write(errorMessage(id, asGatewayError(error)));
  }

  #line(line: Uint8Array): void {
    const scanned = scan(line, this.#options.hub.plan.limits);
    switch (scanned.kind) {
      case "malformed": {
        const code: ErrorCode = scanned.reason === "shape" ? "invalidRequest" : "parse";
        return this.#refuse(scanned.id, new GatewayError(code, scanned.message));
      }
      case "batch":
        return this.#batch(line, scanned);
      case "message":
        return this.#message(scanned.envelope, (reply) => reply && this.#writer.write(reply));
    }
  }

  #batch(line: Uint8Array, { items }: Extract<Scanned, { kind: "batch" }>): void {
    const session = this.#session;
    if (!session || !allowsBatch(session.facts.version) || items.length === 0) {
      return this.#refuse(undefined, new GatewayError("invalidRequest", "a batch is not allowed here"));
    }
    const parts = items.map(({ start, end }) => scan(line.subarray(start, end), this.#options.hub.plan.limits));
    const envelopes = parts.flatMap((part) => (part.kind === "message" ? [part.envelope] : []));
    if (envelopes.length < parts.length)
      return this.#refuse(
        undefined,
        new GatewayError("invalidRequest", "the batch holds something that is no message"),
      );
    const replies: Uint8Array[] = [];
    let left = envelopes.filter(({ kind }) => kind === "request").length;
    const answer: Answer = (reply) => {
      if (reply) replies.push(reply);
      left -= 1;
      if (left === 0 && replies.length > 0) this.#writer.write(joinBatch(replies));
    };
    for (const envelope of envelopes) this.#message(envelope, answer);
  }

  #message(envelope: Envelope, answer: Answer): void {
    const { router } = this.#options;
    switch (envelope.kind) {
      case "notification":
        if (envelope.method === "notifications/cancelled" && this.#modern.cancel(envelope)) return;
        if (this.#session) router.notification(this.#session, envelope);
        return;
      case "response":
        if (this.#session) router.response(this.#session, envelope);
        return;
      case "request":
        return this.#request(envelope, answer);
    }
  }

  #request(request: Envelope, answer: Answer): void {
    const id = spanBytes(request, "id") ?? new Uint8Array();
    try {
      // 2025-11-25, Lifecycle: a ping may come before initialize.
      if (request.method === "ping" && !claimsModern(request, undefined)) return answer(resultMessage(id, emptyResult));
      if (this.#draining) throw shuttingDown();
      if (claimsModern(request, undefined)) return this.#track(this.#modern.request(request, this.#scope).then(answer));
      if (request.method === legacyCodec.openMethod && !this.#session) return answer(this.#greet(request, id));
      // To a modern client it is a request without its metadata, to a legacy one any error says as much.
      if (!this.#session)
        throw new GatewayError("metaInvalid", "the first request must be initialize, or have its own params._meta");
    } catch (error) {
      return answer(errorMessage(id, asGatewayError(error)));
    }
    this.#track(this.#call(this.#session, request, answer));
  }

  #track(answering: Promise<void>): void {
    const call = answering.finally(() => this.#calls.delete(call));
    this.#calls.add(call);
  }

  async #call(session: Session, request: Envelope, answer: Answer): Promise<void> {
    using own = new Scope(this.#scope);
    answer(await this.#options.router.request(session, request, own, this.#port));
  }

  #greet(request: Envelope, id: Uint8Array): Uint8Array {
    const { hub, router, view, identity } = this.#options;
    const facts = readInitialize(request, legacyCodec, view(), anonymous.id);
    const { limits, timeouts } = hub.plan;
    const session = hub.sessions.create(facts, this, { sessions: limits.sessions, idleMs: timeouts.sessionIdleMs });
    this.#session = session;
    router.prepare(session);
    return resultMessage(id, greet(hub, facts.view, facts.version, identity));
  }
}
