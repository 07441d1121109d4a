// Calls on a modern link: sent with their metadata, sent again with what the client was asked, answered as legacy servers do.

import { type Envelope, spanText, splice, spanValue } from "../core/envelope.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { errorMessage } from "../core/rpc.ts";
import { type Scope, sleep } from "../core/scope.ts";
import { asRecord, encodeNumber } from "../core/text.ts";
import { legacyErrorEdits } from "../protocol/bridge-error.ts";
import { completeEdits, legacyResultEdits, modernRequestEdits, resultKind } from "../protocol/bridge.ts";
import { modernCodes } from "../protocol/modern-codes.ts";
import { nameSource, requestHeaders } from "../protocol/modern-headers.ts";
import { readInputRequired, retryEdits } from "../protocol/modern-input.ts";
import { paramsEdits } from "../protocol/modern-meta.ts";
import { unanswered } from "./failures.ts";
import { wantsHandshake } from "./refusal.ts";
import type { Caller } from "./caller.ts";
import { ModernAsks } from "./modern-asks.ts";
import { envelopeOf, type ModernRequests } from "./modern-requests.ts";
import { ModernTools, nextToolsCursor } from "./modern-tools.ts";
import type { MessageHeaders, SendOutcome, TransportEvents } from "./transport.ts";

/** A server that asks on and on is stopped. */
const maxRounds = 20;
const stepMs = 50;
const maxStepMs = 2_000;
const maxPages = 1_000;

type Sent = Promise<SendOutcome>;

interface Flight {
  readonly call: number;
  readonly method: string;
  /** As it was sent first, and last: with answers, after the first round. */
  readonly request: Envelope;
  latest: Envelope;
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** The client is a modern one too: nothing is translated, and what the server asks is the client's to answer. */
  readonly passes: boolean;
  /** The gateway asks, and no client. */
  readonly isOwn: boolean;
  readonly more: MessageHeaders;
  readonly scope: Scope;
  readonly done: PromiseWithResolvers<SendOutcome>;
  /** Id of the request that the server works on; undefined while it is the client's turn. */
  wire: number | undefined;
  rounds: number;
  /** The wire has more to read. */
  isReading: boolean;
  isOver: boolean;
  wasRelisted: boolean;
  /** The server has refused the version, and was asked which it speaks. */
  wasDoubted: boolean;
}

export class ModernCalls {
  readonly #requests: ModernRequests;
  readonly #events: TransportEvents;
  readonly #asks: ModernAsks;
  readonly #tools: ModernTools;
  readonly #doubted: () => Promise<GatewayError | undefined>;
  readonly #flights = new Map<number, Flight>();

  /** `doubted` is called where the server may not be a modern one any more; it resolves to an error where it is not. */
  constructor(requests: ModernRequests, events: TransportEvents, doubted: () => Promise<GatewayError | undefined>) {
    this.#requests = requests;
    this.#events = events;
    this.#asks = new ModernAsks(requests.facts.backend, events);
    this.#tools = new ModernTools(requests.facts.warn);
    this.#doubted = doubted;
  }

  /** Settles when nothing more comes for the call. */
  send(message: Envelope, call: number, caller: Caller | undefined, scope: Scope, more: MessageHeaders = []): Sent {
    const requests = this.#requests;
    const passes = caller?.era === "modern";
    const request = passes ? message : this.#translated(message, caller);
    const flight: Flight = {
      call,
      method: message.method ?? "",
      request,
      latest: request,
      isOwn: caller === undefined,
      capabilities: caller ? requests.capabilitiesOf(caller) : {},
      passes,
      more,
      scope,
      done: Promise.withResolvers(),
      wire: undefined,
      rounds: 0,
      isReading: false,
      isOver: false,
      wasRelisted: false,
      wasDoubted: false,
    };
    this.#flights.set(call, flight);
    scope.onCancel((reason) => this.#end(flight, () => flight.done.reject(reason)));
    this.#exchange(flight, request, call);
    return flight.done.promise;
  }

  #translated(message: Envelope, caller: Caller | undefined): Envelope {
    // Tasks of the legacy era are no business of a modern server.
    const plain = message.spans["params.task"]
      ? envelopeOf(splice(message.bytes, paramsEdits(message, { drop: ["task"] })))
      : message;
    return envelopeOf(splice(plain.bytes, modernRequestEdits(plain, this.#requests.metaOf(caller))));
  }

  /** The link's answer to what a client was asked. */
  answered(reply: Envelope): void {
    this.#asks.answered(reply);
  }

  /** The id under which the server works on a call right now. */
  wireIdOf(call: number): number | undefined {
    return this.#flights.get(call)?.wire;
  }

  #exchange(flight: Flight, request: Envelope, id: number): void {
    const { call, scope } = flight;
    flight.wire = id;
    flight.latest = request;
    flight.isReading = true;
    const heard = (reply: Envelope, last: boolean): void => this.#heard(flight, reply, last);
    const sending = { message: request.bytes, id, call, headers: this.#headers(request, flight.more), heard };
    this.#requests.send(sending, scope).then(
      (outcome) => {
        // No answer at all: whoever made the call decides whether to make it again.
        if (outcome === "ended" && flight.wire === id)
          this.#end(flight, () => flight.done.reject(unanswered(this.#requests.facts.backend)));
        this.#read(flight, id);
      },
      (error: unknown) => {
        if (flight.wire !== id) return this.#read(flight, id);
        const { code, data } = asGatewayError(error);
        if (code !== "badProtocol") return this.#broken(flight, error);
        void this.#doubted().then((changed) => this.#broken(flight, (data["sent"] === false && changed) || error));
      },
    );
  }

  #broken(flight: Flight, error: unknown): void {
    this.#end(flight, () => flight.done.reject(flight.rounds > 0 ? wasSent(asGatewayError(error)) : error));
  }

  #headers(request: Envelope, more: MessageHeaders): MessageHeaders {
    const { version, kind } = this.#requests.facts;
    if (kind === "stdio") return [];
    const method = request.method ?? "";
    const source = nameSource(method);
    const plain = requestHeaders(version, method, source && spanText(request, `params.${source}`));
    return method === "tools/call" ? [...plain, ...this.#tools.headersOf(request), ...more] : [...plain, ...more];
  }

  /** The wire is done with a request. */
  #read(flight: Flight, id: number): void {
    if (flight.wire !== undefined && flight.wire !== id) return;
    flight.isReading = false;
    if (flight.isOver) flight.done.resolve("ended");
  }

  #heard(flight: Flight, reply: Envelope, last: boolean): void {
    flight.wire = undefined;
    if (reply.spans.error) return this.#refused(flight, reply, last);
    if (flight.passes) return this.#finish(flight, this.#renamed(flight, reply, completeEdits(reply)), last);
    const kind = resultKind(reply, flight.method);
    switch (kind.kind) {
      case "complete":
        return this.#complete(flight, reply, last);
      case "inputRequired":
        return this.#askClient(flight, reply);
      case "task":
        return this.#fail(flight, this.#wrong("answered with a task, which was not offered"));
      case "invalid":
        return this.#fail(flight, this.#wrong(kind.error.message));
    }
  }

  #complete(flight: Flight, reply: Envelope, last: boolean): void {
    const { method, request } = flight;
    const wraps = method === "tools/call" && this.#tools.wraps(spanText(request, "params.name"));
    const keepsHints = flight.isOwn || (method === "resources/read" && this.#requests.facts.keepsReads);
    const bytes = this.#renamed(flight, reply, legacyResultEdits(reply, method, { wraps, keepsHints }));
    this.#finish(flight, method === "tools/list" ? this.#tools.read(bytes) : bytes, last);
  }

  #refused(flight: Flight, reply: Envelope, last: boolean): void {
    const code = spanValue(reply, "error.code");
    const isStale = code === modernCodes.headerMismatch && flight.method === "tools/call" && !flight.wasRelisted;
    if (isStale) return void this.#relist(flight, reply, last);
    const finish = (): void => {
      const edits = flight.passes ? [] : legacyErrorEdits(reply, flight.method);
      this.#finish(flight, this.#renamed(flight, reply, edits), last);
    };
    const isUnspoken = code === modernCodes.unsupportedVersion && !flight.wasDoubted;
    if (!isUnspoken && !wantsHandshake(code, asRecord(spanValue(reply, "error"))["message"])) return finish();
    flight.wasDoubted = true;
    void this.#doubted().then((changed) => {
      if (changed) this.#broken(flight, changed);
      // Nothing was executed, and the server says that it speaks the version after all.
      else if (isUnspoken) this.#again(flight, flight.latest);
      else finish();
    });
  }

  /** The tools have changed and with them the headers of their calls: nothing was executed. */
  async #relist(flight: Flight, reply: Envelope, last: boolean): Promise<void> {
    flight.wasRelisted = true;
    try {
      let cursor: string | undefined;
      for (let page = 0; page < maxPages; page += 1) {
        const listed = await this.#requests.ask("tools/list", cursor === undefined ? {} : { cursor }, flight.scope);
        this.#tools.read(listed.bytes);
        cursor = nextToolsCursor(listed.bytes);
        if (cursor === undefined) break;
      }
    } catch {
      return this.#finish(flight, this.#renamed(flight, reply, []), last);
    }
    this.#again(flight, flight.latest);
  }

  #askClient(flight: Flight, reply: Envelope): void {
    const asked = readInputRequired(reply);
    if (asked instanceof GatewayError) return this.#fail(flight, this.#wrong(asked.message));
    flight.rounds += 1;
    if (flight.rounds > maxRounds) {
      return this.#fail(flight, this.#wrong(`asked for input more than ${maxRounds} times on one call`));
    }
    const lacking = this.#asks.lacking(asked.requests, flight.capabilities);
    if (lacking) return this.#fail(flight, lacking);
    void this.#round(flight, asked);
  }

  async #round(flight: Flight, asked: Exclude<ReturnType<typeof readInputRequired>, GatewayError>): Promise<void> {
    try {
      const { requests, state } = asked;
      // With a state alone the server only wants time.
      if (requests.length === 0) await sleep(Math.min(stepMs * 2 ** flight.rounds, maxStepMs), flight.scope);
      const answers = await this.#asks.ask(requests, flight.call);
      if (answers instanceof GatewayError) return this.#fail(flight, answers);
      const { request } = flight;
      this.#again(flight, envelopeOf(splice(request.bytes, retryEdits(request, answers, state))));
    } catch (error) {
      if (!flight.scope.cancelled) this.#fail(flight, asGatewayError(error));
    }
  }

  /** Sends a call again, under an id of its own (2026-07-28, Multi Round-Trip Requests). */
  #again(flight: Flight, request: Envelope): void {
    const span = request.spans.id;
    if (flight.isOver || !span) return;
    const id = this.#requests.newId();
    this.#exchange(flight, envelopeOf(splice(request.bytes, [{ span, bytes: encodeNumber(id) }])), id);
  }

  /** A reply under the link's own id. */
  #renamed(flight: Flight, reply: Envelope, edits: Parameters<typeof splice>[1]): Uint8Array {
    const bytes = encodeNumber(flight.call);
    const span = reply.spans.id;
    if (span) return splice(reply.bytes, [{ span, bytes }, ...edits]);
    // The link knows by the stream whose error this is.
    return splice(reply.bytes, edits);
  }

  #finish(flight: Flight, reply: Uint8Array, last: boolean): void {
    this.#end(flight, () => {
      this.#events.message(reply, flight.call, last);
      if (!flight.isReading || this.#requests.facts.kind === "stdio") flight.done.resolve("ended");
    });
  }

  #fail(flight: Flight, error: GatewayError): void {
    this.#finish(flight, errorMessage(encodeNumber(flight.call), error), false);
  }

  #end(flight: Flight, end: () => void): void {
    if (flight.isOver) return;
    flight.isOver = true;
    flight.wire = undefined;
    this.#flights.delete(flight.call);
    this.#asks.drop(flight.call);
    end();
  }

  #wrong(what: string): GatewayError {
    const { backend } = this.#requests.facts;
    return new GatewayError("badProtocol", `backend "${backend}": ${what}`, { backend, data: { sent: true } });
  }
}

/** Of a call that went several rounds the server has heard, whatever became of the last one. */
function wasSent(error: GatewayError): GatewayError {
  const { code, message, backend, data, cause } = error;
  return new GatewayError(code, message, {
    ...(backend === undefined ? {} : { backend }),
    cause,
    data: { ...data, sent: true },
  });
}
