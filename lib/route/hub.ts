// What every route needs: the plan and topology that are live now, the sessions, and who may use which links.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import type { Topology } from "../backend/registry.ts";
import type { Uplink } from "../backend/uplink.ts";
import type { Plan } from "../config/plan.ts";
import { Flights } from "../core/flight.ts";
import { type RequestMeter, Traffic } from "../core/meter.ts";
import type { Tracer } from "../core/trace.ts";
import type { Observer } from "../core/observer.ts";
import type { Principal } from "../core/principal.ts";
import { required } from "../core/required.ts";
import { Sealer } from "../core/seal.ts";
import type { ListingKind } from "../core/nouns.ts";
import type { LockGuard } from "../merge/lock.ts";
import type * as FilterModule from "../merge/filter.ts";
import type * as PolicyModule from "../merge/policy.ts";
import type { View } from "../merge/names.ts";
import type * as RulesModule from "../merge/rules.ts";
import { splitUri } from "../merge/names.ts";
import type * as AdmissionModule from "./admission.ts";
import type { Cluster } from "./cluster.ts";
import type * as FinderModule from "./finder.ts";
import { Parked } from "./parked.ts";
import type { Session, Viewer } from "./session.ts";
import { Sessions } from "./sessions.ts";

/** What a plan needs beyond the plain way of a call: each is loaded where a plan asks for it. */
export interface RouteFeatures {
  readonly admission?: typeof AdmissionModule | undefined;
  readonly filter?: typeof FilterModule | undefined;
  readonly policy?: typeof PolicyModule | undefined;
  readonly rules?: typeof RulesModule | undefined;
  readonly finder?: typeof FinderModule | undefined;
}

/** What operators do is asked about as a method of an extension. */
const operating = { kind: "methods", backend: "mcpctl" } as const;
/** Calls that the recorder keeps. */
const maxFlights = 2_000;

export class Hub {
  readonly observer: Observer;
  readonly sealer: Sealer;
  readonly sessions: Sessions;
  readonly flights: Flights = new Flights(maxFlights);
  readonly parked: Parked;
  /** Of clients. */
  readonly traffic: Traffic = new Traffic();
  /** Hears of each request that is over; undefined where nobody counts. */
  meter: RequestMeter | undefined;
  /** Records requests; undefined where nobody does. */
  tracer: Tracer | undefined;
  #plan: Plan;
  #topology: Topology = new Map();
  /** Views of the config, by name. */
  #filters: ReadonlyMap<string, FilterModule.Filter> = new Map();
  /** Who may use what; undefined where everybody may use everything. */
  #policy: PolicyModule.Policy | undefined;
  /** How much is let through; undefined where nothing limits it. */
  admission: AdmissionModule.Admission | undefined;
  /** Of the backends that have any. */
  readonly #rules = new WeakMap<Backend, RulesModule.Rules>();
  /** Undefined where no view is searched. */
  finder: FinderModule.Finder | undefined;
  /** What tools are held against; undefined without a lock. */
  lock: LockGuard | undefined;
  #cluster: Cluster | undefined;
  readonly #releaseListeners: ((session: Session) => void)[] = [];

  constructor(plan: Plan, observer: Observer) {
    this.#plan = plan;
    this.observer = observer;
    const keys = plan.sealKeys.length > 0 ? plan.sealKeys : [crypto.randomUUID()];
    this.sealer = new Sealer(keys);
    this.parked = new Parked(this.sealer);
    this.sessions = new Sessions(
      this.sealer,
      (backend) => this.view(backend),
      (session) => this.#release(session),
    );
  }

  get plan(): Plan {
    return this.#plan;
  }

  /** The other processes of the gateway; undefined where it is alone. */
  get cluster(): Cluster | undefined {
    return this.#cluster;
  }

  /** Before the first client comes. */
  join(cluster: Cluster): void {
    this.#cluster = cluster;
    this.sessions.cluster = cluster;
    this.parked.owner = cluster.node;
  }

  get topology(): Topology {
    return this.#topology;
  }

  /** Puts a new plan and its topology in place, both at once. */
  replace(plan: Plan, topology: Topology, features: RouteFeatures): void {
    this.#plan = plan;
    this.#topology = topology;
    this.admission = features.admission && (this.admission ?? new features.admission.Admission(this.#cluster));
    this.admission?.apply(plan);
    // What was found out for the plan before may not hold for this one.
    this.#policy = plan.policy && new (required(features.policy).Policy)(plan.policy);
    this.#filters = new Map(plan.views.map((view) => [view.name, new (required(features.filter).Filter)(view)]));
    this.finder = features.finder && (this.finder ?? new features.finder.Finder());
    for (const backend of topology.values()) {
      const { rules } = backend.plan;
      if (rules && !this.#rules.has(backend)) this.#rules.set(backend, new (required(features.rules).Rules)(rules));
    }
  }

  /** Another plan is in place: sessions see what it lets them see, and `goesOn` is told of those that go on. */
  review(goesOn: (session: Session) => void): void {
    for (const session of [...this.sessions.all()]) {
      const view = this.view(session.facts.view.backend);
      const seen = view && this.seenBy(view, session.who);
      // The endpoint that it came to is gone.
      if (!seen) {
        this.sessions.end(session);
        continue;
      }
      session.renew(session.who, seen);
      goesOn(session);
    }
  }

  /** What was found out for the plan so far is found out again. */
  refresh(): void {
    this.#plan = Object.freeze({ ...this.#plan });
  }

  /** What the config makes of the items of a backend; undefined for most. */
  rulesOf(backend: Backend): RulesModule.Rules | undefined {
    return this.#rules.get(backend);
  }

  /** What a view of the config shows; undefined for the whole gateway, and for a backend alone. */
  filterOf({ backend }: View): FilterModule.Filter | undefined {
    return backend === "" ? undefined : this.#filters.get(backend);
  }

  /** A view as a principal sees it; undefined where nothing of it is there for them. */
  seenBy(view: View, who: Principal): View | undefined {
    if (!this.#policy) return view;
    const grants = this.#policy.grantsOf(who);
    const isAlone = view.backend !== "" && !this.#filters.has(view.backend);
    return isAlone && !grants.reaches(view.backend) ? undefined : { ...view, grants };
  }

  /** The whole gateway, as somebody sees it. */
  whole(who: Principal): View {
    const { naming, separator } = this.#plan;
    const view: View = { backend: "", naming, separator };
    return this.seenBy(view, who) ?? view;
  }

  /** Whether a principal may see how the gateway and all of its backends are, and what others did. */
  mayWatch(who: Principal, name: string = "mcpctl/watch"): boolean {
    return this.#policy?.grantsOf(who).shows({ ...operating, name }) !== false;
  }

  /** Whether a rule lets a principal do such a thing with the gateway: where none is about it, nobody may. */
  mayOperate(who: Principal, name: string): boolean {
    const decision = this.#policy?.grantsOf(who).decide({ ...operating, name }, () => false);
    return decision?.kind === "allow" && decision.place !== undefined;
  }

  /** Whether clients of a view find the tools, and do not list them. */
  searches(view: View): boolean {
    return (this.filterOf(view)?.disclosure ?? this.#plan.disclosure) === "search";
  }

  /** Whether the listing decides what can be used: names alone do not say what is hidden. */
  guards(view: View, backend: Backend, kind: ListingKind): boolean {
    if (view.grants) return true;
    if (kind === "tools" && this.lock?.mode === "enforce") return true;
    return this.filterOf(view) !== undefined || this.rulesOf(backend)?.guards(kind) === true;
  }

  /** Whether a resource may be used by its URI, listed or not. */
  admits(view: View, backend: Backend, uri: string, local: string): boolean {
    if (this.rulesOf(backend)?.admits("resources", local) === false) return false;
    if (this.filterOf(view)?.shows("resources", uri) === false) return false;
    return view.grants?.shows({ kind: "resources", backend: backend.plan.name, name: local }) !== false;
  }

  /** The view of an endpoint; undefined for a backend that there is not. Empty = the whole gateway. */
  view(backend: string): View | undefined {
    const { naming, separator } = this.#plan;
    if (backend === "" || this.#filters.has(backend)) return { backend, naming, separator };
    return this.#topology.has(backend) ? { backend, naming: "none", separator } : undefined;
  }

  /** The backends that a view shows, in config order. */
  backendsOf(view: View): readonly Backend[] {
    const { grants } = view;
    const shown = this.#backendsOf(view);
    return grants ? shown.filter(({ plan }) => grants.reaches(plan.name)) : shown;
  }

  #backendsOf(view: View): readonly Backend[] {
    if (view.backend === "") return [...this.#topology.values()];
    const filter = this.filterOf(view);
    if (filter) return [...this.#topology.values()].filter(({ plan }) => filter.hasBackend(plan));
    const backend = this.#topology.get(view.backend);
    return backend ? [backend] : [];
  }

  /** The backend of this name, where the view shows it. */
  backendIn(view: View, name: string): Backend | undefined {
    if (view.grants?.reaches(name) === false) return undefined;
    const backend = this.#topology.get(name);
    if (view.backend === "" || !backend) return backend;
    const filter = this.filterOf(view);
    return (filter ? filter.hasBackend(backend.plan) : view.backend === name) ? backend : undefined;
  }

  uplinkOf(backend: Backend, viewer: Viewer): Uplink {
    const { capabilities, key } = viewer.facts;
    // Links of one session alone declare what that client can.
    const isOwn = backend.plan.isolation === "session" && key !== "";
    return backend.uplink(this.ownerOf(backend, viewer), isOwn ? capabilities : undefined, viewer.facts.principal);
  }

  ownerOf(backend: Backend, { facts }: Viewer): string {
    return backend.ownerOf(facts.principal, facts.key);
  }

  /** Whether this is the link that calls of its owner take now, or would but for its end; one of a removed backend is not. */
  isCurrent(link: Link): boolean {
    const uplink = this.#topology.get(link.backend)?.find(link.owner);
    return uplink !== undefined && (uplink.link === link || (uplink.link === undefined && uplink.holds(link)));
  }

  /** The sessions that use the links of an owner at a backend. */
  attached(backendName: string, owner: string): readonly Session[] {
    return [...this.sessions.all()].filter((session) => {
      const backend = this.backendIn(session.facts.view, backendName);
      return backend !== undefined && this.ownerOf(backend, session) === owner;
    });
  }

  /** The resources that sessions have subscribed to on a link, by their local names. */
  subscribedOn({ backend, owner }: Link): ReadonlySet<string> {
    const uris = new Set<string>();
    for (const { subscriptions } of this.attached(backend, owner))
      for (const held of subscriptions.values()) if (held.isOpen && held.backend === backend) uris.add(held.local);
    return uris;
  }

  /** Backend and local URI of `mcpctl://<backend>/<encoded uri>`, where the view shows that backend. */
  addressed(view: View, uri: string): { readonly backend: Backend; readonly local: string } | undefined {
    const parts = splitUri(uri);
    const backend = parts && this.backendIn(view, parts.backend);
    return backend && parts ? { backend, local: parts.local } : undefined;
  }

  /** Calls `listener` for each session that is over, before its links are. */
  whenReleased(listener: (session: Session) => void): void {
    this.#releaseListeners.push(listener);
  }

  #release(session: Session): void {
    for (const listener of this.#releaseListeners) listener(session);
    for (const backend of this.#topology.values()) {
      const owner = this.ownerOf(backend, session);
      if (backend.plan.isolation === "session" && session.facts.key !== "") void backend.release(owner);
      else backend.forget(owner, session);
    }
  }
}
