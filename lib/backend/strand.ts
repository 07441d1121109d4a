// Keeps one live link to one replica for one owner: connects, and comes back after a failure.

import { asGatewayError, GatewayError } from "../core/errors.ts";
import type { Observer } from "../core/observer.ts";
import { Scope, sleep } from "../core/scope.ts";
import { resilienceDefaults } from "../config/resilience.ts";
import { backoffMs } from "../resilience/backoff.ts";
import { type LinkOptions, openLink } from "./connect.ts";
import { originOf, unavailable } from "./failures.ts";
import { foreignLine } from "./lines.ts";
import type { Link } from "./link.ts";
import { Pulse } from "./pulse.ts";
import type { Replica } from "./replica.ts";

export type StrandState =
  | { readonly kind: "connecting"; readonly since: number }
  | { readonly kind: "up"; readonly since: number }
  | { readonly kind: "down"; readonly since: number; readonly error: GatewayError; readonly failures: number };

/** Up before connecting before down. */
export function bestOf<State extends StrandState>(states: readonly State[]): State | undefined {
  return states.find(({ kind }) => kind === "up") ?? states.find(({ kind }) => kind === "connecting") ?? states[0];
}

export interface StrandEvents {
  up(strand: Strand, link: Link): void;
  down(strand: Strand, error: GatewayError, failures: number): void;
}

/** A link that ended sooner than this counts as a failed attempt: a server that starts and dies must not spin. */
const stableMs = 5_000;
/** A call may ask for an attempt before its time, but no sooner than this after the last one. */
const onDemandMs = 500;
/** The same where nothing listened: that costs next to nothing to find out. */
const onRefusalMs = 100;

export class Strand {
  readonly replica: Replica;
  readonly pulse: Pulse;
  readonly #options: LinkOptions;
  readonly #events: StrandEvents;
  readonly #downMs: number;
  readonly #scope = new Scope();
  #done: Promise<void> | undefined;
  isStarted = false;
  /** Every link whose wire is not gone yet: also those that only finish their calls, or failed to open. */
  readonly #links = new Set<Link>();
  #link: Link | undefined;
  #state: StrandState = { kind: "connecting", since: Date.now() };
  #attempt = nextAttempt();
  #attemptedAt = 0;
  /** When the next one is due at the latest, Unix ms. */
  #nextAt = 0;
  #wake: Scope = new Scope();
  /** The last link ended soon after it was opened. */
  #unstable = false;

  constructor(options: LinkOptions, replica: Replica, events: StrandEvents) {
    this.#options = options;
    this.replica = replica;
    this.#events = events;
    const { pingMs, downMs } = options.plan.resilience ?? resilienceDefaults;
    this.pulse = new Pulse(pingMs);
    this.#downMs = downMs;
  }

  /** Begins to connect; before that it counts as connecting. Idempotent. */
  start(): void {
    this.isStarted = true;
    this.#done ??= this.#run();
  }

  get state(): StrandState {
    const state = this.#state;
    if (state.kind !== "up") return state;
    if (!this.link) return { kind: "connecting", since: Date.now() };
    const silence = this.pulse.silenceOf(this.link);
    // A server that works on a call may answer nothing else meanwhile.
    if (!silence || silence.link.calls.callers().length > 0) return state;
    return { kind: "down", since: silence.since, error: silence.error, failures: 1 };
  }

  /** It did not answer the last ping, and nothing else was heard of it since. */
  get isSilent(): boolean {
    return this.pulse.silenceOf(this.link) !== undefined;
  }

  /** It has not answered a ping for a while, which may yet be answered. */
  get isDoubtful(): boolean {
    return this.link !== undefined && this.pulse.isDoubtful(this.link);
  }

  get link(): Link | undefined {
    return this.#link?.usable ? this.#link : undefined;
  }

  /** True for a link of this strand whose wire is not gone. */
  holds(link: Link): boolean {
    return this.#links.has(link);
  }

  /** The live link; waits for the attempt under way, and makes one where the backend is down. */
  async acquire(scope: Scope): Promise<Link> {
    const { link } = this;
    if (link) return link;
    this.#scope.throwIfCancelled();
    this.start();
    if (this.#state.kind === "down") await this.#demand(scope);
    return scope.race(this.#attempt.promise);
  }

  /** Wakes the next attempt, no sooner than it may be made; rejects where one has failed since this was asked. */
  async #demand(scope: Scope): Promise<void> {
    const askedAt = Date.now();
    const tooSoonMs = this.#attemptedAt + this.#restMs - askedAt;
    if (tooSoonMs > 0) await sleep(tooSoonMs, scope);
    this.#scope.throwIfCancelled();
    const state = this.#state;
    if (state.kind !== "down") return;
    if (this.#attemptedAt > askedAt) throw this.#unavailable(state.error);
    this.#wake.cancel();
  }

  get #restMs(): number {
    return this.#state.kind === "down" && this.#state.error.code === "unreachable" ? onRefusalMs : onDemandMs;
  }

  /** Asks the backend whether it is there; one that does not answer within `timeoutMs` is not up until it is heard. */
  async verify(scope: Scope, timeoutMs?: number): Promise<void> {
    const { link } = this;
    if (link) await this.pulse.verify(link, scope, timeoutMs);
    else this.seek();
  }

  /** Looks for one that is down: a server in the network may be back before its next attempt; a child has its own pace. */
  seek(): void {
    const isRemote = this.replica.plan.kind === "http";
    if (isRemote && this.#state.kind === "down" && Date.now() >= this.#attemptedAt + onDemandMs) this.#wake.cancel();
  }

  /** Ends the link and the attempts; calls in flight fail unless they were waited for before. */
  async close(): Promise<void> {
    this.#scope.cancel(
      new GatewayError("draining", `backend "${this.#options.plan.name}" was removed`, { data: { sent: false } }),
    );
    // Whoever waits for the next attempt would wait for ever.
    this.#attempt.reject(asGatewayError(this.#scope.reason));
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
        const error = originOf(reason);
        const waitMs = backoffMs(failures);
        this.#nextAt = Date.now() + (this.replica.lookout ? Math.min(waitMs, this.#downMs) : waitMs);
        this.#down(error, failures);
        await this.#pause(waitMs, error);
      }
    }
  }

  /** One life of a link; resolves to the number of failures in a row that its end leaves behind. */
  async #live(failures: number): Promise<number> {
    const link = await this.#connect();
    const since = Date.now();
    this.#link = link;
    this.#state = { kind: "up", since };
    this.#attempt.resolve(link);
    // At once: a call that looks in the same turn must wait for the next link and not get this one.
    link.life.onCancel(() => {
      this.#attempt = nextAttempt();
    });
    this.#events.up(this, link);
    const reason = await this.#end(link);
    this.#link = undefined;
    if (this.#scope.cancelled) return 0;
    const error = asGatewayError(reason);
    // A server that forgot the session is there.
    const forgotten = error.code === "sessionLost";
    const stable = Date.now() - since >= stableMs || (forgotten && link.served);
    // One quick end is mended at once; a server that goes on like that is a failure, or it would be asked without a pause.
    if (!stable && (failures > 0 || this.#unstable)) throw error;
    this.#unstable = !stable;
    this.#state = { kind: "connecting", since: Date.now() };
    this.#events.down(this, error, 0);
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

  async #connect(): Promise<Link> {
    const { plan } = this.#options;
    const ms = plan.handshakeMs ?? plan.connectMs;
    const { observer } = this.#options;
    let isForeign = false;
    // What a server prints instead of an answer says more than that there was none.
    const heard: Observer = {
      log: (level, source, message, details) => {
        isForeign ||= message.startsWith(foreignLine);
        observer.log(level, source, message, details);
      },
    };
    const late = (): GatewayError => {
      const why = isForeign ? "wrote text to stdout that is not MCP, and " : "";
      const text = `backend "${plan.name}" ${why}did not answer the handshake within ${ms} ms`;
      const told = { backend: plan.name, data: { sent: false } };
      return new GatewayError(isForeign ? "foreignOutput" : "connectTimeout", text, told);
    };
    using scope = new Scope(this.#scope, ms, late);
    try {
      const options = this.replica.plan.kind === "stdio" ? { ...this.#options, observer: heard } : this.#options;
      return await openLink(options, this.replica.plan, scope, (link) => this.#track(link));
    } finally {
      this.#attemptedAt = Date.now();
    }
  }

  #down(error: GatewayError, failures: number): void {
    const since = this.#state.kind === "down" ? this.#state.since : Date.now();
    this.#state = { kind: "down", since, error, failures };
    this.#attempt.reject(this.#unavailable(error));
    this.#attempt = nextAttempt();
    this.#events.down(this, error, failures);
  }

  #unavailable(error: GatewayError): GatewayError {
    return unavailable(this.#options.plan.name, error, Math.max(this.#restMs, this.#nextAt - Date.now()));
  }

  async #pause(ms: number, { code }: GatewayError): Promise<void> {
    using wake = new Scope(this.#scope, ms);
    this.#wake = wake;
    const { lookout } = this.replica;
    const absence = { refused: code === "unreachable", sinceMs: this.#state.since, everyMs: this.#downMs };
    await (lookout?.returned(absence, wake) ?? sleep(ms, wake).catch(() => {}));
  }
}

// Nobody may be waiting when it fails.
function nextAttempt(): PromiseWithResolvers<Link> {
  const attempt = Promise.withResolvers<Link>();
  attempt.promise.catch(() => {});
  return attempt;
}
