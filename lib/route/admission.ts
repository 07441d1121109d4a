// How much is let through: requests of each principal, and calls of tools, by the limits of the gateway and its backends.

import type { BackendLimits, RatePlan, ToolLimits } from "../config/limits.ts";
import type { Plan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import type { Flight } from "../core/flight.ts";
import { matcherOf } from "../core/glob.ts";
import { Quota, type ShareUse } from "../resilience/quota.ts";
import { type RateLimit, Rates } from "../resilience/rates.ts";
import { Slots } from "../resilience/slots.ts";
import type { Cluster } from "./cluster.ts";

/** What one call of a tool is measured by. */
export interface Tariff {
  readonly cost: number;
  readonly backend: string;
  readonly rates: readonly (readonly [rates: RateLimit, who: string])[];
  /** Of the backend. */
  readonly quota: Quota | undefined;
  /** Calls of the tool that are in flight. */
  readonly slots: Slots | undefined;
}

/** Names come from clients. */
const maxTariffs = 10_000;
/** Nobody knows when a call ends; an impatient client comes back soon enough. */
const retryAfterMs = 1_000;
/** Longer than the day that is counted. */
const quotaMs = 2 * 86_400_000;
const free: Tariff = { cost: 1, backend: "", rates: [], quota: undefined, slots: undefined };

export class Admission {
  #rates: RateLimit | undefined;
  #slots: Slots | undefined;
  #quota: Quota | undefined;
  #backends: ReadonlyMap<string, BackendLimits> = new Map();
  /** Of backends and their tools, by their names and globs: what was counted is not forgotten when the config changes. */
  readonly #ratesOf = new Map<string, RateLimit>();
  readonly #slotsOf = new Map<string, Slots>();
  readonly #quotaOf = new Map<string, Quota>();
  readonly #tariffs = new Map<string, Tariff>();
  readonly #cluster: Cluster | undefined;

  /** With other processes, rates and quotas are for all of them together. */
  constructor(cluster?: Cluster) {
    this.#cluster = cluster;
  }

  apply({ limits, backends }: Plan): void {
    this.#rates = this.#renewedRates("all", this.#rates, limits.rate);
    this.#slots = renewed(this.#slots, limits.concurrency, (most) => new Slots(most, tooManyCalls));
    this.#quota = this.#renewedQuota("all", this.#quota, limits.quota);
    this.#backends = new Map(backends.flatMap(({ name, limits: own }) => (own ? [[name, own]] : [])));
    this.#tariffs.clear();
  }

  /** What has to be waited for before {@link enter}, where other processes count too. */
  ready(principal: string): Promise<void> | undefined {
    return this.#rates?.ready?.(principal);
  }

  /** What has to be waited for before {@link charge}. */
  readyFor({ rates }: Tariff): Promise<unknown> | undefined {
    const late = this.#cluster && rates.flatMap(([each]) => each.ready?.("") ?? []);
    return late && late.length > 0 ? Promise.all(late) : undefined;
  }

  /** A request came, which is in flight until {@link leave}. Throws where it is one too many. */
  enter(flight: Flight): void {
    const { principal } = flight;
    this.#slots?.require(principal, principal);
    this.#rates?.take(principal, principal);
    this.#hold(flight);
  }

  /** It is answered, or was never let in. */
  leave(flight: Flight): void {
    if (!flight.isHeld) return;
    flight.isHeld = false;
    this.#slots?.give(flight.principal);
  }

  /** Counts a call of a tool; throws where it is one too many. Returns what to do at its end, where there is anything. */
  charge(principal: string, { cost, backend, rates, quota, slots }: Tariff): (() => void) | undefined {
    slots?.require("", `all clients of the tool`);
    this.#quota?.require(principal, cost, principal);
    quota?.require("", cost, `all clients of backend "${backend}" together`);
    for (const [each, who] of rates) each.take("", who);
    this.#quota?.take(principal, cost);
    quota?.take("", cost);
    slots?.take("");
    return slots && (() => slots.give(""));
  }

  /** Whether a request for a call would be let through right now without a hold until its end; nothing is counted. */
  admits(principal: string, { cost, rates, quota, slots }: Tariff, now: number): boolean {
    if (slots || this.#rates?.allows(principal, now) === false || this.#slots?.allows(principal) === false)
      return false;
    if (this.#quota?.allows(principal, cost, now) === false || quota?.allows("", cost, now) === false) return false;
    return rates.every(([each]) => each.allows("", now));
  }

  /** Counts a call that was let through like that: {@link enter} and {@link charge} at once. */
  took(flight: Flight, { cost, rates, quota }: Tariff): void {
    const { principal, at: now } = flight;
    this.#rates?.take(principal, principal, now);
    this.#hold(flight);
    for (const [each, who] of rates) each.take("", who, now);
    this.#quota?.take(principal, cost, now);
    quota?.take("", cost, now);
  }

  /** What a call of a tool is measured by. */
  tariffOf(backend: string, tool: string): Tariff {
    const limits = this.#backends.get(backend);
    if (!limits) return free;
    const key = `${backend} ${tool}`;
    const known = this.#tariffs.get(key);
    if (known) return known;
    if (this.#tariffs.size >= maxTariffs) this.#tariffs.clear();
    const tariff = this.#makeTariff(backend, tool, limits);
    this.#tariffs.set(key, tariff);
    return tariff;
  }

  #makeTariff(backend: string, tool: string, { rate, quota, tools }: BackendLimits): Tariff {
    const fitting = tools.filter(({ tools: glob }) => matcherOf([glob])(tool));
    const first = (name: keyof ToolLimits): ToolLimits | undefined => fitting.find((each) => each[name] !== undefined);
    const limited = first("rate");
    const crowded = first("concurrency");
    const own = `${backend} ${limited?.tools ?? ""}`;
    const rates: (readonly [RateLimit, string])[] = [];
    const all = keep(this.#ratesOf, backend, (before) => this.#renewedRates(backend, before, rate));
    if (all) rates.push([all, `all clients of backend "${backend}" together`]);
    const some = limited && keep(this.#ratesOf, own, (before) => this.#renewedRates(own, before, limited.rate));
    if (some) rates.push([some, `all clients of ${limited.tools} of backend "${backend}" together`]);
    return {
      cost: first("cost")?.cost ?? free.cost,
      backend,
      rates,
      quota: keep(this.#quotaOf, backend, (before) => this.#renewedQuota(backend, before, quota)),
      slots:
        crowded &&
        keep(this.#slotsOf, `${backend} ${crowded.tools}`, (before) =>
          renewed(before, crowded.concurrency, (most) => new Slots(most, tooManyCalls)),
        ),
    };
  }

  #renewedQuota(name: string, before: Quota | undefined, units: number | undefined): Quota | undefined {
    const cluster = this.#cluster;
    const share: ShareUse | undefined =
      cluster && ((key, day, cost) => cluster.add(JSON.stringify(["quota", name, key, day]), cost, quotaMs));
    if (!before || units === undefined) return units === undefined ? undefined : new Quota(units, share);
    before.units = units;
    return before;
  }

  #renewedRates(name: string, before: RateLimit | undefined, plan: RatePlan | undefined): RateLimit | undefined {
    const isSame = before?.terms.calls === plan?.calls && before?.terms.perMs === plan?.perMs;
    return isSame ? before : plan && (this.#cluster?.ratesOf(name, plan) ?? new Rates(plan));
  }

  #hold(flight: Flight): void {
    if (!this.#slots) return;
    this.#slots.take(flight.principal);
    flight.isHeld = true;
  }
}

function tooManyCalls(who: string, most: number): GatewayError {
  const text = `${who} may have ${most} calls in flight, and this is one more`;
  return new GatewayError("tooManyCalls", text, { data: { retryAfterMs, limit: most } });
}

/** What a map holds after `make` has looked at what it held. */
function keep<T>(all: Map<string, T>, key: string, make: (before: T | undefined) => T | undefined): T | undefined {
  const made = make(all.get(key));
  if (made === undefined) all.delete(key);
  else all.set(key, made);
  return made;
}

function renewed(
  before: Slots | undefined,
  most: number | undefined,
  make: (most: number) => Slots,
): Slots | undefined {
  if (!before || most === undefined) return most === undefined ? undefined : make(most);
  before.most = most;
  return before;
}
