// How the backends of a running gateway are right now, as metrics, and what their policies did so far.

import type { Backend, ReplicaStatus } from "./backend/backend.ts";
import type { Replica } from "./backend/replica.ts";
import type { Exposition, Labels, Sample } from "./observe/exposition.ts";
import type { Listings } from "./route/fanout.ts";

export function writeBackends(out: Exposition, backends: readonly Backend[], listings: Listings): void {
  backendStates(out, backends);
  replicaStates(out, backends);
  resilience(out, backends);
  caches(out, backends);
  catalogs(out, backends, listings);
}

/** A value of each backend. */
function each(backends: readonly Backend[], value: (backend: Backend) => number): readonly Sample[] {
  return backends.map((backend) => [{ backend: backend.plan.name }, value(backend)]);
}

const states = ["connecting", "up", "down"] as const;
const breakerStates = ["closed", "open", "halfOpen"] as const;
const stateWords = { closed: "closed", open: "open", halfOpen: "half_open" } as const;

function backendStates(out: Exposition, backends: readonly Backend[]): void {
  const isUp = ({ state }: Backend): number => Number(state.kind === "up");
  out.gauge("mcpctl_backend_up", "Whether a backend can be reached.", each(backends, isUp));
  const inState = backends.flatMap(({ plan, state }) =>
    states.map((kind): Sample => [{ backend: plan.name, state: kind }, Number(state.kind === kind)]),
  );
  out.gauge("mcpctl_backend_state", "The state that a backend is in.", inState);
  const inFlight = each(backends, ({ counts }) => counts.inFlight);
  out.gauge("mcpctl_backend_in_flight_calls", "Calls of a backend in flight.", inFlight);
  const queued = backends.flatMap(({ plan, policies }): Sample[] => [
    [{ backend: plan.name, reason: "slot" }, policies.bulkhead?.queued ?? 0],
    [{ backend: plan.name, reason: "replica" }, policies.waiting],
  ]);
  out.gauge("mcpctl_backend_queued_calls", "Calls that wait for a free slot, or for a replica that is there.", queued);
  const links = each(backends, ({ counts }) => counts.links);
  out.gauge("mcpctl_links", "Live connections to a backend: sessions there, or child processes.", links);
  const back = each(backends, ({ policies }) => policies.tally.reconnects);
  out.counter("mcpctl_reconnects_total", "How often a replica of a backend came back.", back);
  const lost = each(backends, ({ policies }) => policies.tally.losses);
  out.counter("mcpctl_connection_losses_total", "How often a replica went away, or could not be reached.", lost);
}

interface EachReplica {
  readonly labels: Labels;
  readonly status: ReplicaStatus;
  readonly replica: Replica;
  readonly inFlight: number;
}

function eachReplica(backend: Backend): readonly EachReplica[] {
  const all = backend.replicas;
  return backend.policies.replicas.flatMap((replica) => {
    const status = all[replica.index];
    if (!status) return [];
    const labels = { backend: backend.plan.name, replica: String(replica.index) };
    // The only one is not asked for what it has.
    return [{ labels, status, replica, inFlight: all.length === 1 ? backend.counts.inFlight : status.pending }];
  });
}

function replicaStates(out: Exposition, backends: readonly Backend[]): void {
  const now = Date.now();
  const replicas = backends.flatMap(eachReplica);
  const up = replicas.map(({ labels, status }): Sample => [labels, Number(status.state.kind === "up")]);
  out.gauge("mcpctl_replica_up", "Whether a replica can be reached.", up);
  const inFlight = replicas.map(({ labels, inFlight: count }): Sample => [labels, count]);
  out.gauge("mcpctl_replica_in_flight_calls", "Calls of a replica in flight.", inFlight);
  const breakers = replicas.flatMap(({ labels, replica: { breaker } }) => {
    const kind = breaker?.state(now).kind;
    if (!kind) return [];
    return breakerStates.map((state): Sample => [{ ...labels, state: stateWords[state] }, Number(kind === state)]);
  });
  out.gauge("mcpctl_breaker_state", "The state that the breaker of a replica is in.", breakers);
}

function resilience(out: Exposition, backends: readonly Backend[]): void {
  const now = Date.now();
  const openings = each(backends, ({ policies }) => policies.tally.openings);
  out.counter("mcpctl_breaker_openings_total", "How often breakers of a backend opened.", openings);
  const retries = each(backends, ({ policies }) => policies.tally.retries);
  out.counter("mcpctl_retries_total", "Attempts beyond the first one of a call.", retries);
  const hedges = each(backends, ({ policies }) => policies.tally.hedges);
  out.counter("mcpctl_hedges_total", "Calls that were sent to a second replica, as the first one was slow.", hedges);
  const budget = each(backends, ({ policies }) => policies.budget.left(now));
  out.gauge("mcpctl_retry_budget", "Repetitions that are allowed right now.", budget);
  const refusals = each(backends, ({ policies }) => policies.budget.refusals);
  out.counter("mcpctl_retry_budget_refusals_total", "Repetitions that the budget did not allow.", refusals);
  const failures = backends.flatMap(({ plan, policies }) =>
    [...policies.tally.failures].map(([key, count]): Sample => {
      const [kind = "", code = ""] = key.split(" ");
      return [{ backend: plan.name, class: kind === "notSent" ? "not_sent" : kind, error_type: code }, count];
    }),
  );
  out.counter("mcpctl_attempt_failures_total", "Attempts that failed: may it have run, and why.", failures);
}

const results = ["hits", "misses", "joined", "stale"] as const;

function caches(out: Exposition, backends: readonly Backend[]): void {
  const all = backends.flatMap(({ plan, policies }) =>
    policies.cache ? [{ backend: plan.name, counts: policies.cache.counts }] : [],
  );
  const reads = all.flatMap(({ backend, counts }) =>
    results.map((result): Sample => [{ backend, result }, counts[result]]),
  );
  out.counter("mcpctl_cache_requests_total", "Reads of resources at a cache, by what came of them.", reads);
  const ratios = all.map(({ backend, counts: { hits, joined, misses } }): Sample => {
    return [{ backend }, (hits + joined) / Math.max(1, hits + joined + misses)];
  });
  out.gauge("mcpctl_cache_hit_ratio", "Share of the reads that the cache answered.", ratios);
  const bytes = all.map(({ backend, counts }): Sample => [{ backend }, counts.bytes]);
  out.gauge("mcpctl_cache_bytes", "Bytes of the answers that are kept.", bytes);
}

function catalogs(out: Exposition, backends: readonly Backend[], { shelves }: Listings): void {
  const now = Date.now();
  const all = backends.flatMap((backend) =>
    shelves.figures(backend).map(({ kind, ...figures }) => ({ labels: { backend: backend.plan.name, kind }, figures })),
  );
  const items = all.map(({ labels, figures }): Sample => [labels, figures.items]);
  out.gauge("mcpctl_catalog_items", "Items of a backend in the catalog.", items);
  const ages = all.flatMap(({ labels, figures: { readAt } }): Sample[] =>
    readAt > 0 ? [[labels, Math.max(0, now - readAt) / 1000]] : [],
  );
  out.gauge("mcpctl_catalog_age_seconds", "Since a listing of a backend was read last.", ages);
  const stale = all.map(({ labels, figures }): Sample => [labels, Number(figures.isStale)]);
  out.gauge(
    "mcpctl_catalog_stale",
    "Whether a listing may be old: its last reading failed, or its backend is down.",
    stale,
  );
}
