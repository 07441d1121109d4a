// One client of a run: a link to the server that is opened again when it is lost, and what was lost is counted.

import { openLink } from "../backend/connect.ts";
import type { Caller } from "../backend/caller.ts";
import type { Eras } from "../backend/eras.ts";
import type { Link, LinkPeer } from "../backend/link.ts";
import type { WireTap } from "../backend/tap.ts";
import { planDefaults, type ReplicaPlan } from "../config/plan.ts";
import { type Envelope, spanBytes } from "../core/envelope.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { errorMessage } from "../core/rpc.ts";
import { after, Scope } from "../core/scope.ts";
import type { ServerFacts } from "../protocol/codec.ts";
import { legacyCodec } from "../protocol/legacy.ts";
import type { Sample } from "./bench-record.ts";
import type { Evidence } from "./evidence.ts";
import { lateHandshake } from "./peer.ts";
import type { Target } from "./target.ts";

export interface SessionOptions {
  readonly target: Target;
  readonly replica: ReplicaPlan;
  readonly protocol: string | undefined;
  readonly version: string;
  readonly eras: Eras;
  readonly evidence: Evidence;
  readonly counts: SessionCounts;
}

/** Of all sessions of a run. */
export interface SessionCounts {
  opened: number;
  /** The server had forgotten them. */
  lost: number;
  /** Opened again after that. */
  reinitialised: number;
  /** Opened again after the connection or the process was gone. */
  reconnected: number;
}

/** A server that is gone is asked for again no sooner than this. */
const reopenMs = 100;
/** A server that takes its time to end is killed with the program. */
const closeMs = 400;
const noCapabilities = {};

export class BenchSession implements LinkPeer, WireTap, AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #scope = new Scope();
  /** Calls that are on the wire, by their ids there. */
  readonly #onWire = new Map<number, Sample>();
  readonly #caller: Caller = { session: this, capabilities: noCapabilities, deliver: () => {} };
  #link: Link | undefined;
  #opening: Promise<Link> | undefined;
  #failure: { readonly error: GatewayError; readonly until: number } | undefined;
  /** What is sent in this turn. */
  #sending: Sample | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get facts(): ServerFacts | undefined {
    return this.#link?.facts;
  }

  /** Opens the session for the first time; rejects with a `GatewayError`. */
  async open(): Promise<void> {
    await this.#acquire();
  }

  /** Makes one call, once more where the server had forgotten the session: that was not executed. */
  call(request: Envelope, sample: Sample, scope: Scope): Promise<Uint8Array> {
    const link = this.#link;
    const reply = link?.usable ? this.#send(link, request, sample, scope) : this.#sendLater(request, sample, scope);
    return reply.catch((error: unknown) => {
      if (!(error instanceof GatewayError) || error.code !== "sessionLost" || sample.retried) throw error;
      sample.retried = true;
      return this.#sendLater(request, sample, scope);
    });
  }

  async #sendLater(request: Envelope, sample: Sample, scope: Scope): Promise<Uint8Array> {
    return this.#send(await scope.race(this.#acquire()), request, sample, scope);
  }

  #send(link: Link, request: Envelope, sample: Sample, scope: Scope): Promise<Uint8Array> {
    this.#sending = sample;
    const reply = link.call(request, [], this.#caller, scope);
    this.#sending = undefined;
    return reply;
  }

  #acquire(): Promise<Link> {
    if (this.#link?.usable) return Promise.resolve(this.#link);
    if (this.#failure && this.#failure.until > Date.now()) return Promise.reject(this.#failure.error);
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #open(): Promise<Link> {
    const { target, replica, protocol, version, eras, evidence, counts } = this.#options;
    const plan = protocol === undefined ? target.plan : { ...target.plan, protocol };
    const late = (): GatewayError => lateHandshake(target.name, replica, plan.connectMs, evidence);
    using scope = new Scope(this.#scope, plan.connectMs, late);
    const isFirst = this.#link === undefined;
    const wasForgotten = this.#link !== undefined && isLost(this.#link.life.reason);
    try {
      const link = await openLink(
        {
          plan,
          owner: "",
          client: { name: "mcpctl", version, capabilities: noCapabilities },
          codec: legacyCodec,
          maxMessageBytes: planDefaults.limits.messageBytes,
          peer: this,
          observer: evidence,
          eras,
          tap: this,
        },
        replica,
        scope,
        () => {},
      );
      if (isFirst) counts.opened += 1;
      else if (wasForgotten) counts.reinitialised += 1;
      else counts.reconnected += 1;
      link.life.onCancel((reason) => {
        if (!this.#scope.cancelled && isLost(reason)) counts.lost += 1;
      });
      this.#link = link;
      this.#onWire.clear();
      return link;
    } catch (thrown) {
      const error = asGatewayError(scope.cancelled ? scope.reason : thrown);
      this.#failure = { error, until: Date.now() + reopenMs };
      throw error;
    }
  }

  opened(): void {}

  sent(_message: Uint8Array, _headers: unknown, call: number | undefined): void {
    const sample = this.#sending;
    if (!sample || call === undefined) return;
    this.#sending = undefined;
    sample.sentAt = performance.now();
    this.#onWire.set(call, sample);
  }

  received(): void {}

  answered(_status: number, _headers: ReadonlyMap<string, string>, call: number | undefined): void {
    const sample = call === undefined ? undefined : this.#onWire.get(call);
    if (!sample || call === undefined) return;
    this.#onWire.delete(call);
    sample.headAt = performance.now();
  }

  notified(): void {}

  asked(link: Link, envelope: Envelope): void {
    const id = spanBytes(envelope, "id");
    const text = `this client does not answer ${envelope.method ?? ""}`;
    if (id) link.send(errorMessage(id, new GatewayError("clientUnable", text)));
  }

  strayed(_link: Link, what: string): void {
    this.#options.evidence.strayed(what);
  }

  ended(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.#scope.cancel(new GatewayError("draining", "the run is over"));
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const stop = after(closeMs, resolve);
    await Promise.race([this.#link?.close().catch(() => {}), over]);
    stop();
  }
}

function isLost(reason: unknown): boolean {
  return reason instanceof GatewayError && reason.code === "sessionLost";
}
