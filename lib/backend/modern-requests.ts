// Requests on a wire of the modern era: their ids, their metadata, and who hears their answers.

import { type Envelope, spanNumber } from "../core/envelope.ts";
import { scan } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";
import { modernClientCapabilities } from "../protocol/bridge-capabilities.ts";
import type { ClientFacts } from "../protocol/codec.ts";
import type { Entry } from "../protocol/fields.ts";
import { requestHeaders } from "../protocol/modern-headers.ts";
import { modernRequestMessage, requestMeta } from "../protocol/modern-meta.ts";
import type { Caller } from "./caller.ts";
import { unanswered } from "./failures.ts";
import { firstOwnId } from "./modern-words.ts";
import type { MessageHeaders, SendOutcome, Transport } from "./transport.ts";

/** What legacy clients are used to hear while they ask for no level. */
const defaultLevel = "info";

export interface ModernFacts {
  readonly backend: string;
  readonly version: string;
  readonly kind: "http" | "stdio";
  /** As the server declared them. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly client: ClientFacts;
  /** The answers to reads are kept: how long they hold must stay in them, also for legacy clients. */
  readonly keepsReads: boolean;
  /** Something that the operator should know. */
  readonly warn: (what: string) => void;
}

interface Waiting {
  /** The link's id of the call that it belongs to. */
  readonly call: number | undefined;
  readonly heard: (reply: Envelope, last: boolean) => void;
}

export interface Sending {
  readonly message: Uint8Array;
  readonly id: number;
  readonly call: number | undefined;
  readonly headers: MessageHeaders;
  readonly heard: (reply: Envelope, last: boolean) => void;
}

export class ModernRequests {
  readonly facts: ModernFacts;
  readonly #wire: Transport;
  readonly #waiting = new Map<number, Waiting>();
  readonly #metas = new WeakMap<object, Map<string | undefined, readonly Entry[]>>();
  /** The probe had some. */
  #lastId = firstOwnId + 10;

  constructor(wire: Transport, facts: ModernFacts) {
    this.#wire = wire;
    this.facts = facts;
  }

  newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** What a caller can do, as its requests say it; for nobody's, what the gateway can. */
  capabilitiesOf(caller: Caller | undefined): Readonly<Record<string, unknown>> {
    return modernClientCapabilities(caller?.capabilities ?? this.facts.client.capabilities);
  }

  /** The metadata of a caller's requests, or of the gateway's own. */
  metaOf(caller: Caller | undefined): readonly Entry[] {
    const { client, version, capabilities } = this.facts;
    const level = caller && capabilities["logging"] !== undefined ? (caller.logLevel ?? defaultLevel) : undefined;
    const key = caller?.capabilities ?? client.capabilities;
    const known = this.#metas.get(key) ?? new Map<string | undefined, readonly Entry[]>();
    this.#metas.set(key, known);
    const clientInfo = { name: client.name, version: client.version };
    const meta =
      known.get(level) ??
      requestMeta({ version, clientInfo, capabilities: this.capabilitiesOf(caller), logLevel: level });
    known.set(level, meta);
    return meta;
  }

  /** The metadata of a request of the gateway's own that says more of what it can. */
  metaWith(more: Readonly<Record<string, unknown>>): readonly Entry[] {
    const { client, version } = this.facts;
    const clientInfo = { name: client.name, version: client.version };
    return requestMeta({ version, clientInfo, capabilities: { ...this.capabilitiesOf(undefined), ...more } });
  }

  /** Sends a request; `heard` gets its reply. Resolves and rejects as the wire does. */
  async send({ message, id, call, headers, heard }: Sending, scope: Scope): Promise<SendOutcome> {
    this.#waiting.set(id, { call, heard });
    const release = scope.onCancel(() => this.#waiting.delete(id));
    try {
      const outcome = await this.#wire.send(message, id, scope, headers);
      if (outcome === "ended") this.#waiting.delete(id);
      return outcome;
    } catch (error) {
      this.#waiting.delete(id);
      throw error;
    } finally {
      // On a wire where the answer is still to come, nothing ends before the scope does.
      if (!this.#waiting.has(id)) release();
    }
  }

  /** Sends a notification. */
  tell(message: Uint8Array, scope: Scope): void {
    this.#wire.send(message, undefined, scope).catch(() => {
      // The wire says itself that it is at its end.
    });
  }

  /** A request of the gateway's own; resolves to the reply. */
  async ask(method: string, params: Readonly<Record<string, unknown>>, scope: Scope): Promise<Envelope> {
    const id = this.newId();
    const answer = Promise.withResolvers<Envelope>();
    const message = modernRequestMessage(id, method, this.metaOf(undefined), params);
    const headers = requestHeaders(this.facts.version, method, undefined);
    const sent = this.send({ message, id, call: undefined, headers, heard: answer.resolve }, scope);
    const ended = sent.then((outcome) => (outcome === "ended" ? Promise.reject(this.#unanswered()) : answer.promise));
    return await scope.race(Promise.race([answer.promise, ended]));
  }

  #unanswered(): GatewayError {
    return unanswered(this.facts.backend);
  }

  /** The link's id of the call on whose stream something came. */
  callOf(cause: number | undefined): number | undefined {
    return cause === undefined ? undefined : this.#waiting.get(cause)?.call;
  }

  /** Brings a reply to whoever waits for it; one without an id of ours ends the request on whose stream it came. */
  replied(reply: Envelope, cause: number | undefined, last: boolean): void {
    const named = spanNumber(reply, "id");
    const id = named !== undefined && this.#waiting.has(named) ? named : reply.spans.error ? cause : undefined;
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || !waiting) return;
    this.#waiting.delete(id);
    waiting.heard(reply, last);
  }
}

/** The message that the gateway itself made of others. */
export function envelopeOf(bytes: Uint8Array): Envelope {
  const scanned = scan(bytes);
  if (scanned.kind === "message") return scanned.envelope;
  throw new GatewayError("internal", "a message of the gateway's own is none");
}
