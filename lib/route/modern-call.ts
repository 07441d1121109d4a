// One call of a modern client: to a legacy backend it goes on while its client, request by request, gives the input.

import { ClientCancel } from "../backend/link.ts";
import { type Envelope, scan, spanBytes, spanKey, spanNumber, splice } from "../core/envelope.ts";
import { asGatewayError, type GatewayError } from "../core/errors.ts";
import type { Flight } from "../core/flight.ts";
import { errorMessage } from "../core/rpc.ts";
import type { Principal } from "../core/principal.ts";
import { after, Scope } from "../core/scope.ts";
import { encodeNumber } from "../core/text.ts";
import { legacyAnswer, modernAsk } from "../protocol/bridge-input.ts";
import { isErrorResult } from "../protocol/bridge.ts";
import type { InputRequest } from "../protocol/modern-input.ts";
import { missingCapability } from "../protocol/modern-request.ts";
import type { Outlet, Port } from "./outlet.ts";
import { type ActiveCall, Session, type SessionFacts } from "./session.ts";

/** What a backend asks within this time goes to the client together. */
const gatherMs = 20;
/** A modern client hears nothing but what belongs to its request. */
const silent: Outlet = { connected: true, send: () => {}, close: () => {} };

export interface ModernFacts extends Omit<SessionFacts, "key" | "era"> {
  readonly who: Principal;
  readonly logLevel: string | undefined;
}

/** What stands for a modern client while one of its requests is answered. */
export function sessionOf({ logLevel, who, ...facts }: ModernFacts, outlet: Outlet = silent): Session {
  const session = new Session({ ...facts, key: "", era: "modern" }, outlet);
  session.level = logLevel;
  session.who = who;
  return session;
}

interface OpenAsk {
  /** Id of the request in the session. */
  readonly id: number;
  readonly request: InputRequest;
}

export class ModernCall implements Port {
  readonly session: Session;
  /** Of the call at its backend; ends it. */
  readonly scope: Scope = new Scope();
  readonly #asks = new Map<string, OpenAsk>();
  #id: Uint8Array;
  #port: Port | undefined;
  /** What the client calls the progress of the call now; `first`: what its first request named. */
  #token: Uint8Array | "first" | undefined = "first";
  #reply: Uint8Array | undefined;
  #lastKey = 0;
  #wake: () => void = () => {};
  #stopGathering: (() => void) | undefined;
  #over = false;
  #call: ActiveCall | undefined;
  readonly #first: Port;

  /** `first`: who waits for it at first. */
  constructor(facts: ModernFacts, first: Port) {
    this.session = sessionOf(facts);
    this.#id = new Uint8Array();
    this.#first = first;
  }

  header(name: string): string | undefined {
    return this.#first.header?.(name);
  }

  /** Sends the call; `ended` is called once when it is over. */
  begin(
    request: Envelope,
    id: Uint8Array,
    send: (call: ActiveCall) => Promise<Uint8Array>,
    ended: () => void,
    flight: Flight,
  ): void {
    this.#id = id;
    const call = this.session.start(request, this.scope, this, flight);
    this.#call = call;
    const end = (reply: Uint8Array): void => {
      this.#reply = reply;
      this.#over = true;
      flight.replyBytes = this.scope.cancelled ? 0 : reply.length;
      this.session.finish(call);
      this.scope[Symbol.dispose]();
      this.#stopGathering?.();
      ended();
      this.#wake();
    };
    send(call).then(
      (reply) => end(this.#judged(reply, call)),
      (error: unknown) => end(errorMessage(this.#id, this.#failure(error, call))),
    );
  }

  /** A request of the client goes on with it: what is counted of that is of the same tool and backend. */
  joined(flight: Flight): void {
    const first = this.#call?.flight;
    if (!first || first === flight) return;
    flight.name = first.name;
    flight.view = first.view;
    flight.backend = first.backend;
  }

  /** True when nothing more comes from the backend: the reply, if nobody had it yet, is all that is left. */
  get over(): boolean {
    return this.#over;
  }

  /** Where it was sent; empty before that. */
  get backend(): string {
    return this.#call?.flight.backend ?? "";
  }

  /** What the backend waits for. */
  get asked(): readonly InputRequest[] {
    return [...this.#asks.values()].map(({ request }) => request);
  }

  /** Waits for a client that is there: resolves to the reply, or to undefined when the client is to be asked first. */
  async next(port: Port, client: Scope): Promise<Uint8Array | undefined> {
    const leave = client.onCancel((reason) => this.cancel(reason));
    this.#port = port;
    try {
      if (this.#asks.size > 0) this.#gather();
      if (!this.#over)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      return this.#reply;
    } finally {
      this.#port = undefined;
      leave();
    }
  }

  /**
   * Hands the answers that the client's next request brings to the backend; what has no answer stays open. What the
   * request says of its client holds from now on, and nothing that the one before it said.
   */
  answer(request: Envelope, facts: ModernFacts, responses: ReadonlyMap<string, Uint8Array>): void {
    const key = spanKey(request, "id");
    const { logLevel, capabilities, client } = facts;
    this.session.facts = { ...this.session.facts, capabilities, client };
    this.session.level = logLevel;
    const token = spanBytes(request, "params._meta.progressToken");
    this.#token = token && new Uint8Array(token);
    this.#call?.flight.resumed(key);
    this.#call?.noted(`the client answers ${[...responses.keys()].join(", ")} with request ${key}`);
    for (const [name, result] of responses) {
      const ask = this.#asks.get(name);
      if (!ask || !this.#asks.delete(name)) continue;
      const scanned = scan(legacyAnswer(encodeNumber(ask.id), result));
      if (scanned.kind === "message") this.session.asks.answer(scanned.envelope);
    }
  }

  /** The reply under the id of the request that brought the last answers. */
  renamed(reply: Uint8Array, id: Uint8Array): Uint8Array {
    const scanned = scan(reply);
    const span = scanned.kind === "message" ? scanned.envelope.spans.id : undefined;
    return span ? splice(reply, [{ span, bytes: id }]) : reply;
  }

  /** The client has left, or may not come back: the backend is told. */
  cancel(reason: unknown = new ClientCancel()): void {
    if (this.#over) return;
    this.scope.cancel(reason);
    this.session.asks.close();
    this.#asks.clear();
  }

  deliver(message: Uint8Array): void {
    // Between two requests of the client there is no stream; what is told then is lost.
    const told = this.#port && this.#token !== "first" ? this.#underToken(message, this.#token) : message;
    if (told) this.#port?.deliver(told);
  }

  /** Progress may name a token of the request that is answered only; undefined where that has none. */
  #underToken(message: Uint8Array, token: Uint8Array | undefined): Uint8Array | undefined {
    const scanned = scan(message);
    if (scanned.kind !== "message" || scanned.envelope.method !== "notifications/progress") return message;
    const span = scanned.envelope.spans["params.progressToken"];
    return span && token && splice(message, [{ span, bytes: token }]);
  }

  get congestion(): Promise<void> | undefined {
    return this.#port?.congestion;
  }

  get isAway(): boolean {
    return this.#port === undefined;
  }

  ask(message: Uint8Array): void {
    const scanned = scan(message);
    if (scanned.kind !== "message") return;
    const { envelope } = scanned;
    if (envelope.kind === "notification") return this.#withdraw(spanNumber(envelope, "params.requestId"));
    this.#lastKey += 1;
    const key = `${(envelope.method ?? "").split("/", 1)[0] ?? ""}-${this.#lastKey}`;
    const request = modernAsk(envelope, key);
    const id = spanNumber(envelope, "id");
    if (!request || id === undefined) return;
    this.#asks.set(key, { id, request });
    this.#gather();
  }

  #withdraw(id: number | undefined): void {
    for (const [key, ask] of this.#asks) if (ask.id === id) this.#asks.delete(key);
  }

  #gather(): void {
    this.#stopGathering ??= after(gatherMs, () => {
      this.#stopGathering = undefined;
      if (this.#asks.size > 0 && this.#port) this.#wake();
    });
  }

  /** A call that failed because its client could not be asked says so (2026-07-28, "Missing Required Client Capability"). */
  #judged(reply: Uint8Array, { lacked }: ActiveCall): Uint8Array {
    const scanned = lacked && scan(reply);
    if (!lacked || scanned?.kind !== "message" || !isErrorResult(scanned.envelope)) return reply;
    return errorMessage(this.#id, missingCapability(lacked, "the call"));
  }

  challenge(failure: GatewayError): void {
    this.#port?.challenge?.(failure);
  }

  #failure(error: unknown, call: ActiveCall): GatewayError {
    const failure = asGatewayError(error);
    const { lacked } = call;
    call.challenge(failure);
    return lacked ? missingCapability(lacked, "the call") : failure;
  }
}

/** The raw id of a request. */
export function idOf(request: Envelope): Uint8Array {
  return spanBytes(request, "id") ?? new Uint8Array();
}
