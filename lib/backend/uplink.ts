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
  #link: Link | undefined;
  #state: UplinkState = { kind: "connecting", since: Date.now() };
  #attempt = nextAttempt();
  #attemptedAt = 0;
  #wake: Scope = new Scope();
  #replica = 0;

  constructor(options: LinkOptions, events: UplinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#done = this.#run();
  }

  get state(): UplinkState {
    return this.#state;
  }

  get link(): Link | undefined {
    return this.#link?.usable ? this.#link : undefined;
  }

  get owner(): string {
    return this.#options.owner;
  }

  /** The live link; waits for the attempt under way, and asks for one where the backend is down. */
  async acquire(scope: Scope): Promise<Link> {
    const { link } = this;
    if (link) return link;
    this.#scope.throwIfCancelled();
    const state = this.#state;
    if (state.kind === "down") {
      if (Date.now() - this.#attemptedAt < onDemandMs) throw this.#unavailable(state.error);
      this.#wake.cancel();
    }
    return scope.race(this.#attempt.promise);
  }

  /** Asks the backend whether it is there; a backend that does not answer loses its link. */
  async verify(scope: Scope, timeoutMs: number = pingMs): Promise<void> {
    const { link } = this;
    if (!link) return;
    using patience = new Scope(scope, timeoutMs);
    try {
      await link.request("ping", undefined, patience);
    } catch (error) {
      // The asker went away; that says nothing about the backend.
      if (scope.cancelled || !link.usable) return;
      const { backend } = link;
      const text = `backend "${backend}" did not answer a ping within ${timeoutMs} ms`;
      void link.close(error instanceof GatewayError ? error : new GatewayError("lost", text, { backend, data: { sent: true } }));
    }
  }

  /** Ends the link and the attempts; calls in flight fail unless they were waited for before. */
  async close(): Promise<void> {
    this.#scope.cancel(new GatewayError("draining", `backend "${this.#options.plan.name}" was removed`, { data: { sent: false } }));
    await Promise.all([this.#link?.close(), this.#done]);
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#scope.cancelled) {
      try {
        failures = await this.#live(failures);
      } catch (reason) {
        const error = asGatewayError(reason);
        if (this.#scope.cancelled) return this.#reject(error);
        failures += 1;
        this.#down(error, failures);
        await this.#pause(backoffMs(failures));
      }
    }
  }

  /** One life of a link; resolves to the number of failures in a row that its end leaves behind. */
  async #live(failures: number): Promise<number> {
    const link = await this.#connect();
    const since = Date.now();
    this.#link = link;
    this.#state = { kind: "up", since, replica: this.#replica };
    this.#attempt.resolve(link);
    this.#events.up(link);
    const reason = await this.#end(link);
    this.#attempt = nextAttempt();
    this.#link = undefined;
    if (this.#scope.cancelled) return 0;
    const error = asGatewayError(reason);
    // A server that forgot the session is there; anything else is a failure of this replica.
    if (error.code === "sessionLost" || Date.now() - since >= stableMs) {
      this.#state = { kind: "connecting", since: Date.now() };
      this.#events.down(error, 0);
      if (error.code !== "sessionLost") this.#replica += 1;
      return 0;
    }
    this.#replica += 1;
    if (failures === 0) {
      this.#state = { kind: "connecting", since: Date.now() };
      this.#events.down(error, 0);
      return 1;
    }
    throw error;
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
        return await openLink(this.#options, replica, scope);
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
    return new GatewayError("unavailable", `backend "${name}" is unavailable: ${error.message}`, { backend: name, cause: error, data });
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
