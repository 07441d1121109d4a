// One live upstream connection: many callers share it, so ids and progress tokens are made unique here and restored.

import { type Edit, type Envelope, scan, spanBytes, spanValue, splice } from "../core/envelope.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { notificationMessage, requestMessage, resultMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import { encodeText } from "../core/text.ts";
import type { ServerFacts } from "../protocol/codec.ts";
import type { Transport, TransportEvents } from "./transport.ts";

/** Who waits for the answer of a call, and hears what comes before it. */
export interface Caller {
  /** Identity of the client session that the call belongs to. */
  readonly session: object;
  /** A message of this call: before its reply, or of the task that it created after it. */
  deliver(message: Uint8Array): void;
}

/** Why a call was cancelled, when its client did it. */
export class ClientCancel extends Error {
  /** The client's `notifications/cancelled`, if it sent one. */
  readonly notice: Envelope | undefined;
  constructor(notice?: Envelope) {
    super("the client cancelled the call");
    this.notice = notice;
  }
}

/** Hears what a backend says on its own. `caller` is the call that caused it, where that is known. */
export interface LinkPeer {
  notified(link: Link, envelope: Envelope, caller: Caller | undefined): void;
  /** A request of the backend; the peer answers it with `link.send`. */
  asked(link: Link, envelope: Envelope, caller: Caller | undefined): void;
  /** Something came that is no message, or answers nothing. */
  strayed(link: Link, what: string): void;
}

interface InFlight {
  readonly id: Uint8Array;
  readonly token: Uint8Array | undefined;
  readonly caller: Caller | undefined;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

const emptyResult = encodeText("{}");
/** Tasks whose progress is still restored after their call was answered; the oldest is dropped. */
const maxTasks = 1000;

export class Link implements TransportEvents {
  readonly backend: string;
  /** Whose link this is: the key of the principal or session, or the one of all. */
  readonly owner: string;
  readonly #peer: LinkPeer;
  readonly #calls = new Map<number, InFlight>();
  readonly #tasks = new Map<number, { readonly token: Uint8Array; readonly caller: Caller }>();
  /** Cancelled when the link takes no new calls. */
  readonly life: Scope = new Scope();
  readonly #wire: Scope = new Scope();
  #transport: Transport | undefined;
  #facts: ServerFacts | undefined;
  #lastId = 0;
  /** When the backend was last heard, Unix ms. */
  heardAt: number = Date.now();

  constructor(backend: string, owner: string, peer: LinkPeer) {
    this.backend = backend;
    this.owner = owner;
    this.#peer = peer;
  }

  attach(transport: Transport): void {
    this.#transport = transport;
  }

  opened(facts: ServerFacts): void {
    this.#facts = facts;
    this.#transport?.opened(facts.protocolVersion);
  }

  get facts(): ServerFacts | undefined {
    return this.#facts;
  }

  get usable(): boolean {
    return !this.life.cancelled && this.#facts !== undefined;
  }

  get callCount(): number {
    return this.#calls.size;
  }

  waiting(call: number): boolean {
    return this.#calls.has(call);
  }

  /** One waiting call of each session that waits right now. */
  callers(): readonly Caller[] {
    const bySession = new Map<object, Caller>();
    for (const { caller } of this.#calls.values()) if (caller) bySession.set(caller.session, caller);
    return [...bySession.values()];
  }

  /** Forwards a request; resolves to its reply under the caller's own id. Rejects with a `GatewayError` or the scope's reason. */
  call(request: Envelope, edits: readonly Edit[], caller: Caller, scope: Scope): Promise<Uint8Array> {
    const id = spanBytes(request, "id");
    const idSpan = request.spans.id;
    if (!id || !idSpan) return Promise.reject(new GatewayError("internal", "a call needs an id"));
    const upstream = this.#nextId();
    const upstreamId = encodeText(String(upstream));
    const changes: Edit[] = [...edits, { span: idSpan, bytes: upstreamId }];
    const tokenSpan = request.spans["params._meta.progressToken"];
    if (tokenSpan) changes.push({ span: tokenSpan, bytes: upstreamId });
    const token = spanBytes(request, "params._meta.progressToken");
    return this.#start(splice(request.bytes, changes), upstream, { id, token, caller }, scope);
  }

  /** A request of the gateway's own; resolves to the reply's bytes. */
  request(method: string, params: unknown, scope: Scope): Promise<Uint8Array> {
    const upstream = this.#nextId();
    const id = encodeText(String(upstream));
    const message = requestMessage(upstream, method, params);
    return this.#start(message, upstream, { id, token: undefined, caller: undefined }, scope);
  }

  /** Sends a notification or an answer; a failure shows up as the end of the link. */
  send(message: Uint8Array): void {
    const transport = this.#transport;
    if (!transport || this.#wire.cancelled) return;
    transport.send(message, undefined, this.#wire).catch((error: unknown) => this.retired(asGatewayError(error)));
  }

  /** Takes no new calls, lets those in flight end, then closes the wire. */
  retired(error: GatewayError): void {
    this.life.cancel(error);
    if (this.#calls.size === 0) void this.close(error);
  }

  closed(error: GatewayError): void {
    this.life.cancel(error);
    this.#wire.cancel(error);
    for (const upstream of this.#calls.keys()) this.#fail(upstream, error);
  }

  /** Closes the wire at once; calls in flight fail with `error`. */
  async close(error: GatewayError = new GatewayError("draining", `the link to "${this.backend}" was closed`)): Promise<void> {
    this.closed(error);
    await this.#transport?.close();
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  async #start(
    message: Uint8Array,
    upstream: number,
    call: Pick<InFlight, "id" | "token" | "caller">,
    scope: Scope,
  ): Promise<Uint8Array> {
    scope.throwIfCancelled();
    this.life.throwIfCancelled();
    const transport = this.#transport;
    if (!transport) throw new GatewayError("internal", "a link has no wire yet");
    const wire = new Scope(this.#wire);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#calls.set(upstream, { ...call, resolve, reject });
    const release = scope.onCancel((reason) => {
      if (!this.#fail(upstream, reason)) return;
      this.#sendCancel(upstream, reason);
      wire.cancel(reason);
    });
    transport.send(message, upstream, wire).then(
      (outcome) => {
        if (outcome === "ended") this.#fail(upstream, this.#unanswered());
      },
      (error: unknown) => this.#fail(upstream, error),
    );
    try {
      return await promise;
    } finally {
      release();
      if (this.life.cancelled && this.#calls.size === 0) void this.close();
    }
  }

  #unanswered(): GatewayError {
    const message = `backend "${this.backend}" ended its reply before the result came`;
    return new GatewayError("lost", message, { backend: this.backend, data: { sent: true } });
  }

  #fail(upstream: number, error: unknown): boolean {
    const call = this.#calls.get(upstream);
    this.#calls.delete(upstream);
    call?.reject(error);
    return call !== undefined;
  }

  #sendCancel(upstream: number, reason: unknown): void {
    // 2025-11-25, Cancellation: initialize must not be cancelled.
    if (!this.#facts) return;
    const notice = reason instanceof ClientCancel ? reason.notice : undefined;
    const span = notice?.spans["params.requestId"];
    const why = reason instanceof Error ? reason.message : String(reason);
    const message =
      notice && span
        ? splice(notice.bytes, [{ span, bytes: encodeText(String(upstream)) }])
        : notificationMessage("notifications/cancelled", { requestId: upstream, reason: why });
    this.send(message);
  }

  message(bytes: Uint8Array, cause: number | undefined): void {
    this.heardAt = Date.now();
    const scanned = scan(bytes);
    switch (scanned.kind) {
      case "malformed":
        this.#peer.strayed(this, scanned.message);
        if (cause !== undefined) this.#fail(cause, this.#badReply(scanned.message));
        return;
      case "batch":
        for (const { start, end } of scanned.items) this.message(bytes.subarray(start, end), cause);
        return;
      case "message":
        break;
    }
    const { envelope } = scanned;
    switch (envelope.kind) {
      case "response":
        return this.#answered(envelope, cause);
      case "notification":
        return this.#notified(envelope, cause);
      case "request":
        return this.#asked(envelope, cause);
    }
  }

  #badReply(why: string): GatewayError {
    const message = `backend "${this.backend}" answered with something that is no JSON-RPC message: ${why}`;
    return new GatewayError("badProtocol", message, { backend: this.backend, data: { sent: true } });
  }

  #answered(envelope: Envelope, cause: number | undefined): void {
    const id = spanValue(envelope, "id");
    // An error without an id still ends the one call whose stream it came on.
    const upstream = typeof id === "number" ? id : id === undefined || id === null ? cause : undefined;
    const call = upstream === undefined ? undefined : this.#calls.get(upstream);
    if (upstream === undefined || !call) return this.#peer.strayed(this, "an answer to no call in flight");
    this.#calls.delete(upstream);
    if (envelope.spans["result.task.taskId"] && call.token && call.caller) this.#keepTask(upstream, call.token, call.caller);
    const span = envelope.spans.id;
    call.resolve(span ? splice(envelope.bytes, [{ span, bytes: call.id }]) : withId(envelope, call.id));
  }

  #keepTask(upstream: number, token: Uint8Array, caller: Caller): void {
    this.#tasks.set(upstream, { token, caller });
    const [oldest] = this.#tasks.keys();
    if (this.#tasks.size > maxTasks && oldest !== undefined) this.#tasks.delete(oldest);
  }

  #notified(envelope: Envelope, cause: number | undefined): void {
    const span = envelope.spans["params.progressToken"];
    if (envelope.method !== "notifications/progress" || !span) {
      const caller = cause === undefined ? undefined : this.#calls.get(cause)?.caller;
      return this.#peer.notified(this, envelope, caller);
    }
    // Progress belongs to the call that gave the token, whatever stream it came on.
    const token = spanValue(envelope, "params.progressToken");
    const upstream = typeof token === "number" ? token : Number(token);
    const call = this.#calls.get(upstream) ?? this.#tasks.get(upstream);
    if (!call?.caller || !call.token) return this.#peer.strayed(this, "progress of no call in flight");
    call.caller.deliver(splice(envelope.bytes, [{ span, bytes: call.token }]));
  }

  #asked(envelope: Envelope, cause: number | undefined): void {
    const id = spanBytes(envelope, "id");
    if (envelope.method === "ping" && id) return this.send(resultMessage(id, emptyResult));
    this.#peer.asked(this, envelope, cause === undefined ? undefined : this.#calls.get(cause)?.caller);
  }
}

/** An error reply that came without an id, with the caller's. */
function withId(envelope: Envelope, id: Uint8Array): Uint8Array {
  const error = spanBytes(envelope, "error");
  const prefix = encodeText('{"jsonrpc":"2.0","id":');
  return Buffer.concat([prefix, id, encodeText(',"error":'), error ?? encodeText("null"), encodeText("}")]);
}
