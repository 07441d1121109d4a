// A modern server as a link knows servers: what a legacy server would be asked and would say, on a wire of the modern era.

import { type Envelope, scan, spanNumber, spanText, spanValue, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { errorMessage, resultMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import { encodeNumber, encodeText } from "../core/text.ts";
import { isShared, legacyNotification } from "../protocol/bridge.ts";
import { legacyCodec } from "../protocol/legacy.ts";
import { modernCodec } from "../protocol/modern.ts";
import { untagEdits } from "../protocol/modern-listen.ts";
import { readDiscovered } from "../protocol/modern-discover.ts";
import type { Caller } from "./caller.ts";
import { eraChanged } from "./refusal.ts";
import { ModernCalls } from "./modern-calls.ts";
import { ModernListen } from "./modern-listen.ts";
import { type ModernFacts, ModernRequests } from "./modern-requests.ts";
import { unwatchTask, watchTask } from "./modern-words.ts";
import type { MessageHeaders, SendOutcome, Transport, TransportEvents } from "./transport.ts";

/** What the transport asks of the link above it. */
export interface ModernLink extends TransportEvents {
  /** Who waits for a call. */
  caller(call: number): Caller | undefined;
}

const empty = encodeText("{}");
const discover = "server/discover";
const doubtMs = 10_000;

export class ModernTransport implements Transport, TransportEvents {
  readonly #wire: Transport;
  readonly #link: ModernLink;
  readonly #facts: ModernFacts;
  readonly #life = new Scope();
  readonly #requests: ModernRequests;
  readonly #calls: ModernCalls;
  readonly #listen: ModernListen;
  readonly #tasks: ModernListen;
  /** Called where the server turns out to speak another era now. */
  readonly #changed: () => void;
  #doubting: Promise<GatewayError | undefined> | undefined;

  constructor(wire: Transport, link: ModernLink, facts: ModernFacts, changed: () => void) {
    this.#wire = wire;
    this.#link = link;
    this.#facts = facts;
    this.#changed = changed;
    this.#requests = new ModernRequests(wire, facts);
    this.#calls = new ModernCalls(this.#requests, link, () => this.#doubt());
    this.#listen = new ModernListen(this.#requests, link, "changes");
    this.#tasks = new ModernListen(this.#requests, link, "tasks");
  }

  send(message: Uint8Array, call: number | undefined, scope: Scope, headers?: MessageHeaders): Promise<SendOutcome> {
    const scanned = scan(message);
    if (scanned.kind !== "message") return Promise.reject(new GatewayError("internal", "no message to send"));
    const { envelope } = scanned;
    if (call !== undefined) return this.#request(envelope, call, scope, headers);
    if (envelope.kind === "response") this.#calls.answered(envelope);
    else if (envelope.method === "notifications/cancelled") this.#cancel(envelope);
    // Nothing else that a client says on its own is left in the modern era.
    return Promise.resolve("ended");
  }

  /** The probe was the handshake. */
  negotiated(): void {}

  opened(): void {
    this.#listen.start();
  }

  get hears(): boolean {
    return this.#listen.hears;
  }

  async close(): Promise<void> {
    this.#life.cancel();
    this.#listen.stop();
    this.#tasks.stop();
    await this.#wire.close();
  }

  message(bytes: Uint8Array, cause: number | undefined, last: boolean = false): void {
    const scanned = scan(bytes);
    if (scanned.kind !== "message") return this.#link.message(bytes, this.#requests.callOf(cause), last);
    const { envelope } = scanned;
    switch (envelope.kind) {
      case "response":
        return this.#requests.replied(envelope, cause, last);
      case "notification":
        return this.#notified(envelope, cause);
      case "request":
        return this.#facts.warn(`ignored the request ${envelope.method ?? ""}: a modern server asks in its results`);
    }
  }

  paused(): void {}

  congestion(wire: number): Promise<void> | undefined {
    const call = this.#requests.callOf(wire);
    return call === undefined ? undefined : this.#link.congestion(call);
  }

  /** Nothing is resumed in the modern era: what its stream does not say is lost. */
  waiting(): boolean {
    return false;
  }

  retired(error: GatewayError): void {
    this.#listen.stop();
    this.#tasks.stop();
    this.#link.retired(error);
  }

  closed(error: GatewayError, unsent?: ReadonlySet<number>): void {
    this.#life.cancel(error);
    this.#listen.stop();
    this.#tasks.stop();
    this.#link.closed(error, unsent);
  }

  async #request(request: Envelope, call: number, scope: Scope, headers?: MessageHeaders): Promise<SendOutcome> {
    const { method = "" } = request;
    switch (method) {
      case "ping":
        await this.#check(scope);
        return this.#answer(call, empty);
      case "logging/setLevel":
        // Each request says the level of its caller.
        return this.#answer(call, empty);
      case "resources/subscribe":
        return await this.#subscribe(request, call, scope);
      case "resources/unsubscribe":
        this.#listen.unsubscribe(spanText(request, "params.uri") ?? "");
        return this.#answer(call, empty);
      case watchTask:
        return await this.#watch(request, call, scope);
      case unwatchTask:
        this.#tasks.unsubscribe(spanText(request, "params.taskId") ?? "");
        return this.#answer(call, empty);
      default:
        break;
    }
    const isKnown = legacyCodec.requests.has(method) || modernCodec.requests.has(method);
    const caller = this.#link.caller(call);
    const passes = caller?.era === "modern" && modernCodec.requests.has(method);
    if (!isKnown || isShared(method) || passes) return await this.#calls.send(request, call, caller, scope, headers);
    const { backend, version } = this.#facts;
    return this.#refuse(
      call,
      new GatewayError(
        "unknownMethod",
        `backend "${backend}" speaks ${version}, which has no ${method} for clients of this revision`,
        { backend },
      ),
    );
  }

  async #subscribe(request: Envelope, call: number, scope: Scope): Promise<SendOutcome> {
    const uri = spanText(request, "params.uri");
    if (uri === undefined) return this.#refuse(call, new GatewayError("invalidParams", "params.uri must be a text"));
    return this.#listened(call, await this.#listen.subscribe(uri, scope));
  }

  async #watch(request: Envelope, call: number, scope: Scope): Promise<SendOutcome> {
    return this.#listened(call, await this.#tasks.subscribe(spanText(request, "params.taskId") ?? "", scope));
  }

  /** What the server refuses is its answer; that there is no stream is a failure of the link. */
  #listened(call: number, error: GatewayError | undefined): SendOutcome {
    if (error && error.data["sent"] !== undefined && error.code !== "unknownMethod") throw error;
    return error ? this.#refuse(call, error) : this.#answer(call, empty);
  }

  /** Over HTTP the end of its stream takes a call back. */
  #cancel(notice: Envelope): void {
    const call = spanNumber(notice, "params.requestId");
    const span = notice.spans["params.requestId"];
    const wire = call === undefined ? undefined : this.#calls.wireIdOf(call);
    if (this.#facts.kind !== "stdio" || wire === undefined || !span) return;
    this.#requests.tell(splice(notice.bytes, [{ span, bytes: encodeNumber(wire) }]), this.#life);
  }

  #notified(notification: Envelope, cause: number | undefined): void {
    const call = this.#requests.callOf(cause);
    const { bytes, method } = notification;
    if (call === undefined) {
      const isTask = this.#tasks.owns(notification, cause);
      if (!(isTask ? this.#tasks : this.#listen).heard(notification, cause)) return;
      if (isTask && method === "notifications/tasks")
        return this.#link.message(splice(bytes, untagEdits(notification)), undefined);
    }
    const fate = legacyNotification(notification);
    if (fate.kind === "drop") return;
    this.#link.message(fate.edits.length > 0 ? splice(bytes, fate.edits) : bytes, call);
  }

  #answer(call: number, result: Uint8Array): SendOutcome {
    this.#link.message(resultMessage(encodeNumber(call), result), call, true);
    return "ended";
  }

  #refuse(call: number, error: GatewayError): SendOutcome {
    this.#link.message(errorMessage(encodeNumber(call), error), call, true);
    return "ended";
  }

  /** Asks whether the server is there, and still a modern one; resolves to an error where it is another now. */
  async #check(scope: Scope): Promise<GatewayError | undefined> {
    const reply = await this.#requests.ask(discover, {}, scope);
    if (reply.spans.result && readDiscovered(spanValue(reply, "result"))) return undefined;
    this.#changed();
    const changed = eraChanged(this.#facts.backend);
    this.retired(changed);
    return changed;
  }

  /** A reply was not what a modern server sends: several of them are one question. */
  #doubt(): Promise<GatewayError | undefined> {
    this.#doubting ??= this.#recheck().finally(() => {
      this.#doubting = undefined;
    });
    return this.#doubting;
  }

  async #recheck(): Promise<GatewayError | undefined> {
    using patience = new Scope(this.#life, doubtMs);
    try {
      return await this.#check(patience);
    } catch {
      // The next ping sees it.
      return undefined;
    }
  }
}
