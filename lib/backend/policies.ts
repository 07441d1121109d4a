// What the calls of one backend share: the policies that its plan asks for, and what they have seen.

import type { BackendPlan } from "../config/plan.ts";
import { type CallTimes, resilienceDefaults, type ResiliencePlan } from "../config/resilience.ts";
import { matcherOf } from "../core/glob.ts";
import type { Observer } from "../core/observer.ts";
import { Balance } from "../resilience/balance.ts";
import { Breaker } from "../resilience/breaker.ts";
import { Budget } from "../resilience/budget.ts";
import { Bulkhead } from "../resilience/bulkhead.ts";
import { Cache } from "../resilience/cache.ts";
import type { Policies, RetryTerms } from "../resilience/course.ts";
import { Hedge } from "../resilience/hedge.ts";
import { Outliers } from "../resilience/outliers.ts";
import { Tally } from "../resilience/tally.ts";
import { Replica } from "./replica.ts";

/** Repetitions that are always allowed, and unused ones that are kept. */
const perSecond = 10;
const burst = 100;
/** Names come from clients. */
const maxTools = 1_000;

export class BackendPolicies implements Policies {
  readonly backend: string;
  readonly plan: ResiliencePlan;
  readonly replicas: readonly Replica[];
  readonly retry: RetryTerms;
  readonly budget: Budget;
  readonly bulkhead: Bulkhead | undefined;
  readonly hedge: Hedge | undefined;
  readonly outliers: Outliers | undefined;
  readonly balance: Balance;
  readonly cache: Cache | undefined;
  readonly tally: Tally = new Tally();
  readonly isDeclared: (tool: string) => boolean;
  readonly #log: (what: string) => void;
  readonly #isPlain: boolean;
  readonly #callTimes: CallTimes;
  readonly #toolTimes: readonly { readonly fits: (tool: string) => boolean; readonly times: CallTimes }[];
  readonly #toolBreakers = new Map<string, Breaker>();
  readonly #open = new Set<number>();
  /** Hears when the backend, or a replica of it, wants no calls, and when the calls of a replica fail. */
  told: ((replica: number | undefined, until: number) => void) | undefined;
  waiting = 0;
  /** Nothing has failed lately, and nothing is asked for that a single call would need: it may go straight to its link. */
  isCalm: boolean;
  #faultAt = -Infinity;
  #closedUntil = 0;

  constructor(backend: BackendPlan, observer: Observer, zone: string | undefined) {
    const plan = backend.resilience ?? resilienceDefaults;
    const now = Date.now();
    this.backend = backend.name;
    this.plan = plan;
    this.replicas = backend.replicas.map((replica, index) => new Replica(index, replica, plan));
    this.retry = plan.retry;
    this.budget = new Budget({ share: plan.retry.share, perSecond, burst }, now);
    this.bulkhead = plan.concurrency && new Bulkhead(backend.name, plan.concurrency);
    this.hedge = plan.hedge && new Hedge(plan.hedge);
    const isAlone = this.replicas.length === 1;
    this.outliers = plan.outliers && !isAlone ? new Outliers(plan.outliers, this.replicas.length) : undefined;
    this.balance = new Balance(plan.balance, zone);
    this.cache = plan.cache && new Cache(plan.cache);
    this.isDeclared = matcherOf(plan.retry.tools);
    this.#log = (what) => observer.log("warn", `backend ${backend.name}`, what);
    this.#callTimes = { callMs: backend.callMs, firstMs: plan.firstMs, idleMs: plan.idleMs };
    this.#toolTimes = plan.tools.map(({ tools, ...times }) => ({
      fits: matcherOf([tools]),
      times: { ...this.#callTimes, ...times },
    }));
    const { breaker, concurrency, hedge, firstMs, idleMs, tools } = plan;
    const wants = [concurrency, hedge, firstMs > 0, idleMs > 0, tools.length > 0];
    this.#isPlain =
      isAlone && wants.every((each) => !each) && breaker?.perTool !== true && !((breaker?.codes.length ?? 0) > 0);
    this.isCalm = this.#isPlain;
  }

  get closedUntil(): number {
    return this.#closedUntil;
  }

  /** No call goes straight to its link before then. */
  set closedUntil(until: number) {
    this.#closedUntil = until;
    this.isCalm = false;
    this.#faultAt = Date.now();
  }

  /** The times of a call; `tool` only where it is one. */
  timesOf(tool: string | undefined): CallTimes {
    if (tool === undefined) return this.#callTimes;
    return this.#toolTimes.find(({ fits }) => fits(tool))?.times ?? this.#callTimes;
  }

  get hasToolTimes(): boolean {
    return this.#toolTimes.length > 0;
  }

  /** The breaker of a tool, where the plan wants one. */
  breakerOf(tool: string | undefined): Breaker | undefined {
    const { breaker } = this.plan;
    if (!breaker?.perTool || tool === undefined) return undefined;
    const known = this.#toolBreakers.get(tool) ?? new Breaker(breaker, (ms, why) => this.#opened(tool, ms, why));
    if (this.#toolBreakers.size < maxTools) this.#toolBreakers.set(tool, known);
    return known;
  }

  #opened(tool: string, ms: number, why: string): void {
    this.tally.openings += 1;
    this.#log(`its tool ${JSON.stringify(tool)} gets no calls for ${ms} ms: ${why}`);
  }

  noted(site: Replica, fault: string | undefined, tookMs: number): void {
    const now = Date.now();
    const why = this.outliers?.note(site.index, fault !== undefined, tookMs, now);
    if (why !== undefined) this.#log(`replica ${site.index} is left out for a while: ${why}`);
    if (fault === undefined) this.#well(site, now);
    else this.#fault(site, fault, now);
  }

  closed(site: Replica | undefined, until: number): void {
    this.told?.(site?.index, until);
  }

  /** Another process of the gateway was told so, or has seen that the replica fails: others are better, if there are any. */
  leaveAlone(index: number | undefined, until: number): void {
    if (!Number.isFinite(until)) return;
    const now = Date.now();
    const replica = index === undefined ? undefined : this.replicas[index];
    const isOnly = !this.replicas.some(
      (other) => other !== replica && other.closedUntil <= now && other.breaker?.isPassable(now) !== false,
    );
    this.isCalm = false;
    this.#faultAt = now;
    if (index === undefined) this.closedUntil = Math.max(this.closedUntil, until);
    else if (replica && !isOnly) replica.closedUntil = Math.max(replica.closedUntil, until);
  }

  /** A replica is back: what was held against it is of another life. */
  renewed(replica: Replica): void {
    replica.breaker?.close();
    replica.closedUntil = 0;
    this.tally.reconnects += 1;
    this.outliers?.renew(replica.index, Date.now());
    this.#open.delete(replica.index);
  }

  /** What a replica answered to the question whether it wants calls; `unwell`: why not. */
  checked(replica: Replica, unwell: string | undefined): void {
    const was = replica.unwell;
    replica.unwell = unwell;
    if (was === unwell) return;
    if (unwell === undefined) this.outliers?.renew(replica.index, Date.now());
    this.#log(`replica ${replica.index} ${unwell === undefined ? "gets calls again" : `gets no new calls: ${unwell}`}`);
  }

  /** Why a replica gets no calls although it may be up. */
  whyLeft({ index, breaker, closedUntil, unwell }: Replica): string | undefined {
    const now = Date.now();
    const state = breaker?.state(now);
    if (state?.kind === "open") return `its last calls failed: ${state.why}`;
    if (state?.kind === "halfOpen") return "its last calls failed, and it is tried again";
    if (Math.max(closedUntil, this.closedUntil) > now) return "it wants no calls";
    if (unwell !== undefined) return unwell;
    return this.outliers?.isEjected(index, now) === true ? "it does worse than the others" : undefined;
  }

  #fault(site: Replica, why: string, now: number): void {
    this.isCalm = false;
    this.#faultAt = now;
    const state = site.breaker?.state(now);
    if (state?.kind !== "open" || this.#open.has(site.index)) return;
    this.#open.add(site.index);
    this.tally.openings += 1;
    this.told?.(site.index, state.until);
    this.#log(`replica ${site.index} gets no calls for ${state.until - now} ms: ${why}`);
  }

  #well(site: Replica, now: number): void {
    if (this.#open.delete(site.index)) this.#log(`replica ${site.index} gets calls again`);
    const quietMs = this.plan.breaker?.windowMs ?? 0;
    if (this.#isPlain && !this.isCalm && now - this.#faultAt > quietMs && now > this.closedUntil) this.isCalm = true;
  }
}
