// Asks a server for its era with server/discover, on the wire on which it will be spoken to in whichever it is.

import { type Envelope, scan, spanNumber } from "../core/envelope.ts";
import { asGatewayError, type GatewayError } from "../core/errors.ts";
import type { Taken } from "../core/part.ts";
import { Scope } from "../core/scope.ts";
import type { ClientFacts } from "../protocol/codec.ts";
import { type Discovered, judgeProbe, type ProbeOutcome, type ProbeVerdict } from "../protocol/modern-discover.ts";
import { requestHeaders } from "../protocol/modern-headers.ts";
import { modernRequestMessage, modernVersions, requestMeta } from "../protocol/modern-meta.ts";
import { firstOwnId } from "./modern-words.ts";
import type { Transport, TransportEvents } from "./transport.ts";

export interface ProbeOptions {
  readonly kind: "http" | "stdio";
  readonly client: ClientFacts;
  /** How long a server may be silent. */
  readonly patienceMs: number;
}

type Held = readonly [bytes: Uint8Array, cause: number | undefined, last: boolean];

const discover = "server/discover";

/** Hears a wire until the era is known; then whoever speaks that era hears all that came and comes. */
export class EraProbe implements TransportEvents {
  readonly #held: Held[] = [];
  readonly #late = Promise.withResolvers<Discovered>();
  #answer: PromiseWithResolvers<ProbeOutcome> | undefined;
  #asked = firstOwnId;
  #target: TransportEvents | undefined;
  #closed: [error: GatewayError, unsent?: ReadonlySet<number>] | undefined;
  #unreached: GatewayError | undefined;
  #hasEnded = false;
  /** The probe had no answer in time, and may still get one. */
  #isOpen = false;
  #transport: "http" | "stdio" = "http";

  /** Never rejects. Rejections of the wire are outcomes like any other; throws the scope's reason alone. */
  async run(wire: Transport, options: ProbeOptions, scope: Scope): Promise<ProbeVerdict | { readonly kind: "silent" }> {
    const { kind } = options;
    this.#transport = kind;
    const first = await this.#ask(wire, options, modernVersions[0], scope);
    const verdict = judgeProbe(first, kind);
    this.#hasEnded = first.kind === "closed";
    if (first.kind === "silent") {
      this.#isOpen = kind === "stdio";
      return first;
    }
    if (verdict.kind !== "again") return verdict;
    const second = judgeProbe(await this.#ask(wire, options, verdict.version, scope), kind);
    return second.kind === "again" ? { kind: "disjoint", supported: [second.version] } : second;
  }

  /** Resolves if a server that was silent turns out to be a modern one: it was still starting. */
  get late(): Promise<Discovered> {
    return this.#late.promise;
  }

  /** Why the server was not reached at all: it says nothing of its era, and asking otherwise would not help. */
  get unreached(): GatewayError | undefined {
    return this.#unreached;
  }

  /** True where the wire ended before anybody took it over. */
  get isClosed(): boolean {
    return this.#closed !== undefined || this.#unreached !== undefined || this.#hasEnded;
  }

  /** From now on `target` hears the wire. */
  handOver(target: TransportEvents): void {
    this.#target = target;
    for (const [bytes, cause, last] of this.#held.splice(0)) target.message(bytes, cause, last);
    if (this.#unreached) target.retired(this.#unreached);
    if (this.#closed) target.closed(...this.#closed);
  }

  message(bytes: Uint8Array, cause: number | undefined, last: boolean = false): void {
    const reply = this.#answer || this.#isOpen ? this.#replyIn(bytes, cause) : undefined;
    if (reply) this.#replied(reply);
    else if (this.#target) this.#target.message(bytes, cause, last);
    else this.#held.push([bytes, cause, last]);
  }

  progress(bytes: Uint8Array, start: number, end: number, cause: number): Taken {
    return this.#target?.progress?.(bytes, start, end, cause) ?? false;
  }

  paused(call: number, retryMs: number): void {
    this.#target?.paused(call, retryMs);
  }

  congestion(call: number): Promise<void> | undefined {
    return this.#target?.congestion(call);
  }

  waiting(call: number): boolean {
    return this.#target?.waiting(call) ?? false;
  }

  missed(): void {
    this.#target?.missed?.();
  }

  retired(error: GatewayError): void {
    if (this.#target) this.#target.retired(error);
    else this.#unreached = error;
  }

  closed(error: GatewayError, unsent?: ReadonlySet<number>): void {
    this.#isOpen = false;
    if (this.#target) return this.#target.closed(error, unsent);
    this.#closed = unsent ? [error, unsent] : [error];
    this.#answer?.resolve({ kind: "closed" });
  }

  async #ask(wire: Transport, options: ProbeOptions, version: string, scope: Scope): Promise<ProbeOutcome> {
    const { name, version: own, capabilities } = options.client;
    const answer = Promise.withResolvers<ProbeOutcome>();
    this.#answer = answer;
    this.#asked += 1;
    const meta = requestMeta({ version, clientInfo: { name, version: own }, capabilities });
    const message = modernRequestMessage(this.#asked, discover, meta);
    using patience = new Scope(scope, options.patienceMs);
    try {
      const sent = wire.send(message, this.#asked, patience, requestHeaders(version, discover, undefined));
      const ended = sent.then((outcome): ProbeOutcome | Promise<ProbeOutcome> =>
        outcome === "ended" ? { kind: "closed" } : answer.promise,
      );
      return await patience.race(Promise.race([answer.promise, ended]));
    } catch (error) {
      scope.throwIfCancelled();
      return patience.cancelled ? { kind: "silent" } : outcomeOf(asGatewayError(error));
    } finally {
      this.#answer = undefined;
    }
  }

  #replyIn(bytes: Uint8Array, cause: number | undefined): Envelope | undefined {
    const scanned = scan(bytes);
    if (scanned.kind !== "message" || scanned.envelope.kind !== "response") return undefined;
    const { envelope } = scanned;
    const isOurs = spanNumber(envelope, "id") === this.#asked || (envelope.spans.error && cause === this.#asked);
    return isOurs === true ? envelope : undefined;
  }

  #replied(reply: Envelope): void {
    const outcome: ProbeOutcome = { kind: "reply", reply, status: undefined };
    if (this.#answer) return this.#answer.resolve(outcome);
    this.#isOpen = false;
    const verdict = judgeProbe(outcome, this.#transport);
    if (verdict.kind !== "modern") return;
    // Whoever heard it until now waits for an answer that can only be an error: what comes next is not for them.
    this.#target = undefined;
    this.#late.resolve(verdict.discovered);
  }
}

/** What a failure of the wire says; the exact status matters for no verdict. */
function outcomeOf({ code, data }: GatewayError): ProbeOutcome {
  if (code === "unauthorized") return { kind: "status", status: 401 };
  if (code === "unavailable") return { kind: "status", status: 503 };
  return code === "badProtocol" && data["sent"] === false ? { kind: "status", status: 400 } : { kind: "closed" };
}
