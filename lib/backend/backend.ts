// One logical server: its uplinks by owner, its health, and the way of a call to it.

import type { BackendPlan } from "../config/plan.ts";
import type { Edit, Envelope } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";
import { Execution } from "../resilience/execute.ts";
import type { LinkOptions } from "./connect.ts";
import { Dispatch } from "./dispatch.ts";
import { Eras } from "./eras.ts";
import { told as failureTold } from "./failures.ts";
import type { Caller, Link } from "./link.ts";
import { withAttempts } from "./marks.ts";
import { BackendPolicies } from "./policies.ts";
import { readThrough } from "./reads.ts";
import type { Replica } from "./replica.ts";
import { Credentials } from "./credentials.ts";
import { bestOf, type StrandState } from "./strand.ts";
import { localName } from "./traits.ts";
import { Uplink, type UplinkState } from "./uplink.ts";
import { watchUplinks } from "./watch.ts";

export interface BackendEvents {
  /** `isLead`: this link speaks for all of its owner's from now on. */
  up(backend: Backend, link: Link, replica: Replica, isLead: boolean): void;
  down(backend: Backend, owner: string, error: GatewayError, failures: number, replica: Replica): void;
  /** A link that was up before speaks for all of its owner's from now on. */
  leads(backend: Backend, link: Link): void;
}

export interface BackendOptions extends Omit<LinkOptions, "owner"> {
  /** Where the gateway runs. */
  readonly zone?: string | undefined;
  /** A tool of an owner's listing, as the backend listed it. */
  readonly listed?: (backend: Backend, owner: string, tool: string) => Uint8Array | undefined;
}

/** How one replica is, for all owners together. */
export interface ReplicaStatus {
  readonly state: StrandState;
  readonly pending: number;
  /** Why it gets no calls although it is up. */
  readonly left: string | undefined;
}

export interface BackendCounts {
  readonly calls: number;
  readonly failures: number;
  readonly inFlight: number;
  readonly links: number;
}

/** The one owner of a backend with `isolation: shared`. */
const sharedOwner = "shared";

export class Backend {
  readonly plan: BackendPlan;
  readonly policies: BackendPolicies;
  readonly #options: BackendOptions;
  readonly #events: BackendEvents;
  readonly #uplinks = new Map<string, Uplink>();
  #principal = "";
  #owner = "principal:";
  readonly #stopHealth: () => void;
  /** One function for all calls. */
  readonly #succeeded = (reply: Uint8Array): Uint8Array => {
    this.ended();
    return reply;
  };
  /** What is said of a call that takes too long: one function for all calls of a kind, as long as they come in a row. */
  #lateOf: (() => GatewayError) | undefined;
  #lateMethod: string | undefined;
  #lateMs: number | undefined;
  #calls = 0;
  #failures = 0;
  #inFlight = 0;
  /** Resolved when the last call in flight has ended. */
  #idle: PromiseWithResolvers<void> | undefined;
  #closed = false;

  constructor(options: BackendOptions, events: BackendEvents) {
    this.plan = options.plan;
    this.#options = { eras: new Eras(), credentials: new Credentials(), ...options };
    this.policies = new BackendPolicies(options.plan, options.observer, options.zone);
    this.#events = events;
    this.#stopHealth = watchUplinks(this.plan, this.policies, () => this.#uplinks.values());
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
  uplink(owner: string, capabilities?: Readonly<Record<string, unknown>>, principal?: string): Uplink {
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
    const { replicas, balance } = this.policies;
    // One session's links to all replicas would be idle but for one.
    const only = this.plan.isolation === "session" ? balance.choose(replicas, owner) : undefined;
    const uplink = new Uplink(
      { ...this.#options, owner, client, principal: this.plan.isolation === "session" ? principal : undefined },
      replicas,
      {
        up: (link, replica, isLead, isBack) => {
          if (isBack) this.policies.renewed(replica);
          this.#events.up(this, link, replica, isLead);
        },
        down: (error, failures, replica) => this.#events.down(this, owner, error, failures, replica),
        leads: (link) => this.#events.leads(this, link),
      },
      only,
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
    return (
      bestOf([...this.#uplinks.values()].map(({ state }) => state)) ?? {
        kind: "connecting",
        since: Date.now(),
        replica: 0,
      }
    );
  }

  /** How each replica is: the best state that any owner has there. */
  get replicas(): readonly ReplicaStatus[] {
    return this.policies.replicas.map((replica) => {
      const states = [...this.#uplinks.values()].flatMap(({ strands }) => strands[replica.index]?.state ?? []);
      const state = bestOf(states) ?? { kind: "connecting", since: Date.now() };
      return { state, pending: replica.pending, left: this.policies.whyLeft(replica) };
    });
  }

  /** The facts of any live link, or of the last one there was. */
  get facts(): Link["facts"] {
    for (const uplink of this.#uplinks.values()) if (uplink.link?.facts) this.#lastFacts = uplink.link.facts;
    return this.#lastFacts;
  }
  #lastFacts: Link["facts"];

  get counts(): BackendCounts {
    const links = [...this.#uplinks.values()].reduce((sum, uplink) => sum + uplink.links.length, 0);
    return { calls: this.#calls, failures: this.#failures, inFlight: this.#inFlight, links };
  }

  /** Forwards one call on a link of the owner, within the time that the plan gives it. `scope`: of this call alone. */
  call(uplink: Uplink, request: Envelope, edits: readonly Edit[], caller: Caller, scope: Scope): Promise<Uint8Array> {
    const { cache } = this.policies;
    if (!cache || request.method !== "resources/read") return this.#call(uplink, request, edits, caller, scope);
    const isTranslated = caller.era !== "modern" && uplink.link?.facts?.modern !== undefined;
    const read = { request, edits, caller, owner: uplink.owner, scope, isTranslated };
    return readThrough(cache, read, () => this.#call(uplink, request, edits, caller, scope));
  }

  #call(uplink: Uplink, request: Envelope, edits: readonly Edit[], caller: Caller, scope: Scope): Promise<Uint8Array> {
    const { policies } = this;
    const callMs = policies.hasToolTimes ? policies.timesOf(localName(request, edits)).callMs : this.plan.callMs;
    this.begun(request.method, scope, callMs);
    // Nothing to decide, in most cases.
    const first = policies.isCalm ? uplink.link?.call(request, edits, caller, scope) : undefined;
    if (!first) return this.again(uplink, request, edits, caller, scope);
    if (caller.flight) caller.flight.replica = uplink.lead.replica.index;
    return first.then(this.#succeeded, (error: unknown) => this.again(uplink, request, edits, caller, scope, error));
  }

  /** The link for a call about which there is nothing to decide: `begun` is called for it, then `ended` or `again`. */
  straight(uplink: Uplink): Link | undefined {
    const { isCalm, hasToolTimes } = this.policies;
    return isCalm && !hasToolTimes ? uplink.link : undefined;
  }

  /** A call is under way, which `scope` is of alone. */
  begun(method: string | undefined, scope: Scope, callMs: number = this.plan.callMs): void {
    if (method !== this.#lateMethod || callMs !== this.#lateMs) {
      this.#lateMethod = method;
      this.#lateMs = callMs;
      this.#lateOf = () => this.#late(method, callMs);
    }
    scope.limit(callMs, this.#lateOf);
    this.#calls += 1;
    this.#inFlight += 1;
    this.policies.budget.earn();
  }

  /** A call was answered. */
  ended(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#idle?.resolve();
  }

  /** Goes on with a call; with `failure`, an attempt was made before and failed with it. */
  async again(
    uplink: Uplink,
    request: Envelope,
    edits: readonly Edit[],
    caller: Caller,
    scope: Scope,
    failure?: unknown,
  ): Promise<Uint8Array> {
    const { policies } = this;
    const listed = (owner: string, tool: string): Uint8Array | undefined => this.#options.listed?.(this, owner, tool);
    const course = new Dispatch({ uplink, request, edits, caller, scope, listed }, policies);
    const execution = new Execution(course, policies);
    try {
      const { replica } = uplink.lead;
      if (failure !== undefined)
        execution.begun(replica, failure, Math.min(Date.now(), scope.deadline - this.plan.callMs));
      const reply = await execution.run();
      return execution.made > 1 ? withAttempts(reply, execution.made) : reply;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#failures += 1;
      const told = failureTold(error, this.plan.name, execution);
      caller.noted?.(`the caller is told ${told.row.id}: ${told.message}`, true);
      if (told.code !== "loginRequired") throw told;
      return (await import("./login-answer.ts")).askToLogin(told, request, caller);
    } finally {
      this.ended();
    }
  }

  #late(method: string | undefined, callMs: number): GatewayError {
    const { name } = this.plan;
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
}
