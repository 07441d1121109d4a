// Keeps one live link to a backend for one owner: connects, moves to the next replica, and comes back after a failure.

import { asGatewayError, GatewayError } from "../core/errors.ts";
import { Scope, sleep } from "../core/scope.ts";
import { backoffMs } from "../resilience/backoff.ts";
import { type LinkOptions, openLink } from "./connect.ts";
import type { Link } from "./link.ts";

export type UplinkState =
  | { readonly kind: "connecting"; readonly since: number }
  | { readonly kind: "up"; readonly since: number; readonly replica: number }
  | { readonly kind: "down"; readonly since: number; readonly error: GatewayError; readonly failures: number };

export interface UplinkEvents {
  up(link: Link): void;
  down(error: GatewayError, failures: number): void;
}

/** A ping that has no answer yet, later than its asker could wait. */
interface Silence {
  readonly link: Link;
  readonly since: number;
  readonly error: GatewayError;
}

/** A link that ended sooner than this counts as a failed attempt: a server that starts and dies must not spin. */
const stableMs = 5_000;
/** A call may ask for an attempt before its time, but no sooner than this after the last one. */
const onDemandMs = 500;
/** How long a ping may take before the link counts as dead. */
const pingMs = 10_000;

export class Uplink {
  readonly #options: LinkOptions;
  readonly #events: UplinkEvents;
  readonly #scope = new Scope();
  readonly #done: Promise<void>;
  /** Every link whose wire is not gone yet: also those that only finish their calls, or failed to open. */
  readonly #links = new Set<Link>();
  #link: Link | undefined;
  #state: UplinkState = { kind: "connecting", since: Date.now() };
  #attempt = nextAttempt();
  #attemptedAt = 0;
  #wake: Scope = new Scope();
  #replica = 0;
  /** The last link ended soon after it was opened. */
  #unstable = false;
  #ping: Promise<void> | undefined;
  #silence: Silence | undefined;

  constructor(options: LinkOptions, events: UplinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#done = this.#run();
  }

  get state(): UplinkState {
    const state = this.#state;
    const silence = this.#silence;
    if (state.kind !== "up") return state;
    if (!this.link) return { kind: "connecting", since: Date.now() };
    // A server that works on a call may answer nothing else meanwhile.
    if (silence?.link !== this.link || silence?.link.callers().length !== 0) return state;
    if (silence.link.heardAt > silence.since) return state;
    return { kind: "down", since: silence.since, error: silence.error, failures: 1 };
  }

  get link(): Link | undefined {
    return this.#link?.usable ? this.#link : undefined;
  }

  /** True for a link of this uplink whose wire is not gone. */
  holds(link: Link): boolean {
    return this.#links.has(link);
  }

  get owner(): string {
    return this.#options.owner;
  }

  /** The live link; waits for the attempt under way, and makes one where the backend is down. */
  async acquire(scope: Scope): Promise<Link> {
    const { link } = this;
    if (link) return link;
    this.#scope.throwIfCancelled();
    if (this.#state.kind === "down") await this.#demand(scope);
    return scope.race(this.#attempt.promise);
  }

  /** Wakes the next attempt, no sooner than it may be made; rejects where one has failed since this was asked. */
  async #demand(scope: Scope): Promise<void> {
    const askedAt = Date.now();
    const tooSoonMs = this.#attemptedAt + onDemandMs - askedAt;
    if (tooSoonMs > 0) await sleep(tooSoonMs, scope);
    this.#scope.throwIfCancelled();
    const state = this.#state;
    if (state.kind !== "down") return;
    if (this.#attemptedAt > askedAt) throw this.#unavailable(state.error);
    this.#wake.cancel();
  }

  /** Asks the backend whether it is there; one that does not answer within `timeoutMs` is not up until it is heard. */
  async verify(scope: Scope, timeoutMs: number = pingMs): Promise<void> {
    const { link } = this;
    if (!link) {
      this.#retryEarly();
      return;
    }
    const since = Date.now();
    this.#ping ??= this.#probe(link).finally(() => {
      this.#ping = undefined;
    });
    using patience = new Scope(scope, timeoutMs);
    try {
      await patience.race(this.#ping);
    } catch {
      // The asker went away: that says nothing.
      if (!scope.cancelled) this.#silence = { link, since, error: this.#unheard(link, timeoutMs) };
    }
  }

  /** A server in the network may be back before its next attempt; a child is started at its own pace. */
  #retryEarly(): void {
    const isRemote = this.#options.plan.replicas.some(({ kind }) => kind === "http");
    if (isRemote && this.#state.kind === "down" && Date.now() >= this.#attemptedAt + onDemandMs) this.#wake.cancel();
  }

  /** Pings once, however many ask; a backend that does not answer loses its link. */
  async #probe(link: Link): Promise<void> {
    using patience = new Scope(undefined, pingMs);
    try {
      await link.request("ping", undefined, patience);
    } catch (error) {
      if (!link.usable) return;
      if (error instanceof GatewayError) link.retired(error);
      // Many servers answer nothing while they work on a call; ending those would end the call.
      else if (link.callers().length === 0) void link.close(this.#unheard(link, pingMs));
    }
  }

  #unheard({ backend }: Link, timeoutMs: number): GatewayError {
    const text = `backend "${backend}" did not answer a ping within ${timeoutMs} ms`;
    return new GatewayError("lost", text, { backend, data: { sent: true } });
  }

  /** Ends the link and the attempts; calls in flight fail unless they were waited for before. */
  async close(): Promise<void> {
    this.#scope.cancel(
      new GatewayError("draining", `backend "${this.#options.plan.name}" was removed`, { data: { sent: false } }),
    );
    await Promise.all([this.#done, ...[...this.#links].map((link) => link.close())]);
  }

  #track(link: Link): void {
    this.#links.add(link);
    void link.gone.then(() => this.#links.delete(link));
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#scope.cancelled) {
      try {
        failures = await this.#live(failures);
      } catch (reason) {
        if (this.#scope.cancelled) break;
        failures += 1;
        this.#down(asGatewayError(reason), failures);
        await this.#pause(backoffMs(failures));
      }
    }
    // Whoever waits for the next attempt would wait for ever.
    this.#reject(asGatewayError(this.#scope.reason));
  }

  /** One life of a link; resolves to the number of failures in a row that its end leaves behind. */
  async #live(failures: number): Promise<number> {
    const link = await this.#connect();
    const since = Date.now();
    this.#link = link;
    this.#state = { kind: "up", since, replica: this.#replica };
    this.#attempt.resolve(link);
    // At once: a call that looks in the same turn must wait for the next link and not get this one.
    link.life.onCancel(() => {
      this.#attempt = nextAttempt();
    });
    this.#events.up(link);
    const reason = await this.#end(link);
    this.#link = undefined;
    if (this.#scope.cancelled) return 0;
    const error = asGatewayError(reason);
    const forgotten = error.code === "sessionLost";
    // A server that forgot the session is there; anything else is a failure of this replica.
    if (!forgotten) this.#replica += 1;
    const stable = Date.now() - since >= stableMs || (forgotten && link.served);
    // One quick end is mended at once; a server that goes on like that is a failure, or it would be asked without a pause.
    if (!stable && (failures > 0 || this.#unstable)) throw error;
    this.#unstable = !stable;
    this.#state = { kind: "connecting", since: Date.now() };
    this.#events.down(error, 0);
    return 0;
  }

  #end(link: Link): Promise<unknown> {
    return new Promise((resolve) => {
      const stop = this.#scope.onCancel(resolve);
      link.life.onCancel((reason) => {
        stop();
        resolve(reason);
      });
    });
  }

  /** Tries every replica once, beginning with the one that is its turn. */
  async #connect(): Promise<Link> {
    const { plan } = this.#options;
    let failure: unknown;
    for (let tried = 0; tried < plan.replicas.length; tried += 1) {
      const replica = plan.replicas[this.#replica % plan.replicas.length];
      if (!replica) break;
      const late = (): GatewayError => {
        const text = `backend "${plan.name}" did not answer the handshake within ${plan.connectMs} ms`;
        return new GatewayError("connectTimeout", text, { backend: plan.name, data: { sent: false } });
      };
      using scope = new Scope(this.#scope, plan.connectMs, late);
      try {
        return await openLink(this.#options, replica, scope, (link) => this.#track(link));
      } catch (error) {
        if (this.#scope.cancelled) throw error;
        failure = error;
        this.#replica += 1;
      } finally {
        this.#attemptedAt = Date.now();
      }
    }
    throw failure ?? new GatewayError("internal", `backend "${plan.name}" has no replica`);
  }

  #down(error: GatewayError, failures: number): void {
    const since = this.#state.kind === "down" ? this.#state.since : Date.now();
    this.#state = { kind: "down", since, error, failures };
    this.#reject(this.#unavailable(error));
    this.#attempt = nextAttempt();
    this.#events.down(error, failures);
  }

  #reject(error: GatewayError): void {
    this.#attempt.reject(error);
  }

  #unavailable(error: GatewayError): GatewayError {
    const { name } = this.#options.plan;
    const data = { sent: false, cause: error.row.id };
    return new GatewayError("unavailable", `backend "${name}" is unavailable: ${error.message}`, {
      backend: name,
      cause: error,
      data,
    });
  }

  async #pause(ms: number): Promise<void> {
    this.#wake = new Scope(this.#scope);
    await sleep(ms, this.#wake).catch(() => {});
    this.#wake[Symbol.dispose]();
  }
}

/** Nobody may be waiting when it fails. */
function nextAttempt(): PromiseWithResolvers<Link> {
  const attempt = Promise.withResolvers<Link>();
  attempt.promise.catch(() => {});
  return attempt;
}
