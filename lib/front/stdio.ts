// The gateway on stdin and stdout: one client, one session, messages as lines.

import { once } from "node:events";
import { ClientCancel } from "../backend/link.ts";
import { type Envelope, scan, type Scanned, spanBytes, toLine } from "../core/envelope.ts";
import { asGatewayError, type ErrorCode, GatewayError } from "../core/errors.ts";
import { errorMessage, resultMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import { joinBytes } from "../core/text.ts";
import { LineSplitter } from "../backend/lines.ts";
import type { View } from "../merge/names.ts";
import { allowsBatch, legacyCodec } from "../protocol/legacy.ts";
import { greet, readInitialize, type ServerIdentity } from "../route/greet.ts";
import type { Hub } from "../route/hub.ts";
import type { Router } from "../route/router.ts";
import type { Outlet, Session } from "../route/session.ts";

export interface StdioFrontOptions {
  readonly hub: Hub;
  readonly router: Router;
  readonly identity: ServerIdentity;
  readonly view: View;
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

const principal = "anonymous";
const newline = Buffer.from("\n");
const emptyResult = Buffer.from("{}");

export class StdioFront implements Outlet {
  readonly #options: StdioFrontOptions;
  readonly #scope = new Scope();
  readonly #calls = new Set<Promise<void>>();
  #session: Session | undefined;
  readonly connected = true;

  constructor(options: StdioFrontOptions) {
    this.#options = options;
  }

  /** Serves until the input ends; calls in flight are cancelled then. */
  async run(): Promise<void> {
    const { input, hub } = this.#options;
    const { bodyBytes } = hub.plan.limits;
    const tooLarge = (): void => this.#fail(undefined, new GatewayError("tooLarge", `a message is larger than ${bodyBytes} bytes`));
    const lines = new LineSplitter(bodyBytes, (line) => this.#line(line), tooLarge);
    input.on("data", (chunk: Uint8Array) => lines.push(chunk));
    await Promise.race([once(input, "end"), once(input, "close")]);
    lines.end();
    this.#scope.cancel(new ClientCancel());
    await Promise.all(this.#calls);
    if (this.#session) hub.sessions.end(this.#session);
  }

  send(message: Uint8Array): void {
    const { output } = this.#options;
    output.write(joinBytes([toLine(message), newline]));
  }

  close(): void {}

  #fail(id: Uint8Array | undefined, error: unknown): void {
    this.send(errorMessage(id, asGatewayError(error)));
  }

  #line(line: Uint8Array): void {
    const scanned = scan(line);
    switch (scanned.kind) {
      case "malformed": {
        const code: ErrorCode = scanned.reason === "shape" ? "invalidRequest" : "parse";
        return this.#fail(scanned.id, new GatewayError(code, scanned.message));
      }
      case "batch":
        return this.#batch(line, scanned);
      case "message":
        return this.#message(scanned.envelope, (reply) => this.send(reply));
    }
  }

  #batch(line: Uint8Array, { items }: Extract<Scanned, { kind: "batch" }>): void {
    const session = this.#session;
    if (!session || !allowsBatch(session.facts.version) || items.length === 0) {
      return this.#fail(undefined, new GatewayError("invalidRequest", "a batch is not allowed here"));
    }
    const parts = items.map(({ start, end }) => scan(line.subarray(start, end)));
    const envelopes = parts.flatMap((part) => (part.kind === "message" ? [part.envelope] : []));
    if (envelopes.length < parts.length) return this.#fail(undefined, new GatewayError("invalidRequest", "the batch holds something that is no message"));
    const replies: Uint8Array[] = [];
    let left = envelopes.filter(({ kind }) => kind === "request").length;
    for (const envelope of envelopes) {
      this.#message(envelope, (reply) => {
        replies.push(reply);
        left -= 1;
        const body = replies.flatMap((each, at) => (at === 0 ? [each] : [Buffer.from(","), each]));
        if (left === 0) this.send(joinBytes([Buffer.from("["), ...body, Buffer.from("]")]));
      });
    }
  }

  #message(envelope: Envelope, answer: (reply: Uint8Array) => void): void {
    const { router } = this.#options;
    switch (envelope.kind) {
      case "notification":
        if (this.#session) router.notification(this.#session, envelope);
        return;
      case "response":
        if (this.#session) router.response(this.#session, envelope);
        return;
      case "request":
        return this.#request(envelope, answer);
    }
  }

  #request(request: Envelope, answer: (reply: Uint8Array) => void): void {
    const id = spanBytes(request, "id") ?? new Uint8Array();
    try {
      if (request.method === legacyCodec.openMethod && !this.#session) return answer(this.#greet(request, id));
      // 2025-11-25, Lifecycle: a ping may come before initialize.
      if (request.method === "ping") return answer(resultMessage(id, emptyResult));
      if (!this.#session) throw new GatewayError("sessionMissing", "the first request must be initialize");
    } catch (error) {
      return answer(errorMessage(id, asGatewayError(error)));
    }
    const call = this.#call(this.#session, request, answer);
    this.#calls.add(call);
    void call.finally(() => this.#calls.delete(call));
  }

  async #call(session: Session, request: Envelope, answer: (reply: Uint8Array) => void): Promise<void> {
    using scope = new Scope(this.#scope);
    const reply = await this.#options.router.request(session, request, scope, { deliver: (message) => this.send(message) });
    if (reply) answer(reply);
  }

  #greet(request: Envelope, id: Uint8Array): Uint8Array {
    const { hub, router, view, identity } = this.#options;
    const facts = readInitialize(request, legacyCodec, view, principal);
    const { limits, timeouts } = hub.plan;
    const session = hub.sessions.create(facts, this, { sessions: limits.sessions, idleMs: timeouts.sessionIdleMs });
    this.#session = session;
    router.prepare(session);
    return resultMessage(id, greet(hub, view, facts.version, identity));
  }
}
