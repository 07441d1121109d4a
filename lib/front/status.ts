// What the gateway says of itself: /health, /livez and /readyz, from the same state that calls see.

import type { Backend, ReplicaStatus } from "../backend/backend.ts";
import type { StrandState } from "../backend/strand.ts";
import { GatewayError } from "../core/errors.ts";
import { attemptsBeforeUnavailable } from "../resilience/backoff.ts";
import type { CacheCounts } from "../resilience/cache.ts";
import { Scope } from "../core/scope.ts";
import { encodeJson } from "../core/text.ts";
import type { Deviation } from "../merge/lock.ts";
import type { ToldCollision } from "../route/collisions.ts";
import type { Listings } from "../route/fanout.ts";
import type { Hub } from "../route/hub.ts";
import type { HttpReply, HttpRequest } from "./exchange.ts";
import { errorReply, jsonReply, textReply } from "./reply.ts";

/** A backend that has not answered within this time is not up. */
const checkMs = 1_000;
const paths: ReadonlySet<string> = new Set(["/health", "/livez", "/readyz", "/why"]);
/** The last calls, or those with this id. */
const whyPrefix = "/why/";
const maxFlights = 20;
const headers = { "cache-control": "no-store" };

/** Of one backend. */
const maxDeviations = 100;

export type ListingHealth = ReturnType<Listings["shortfalls"]>[number];

export interface BackendHealth {
  readonly state: "connecting" | "up" | "reconnecting" | "unavailable";
  /** When it came into this state, ISO 8601. */
  readonly since: string;
  readonly transport: string;
  readonly replica?: number;
  readonly error?: { readonly code: string; readonly message: string };
  /** Listings that are missing, incomplete or out of date. */
  readonly listings?: readonly ListingHealth[];
  /** Tools that are not as the lock has them. */
  readonly deviations?: readonly Deviation[];
  readonly calls: number;
  readonly failures: number;
  readonly inFlight: number;
  readonly links: number;
  /** Of a backend whose reads are cached. */
  readonly cache?: CacheCounts;
  /** Of a backend with several. */
  readonly replicas?: readonly ReplicaHealth[];
}

export interface ReplicaHealth {
  readonly state: BackendHealth["state"];
  /** Calls in flight. */
  readonly pending: number;
  /** Why it gets no calls although it is up. */
  readonly left?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** How this process reaches the others of its gateway. */
export interface ClusterHealth {
  readonly state: "up" | "away";
  readonly since: string;
  readonly engine: string;
  /** This process. */
  readonly node: string;
  /** Processes that are there, with this one. */
  readonly processes?: number;
  /** Messages of processes with other seal keys. */
  readonly foreign?: number;
  readonly error?: string;
}

/** A process that is one of several workers. */
export interface WorkerHealth {
  readonly place: number;
  readonly count: number;
}

export interface Health {
  /** Where the gateway has several workers: which of them says this; what it says is of this one alone. */
  readonly worker?: WorkerHealth;
  /** Where the gateway has several processes. */
  readonly cluster?: ClusterHealth;
  /** Faults are put into calls on purpose: rules, and faults so far. */
  readonly chaos?: { readonly rules: number; readonly injected: number };
  readonly status: "ok" | "degraded" | "starting" | "unavailable" | "draining";
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly sessions: number;
  /** Streams of modern clients that listen for changes. */
  readonly listeners: number;
  /** Calls of modern clients that wait for their input. */
  readonly parked: number;
  /** Names that several backends have, where there are any: who has it, and what the other one is called. */
  readonly collisions?: readonly ToldCollision[];
  readonly inFlight: number;
  readonly backends: Readonly<Record<string, BackendHealth>>;
}

/** What is said of faults on purpose. */
export interface ChaosCount {
  readonly ruleCount: number;
  readonly injected: number;
}

export class Status {
  readonly #hub: Hub;
  readonly #listings: Listings;
  readonly #version: string;
  readonly #startedAt = Date.now();
  /** Faults on purpose, where there are any. */
  readonly #faults: ChaosCount | undefined;
  readonly #worker: WorkerHealth | undefined;
  draining = false;
  /** Where the gateway has several processes. */
  cluster: { health(): Promise<ClusterHealth> } | undefined;

  constructor(hub: Hub, listings: Listings, version: string, faults?: ChaosCount, worker?: WorkerHealth) {
    this.#faults = faults;
    this.#worker = worker && { place: worker.place, count: worker.count };
    this.#hub = hub;
    this.#listings = listings;
    this.#version = version;
  }

  /** Asks all backends, then says how they are. */
  async health(): Promise<Health> {
    const all = [...this.#hub.topology.values()];
    using scope = new Scope();
    const [cluster] = await Promise.all([
      this.cluster?.health(),
      ...all.map((backend) => backend.verify(scope, checkMs)),
    ]);
    const backends = Object.fromEntries(all.map((backend) => [backend.plan.name, this.#backend(backend)]));
    const states = Object.values(backends).map(({ state }) => state);
    return {
      status: this.draining ? "draining" : overall(states, cluster),
      version: this.#version,
      uptimeSeconds: Math.round((Date.now() - this.#startedAt) / 1000),
      sessions: this.#hub.sessions.size,
      listeners: this.#hub.sessions.listeners,
      parked: this.#hub.parked.size,
      ...collisionsOf(this.#listings),
      inFlight: all.reduce((sum, backend) => sum + backend.counts.inFlight, 0),
      backends,
      ...(this.#worker ? { worker: this.#worker } : {}),
      ...(cluster ? { cluster } : {}),
      ...(this.#faults ? { chaos: { rules: this.#faults.ruleCount, injected: this.#faults.injected } } : {}),
    };
  }

  #backend(backend: Backend): BackendHealth {
    const listings = this.#listings.shortfalls(backend);
    const deviations = this.#listings.shelves.deviations(backend).slice(0, maxDeviations);
    return {
      ...backendHealth(backend),
      ...(listings.length > 0 ? { listings } : {}),
      ...(deviations.length > 0 ? { deviations } : {}),
    };
  }

  /**
   * Answers one of these paths, or undefined for any other. A stranger hears how it is, and nothing of who is behind it;
   * `of`: the only principal whose calls are shown.
   */
  async handle({ method }: HttpRequest, path: string, isStranger = false, of?: string): Promise<HttpReply | undefined> {
    const asked = path.startsWith(whyPrefix) ? decodePath(path.slice(whyPrefix.length)) : undefined;
    if (asked === undefined && !paths.has(path)) return undefined;
    if (method !== "GET" && method !== "HEAD") {
      const error = new GatewayError("methodNotAllowed", `${path} does not take ${method}`);
      return errorReply(error, undefined, { allow: "GET, HEAD" });
    }
    if (path === "/livez") return textReply("ok\n", headers);
    if (isStranger && (asked !== undefined || path === "/why")) return undefined;
    if (asked !== undefined || path === "/why")
      return jsonReply(encodeJson({ calls: this.#hub.flights.find(asked, maxFlights, of) }), headers);
    const health = await this.health();
    const said = isStranger ? { status: health.status } : health;
    const status = health.status === "ok" || health.status === "degraded" ? 200 : 503;
    return path === "/health"
      ? jsonReply(encodeJson(said), headers, status)
      : textReply(`${health.status}\n`, headers, status);
  }
}

function decodePath(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function collisionsOf({ collisions }: Listings): Pick<Health, "collisions"> {
  const all = collisions.all();
  return all.length > 0 ? { collisions: all } : {};
}

function overall(states: readonly BackendHealth["state"][], cluster: ClusterHealth | undefined): Health["status"] {
  const up = states.filter((state) => state === "up").length;
  if (up === states.length) return cluster?.state === "away" ? "degraded" : "ok";
  if (up > 0) return "degraded";
  return states.includes("connecting") ? "starting" : "unavailable";
}

function backendHealth(backend: Backend): BackendHealth {
  const { state, plan } = backend;
  const base = {
    state: stateName(state),
    since: new Date(state.since).toISOString(),
    transport: plan.replicas.map(({ kind }) => kind).join("+"),
    ...backend.counts,
    ...(backend.policies.cache ? { cache: backend.policies.cache.counts } : {}),
    ...(plan.replicas.length > 1 ? { replicas: backend.replicas.map(replicaHealth) } : {}),
  };
  switch (state.kind) {
    case "up":
      return { ...base, replica: state.replica % plan.replicas.length };
    case "down":
      return { ...base, error: { code: state.error.row.id, message: state.error.message } };
    case "connecting":
      return base;
  }
}

function replicaHealth({ state, pending, left }: ReplicaStatus): ReplicaHealth {
  const error = state.kind === "down" ? { code: state.error.row.id, message: state.error.message } : undefined;
  return { state: stateName(state), pending, ...(left === undefined ? {} : { left }), ...(error ? { error } : {}) };
}

function stateName(state: StrandState): BackendHealth["state"] {
  if (state.kind !== "down") return state.kind;
  return state.failures >= attemptsBeforeUnavailable ? "unavailable" : "reconnecting";
}
