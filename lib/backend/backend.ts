// One logical server: its uplinks by owner, its health, and the way of a call to it.

import type { BackendPlan } from "../config/plan.ts";
import type { Edit, Envelope } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { every, Scope } from "../core/scope.ts";
import { execute, neverSent } from "../resilience/execute.ts";
import type { LinkOptions } from "./connect.ts";
import { Eras } from "./eras.ts";
import type { Caller, Link } from "./link.ts";
import { Uplink, type UplinkState } from "./uplink.ts";

export interface BackendEvents {
  up(backend: Backend, link: Link): void;
  down(backend: Backend, owner: string, error: GatewayError, failures: number): void;
}

export type BackendOptions = Omit<LinkOptions, "owner">;

export interface BackendCounts {
  readonly calls: number;
  readonly failures: number;
  readonly inFlight: number;
  readonly links: number;
}

/** The one owner of a backend with `isolation: shared`. */
const sharedOwner = "shared";
/** A call is tried again this often where it was never sent: the uplink reconnects or moves to another replica between. */
const attempts = 3;

export class Backend {
  readonly plan: BackendPlan;
  readonly #options: BackendOptions;
  readonly #events: BackendEvents;
  readonly #uplinks = new Map<string, Uplink>();
  #principal = "";
  #owner = "principal:";
  readonly #stopHealth: () => void;
  /** One function for all calls. */
  readonly #succeeded = (reply: Uint8Array): Uint8Array => {
    this.#ended();
    return reply;
  };
  #calls = 0;
  #failures = 0;
  #inFlight = 0;
  /** Resolved when the last call in flight has ended. */
  #idle: PromiseWithResolvers<void> | undefined;
  #closed = false;

  constructor(options: BackendOptions, events: BackendEvents) {
    this.plan = options.plan;
    this.#options = { eras: new Eras(), ...options };
    this.#events = events;
    this.#stopHealth = this.plan.healthMs > 0 ? every(this.plan.healthMs, () => this.#checkIdle()) : () => {};
    this.uplink(this.ownerOf("anonymous", ""));
  }

  /** Key of the links that a session of a principal uses (DESIGN: isolation). Empty for modern clients and the gateway. */
  ownerOf(principal: string, session: string): string {
    switch (this.plan.isolation) {
      case "shared":
        return sharedOwner;
      case "principal":
        return this.#ownerOf(principal);
      case "session":
        return session === "" ? this.#ownerOf(principal) : `session:${session}`;
    }
  }

  /** One string for each principal: every call looks it up. */
  #ownerOf(principal: string): string {
    if (principal === this.#principal) return this.#owner;
    this.#principal = principal;
    this.#owner = `principal:${principal}`;
    return this.#owner;
  }

  /** The uplink of an owner; opened on first use. */
  uplink(owner: string, capabilities?: Readonly<Record<string, unknown>>): Uplink {
    const known = this.#uplinks.get(owner);
    if (known) return known;
    if (this.#closed) {
      // Somebody still held this backend over a reload: a link opened now would have no owner.
      const { name } = this.plan;
      throw new GatewayError("draining", `backend "${name}" was removed or replaced`, {
        backend: name,
        data: { sent: false },
      });
    }
    const client = capabilities ? { ...this.#options.client, capabilities } : this.#options.client;
    const uplink = new Uplink(
      { ...this.#options, owner, client },
      {
        up: (link) => this.#events.up(this, link),
        down: (error, failures) => this.#events.down(this, owner, error, failures),
      },
    );
    this.#uplinks.set(owner, uplink);
    return uplink;
  }

  /** The uplink of an owner if it is open. */
  find(owner: string): Uplink | undefined {
    return this.#uplinks.get(owner);
  }

  /** What `/health` says: the best state of any owner's uplink. */
  get state(): UplinkState {
    const states = [...this.#uplinks.values()].map((uplink) => uplink.state);
    return (
      states.find((state) => state.kind === "up") ??
      states.find((state) => state.kind === "connecting") ??
      states[0] ?? { kind: "connecting", since: Date.now() }
    );
  }

  /** The facts of any live link, or of the last one there was. */
  get facts(): Link["facts"] {
    for (const uplink of this.#uplinks.values()) if (uplink.link?.facts) this.#lastFacts = uplink.link.facts;
    return this.#lastFacts;
  }
  #lastFacts: Link["facts"];

  get counts(): BackendCounts {
    const links = [...this.#uplinks.values()].filter((uplink) => uplink.link).length;
    return { calls: this.#calls, failures: this.#failures, inFlight: this.#inFlight, links };
  }

  /** Forwards one call on a link of the owner, within the time that the plan gives it. `scope`: of this call alone. */
  call(uplink: Uplink, request: Envelope, edits: readonly Edit[], caller: Caller, scope: Scope): Promise<Uint8Array> {
    scope.limit(this.plan.callMs, () => this.#late(request));
    this.#calls += 1;
    this.#inFlight += 1;
    // Nothing to wait for, in most cases.
    const first = uplink.link?.call(request, edits, caller, scope);
    if (!first) return this.#attempt(attempts, uplink, request, edits, caller, scope);
    return first.then(this.#succeeded, (error: unknown) =>
      this.#attempt(attempts - 1, uplink, request, edits, caller, scope, error),
    );
  }

  /** With `failure`, the attempt before failed with it. */
  async #attempt(
    left: number,
    uplink: Uplink,
    request: Envelope,
    edits: readonly Edit[],
    caller: Caller,
    scope: Scope,
    failure?: unknown,
  ): Promise<Uint8Array> {
    try {
      if (failure !== undefined && !neverSent(failure)) throw failure;
      return await execute(left, async () => (await uplink.acquire(scope)).call(request, edits, caller, scope));
    } catch (error) {
      if (error instanceof GatewayError) this.#failures += 1;
      throw error;
    } finally {
      this.#ended();
    }
  }

  #ended(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#idle?.resolve();
  }

  #late({ method }: Envelope): GatewayError {
    const { name, callMs } = this.plan;
    const text = `backend "${name}" did not answer ${method ?? "the call"} within ${callMs} ms`;
    return new GatewayError("callTimeout", text, { backend: name, data: { sent: true } });
  }

  /** Makes the state true as of now: an answer of a second ago says nothing of a server that has died since. */
  async verify(scope: Scope, timeoutMs: number): Promise<void> {
    await Promise.all([...this.#uplinks.values()].map((uplink) => uplink.verify(scope, timeoutMs)));
  }

  /** Ends the links of an owner that is gone. */
  async release(owner: string): Promise<void> {
    const uplink = this.#uplinks.get(owner);
    this.#uplinks.delete(owner);
    await uplink?.close();
  }

  /** Nothing of a client session that is over is kept alive. */
  forget(owner: string, session: object): void {
    this.#uplinks.get(owner)?.link?.forget(session);
  }

  /** Waits for the calls in flight until `scope` ends, then closes everything. */
  async close(scope: Scope): Promise<void> {
    this.#stopHealth();
    this.#idle ??= Promise.withResolvers();
    if (this.#inFlight > 0) await scope.race(this.#idle.promise).catch(() => {});
    this.#closed = true;
    await Promise.all([...this.#uplinks.values()].map((uplink) => uplink.close()));
    this.#uplinks.clear();
  }

  #checkIdle(): void {
    const since = Date.now() - this.plan.healthMs;
    for (const uplink of this.#uplinks.values()) {
      if (uplink.link && uplink.link.heardAt <= since) void uplink.verify(new Scope());
    }
  }
}
