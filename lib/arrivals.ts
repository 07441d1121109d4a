// How the backends of a gateway came up: what is said of each at the start.

import type { Backend } from "./backend/backend.ts";
import { Scope, sleep } from "./core/scope.ts";
import type { BackendHealth, Status } from "./front/status.ts";
import type { Listings } from "./route/fanout.ts";
import type { Hub } from "./route/hub.ts";
import { type BackendLine, backendLines } from "./ops/lines.ts";

export interface Arrival extends BackendLine {
  /** `1/2`: those that are up, and all; empty where there is one. */
  readonly replicas: string;
  /** Undefined where they are not known. */
  readonly tools: number | undefined;
  /** From the start to its handshake; undefined where it is not up. */
  readonly ms: number | undefined;
}

/** What is known of a backend's tools, by its name. */
interface Known {
  readonly toolsOf: (name: string) => number | undefined;
  /** Empty where nothing is wrong with their listing. */
  readonly troubleOf: (name: string) => string;
}

/** One for each backend of a health document. */
function describeArrivals(
  backends: Readonly<Record<string, BackendHealth>>,
  startedAt: number,
  { toolsOf, troubleOf }: Known,
): readonly Arrival[] {
  return backendLines(backends).map((line) => {
    const { replicas = [], since = "" } = backends[line.name] ?? {};
    const up = replicas.filter(({ state }) => state === "up").length;
    const isUp = line.state === "up";
    return {
      ...line,
      error: line.error === "" && isUp ? troubleOf(line.name) : line.error,
      replicas: replicas.length > 1 ? `${up}/${replicas.length}` : "",
      tools: isUp ? toolsOf(line.name) : undefined,
      ms: isUp ? Math.max(0, Date.parse(since) - startedAt) : undefined,
    };
  });
}

/** Between two looks at whether every backend has come up or failed. */
const settleStepMs = 10;

/** Resolves when something holds of every backend, the gateway drains, or `patienceMs` have passed. */
export async function settledIn(
  hub: Hub,
  status: Status,
  holds: (backend: Backend) => boolean,
  patienceMs: number,
): Promise<void> {
  using scope = new Scope(undefined, patienceMs);
  while (![...hub.topology.values()].every(holds) && !status.draining && !scope.cancelled)
    await sleep(settleStepMs, scope).catch(() => {});
}

/** How the backends came up, once each has, or has failed, or after `patienceMs`. */
export async function arrivalsIn(
  hub: Hub,
  status: Status,
  { shelves }: Listings,
  startedAt: number,
  patienceMs: number,
): Promise<readonly Arrival[]> {
  const hasCome = (backend: Backend): boolean =>
    backend.state.kind === "down" || (backend.state.kind === "up" && shelves.countTools(backend) !== undefined);
  await settledIn(hub, status, hasCome, patienceMs);
  const { backends } = await status.health();
  const find = (name: string): Backend | undefined => [...hub.topology.values()].find(({ plan }) => plan.name === name);
  return describeArrivals(backends, startedAt, {
    toolsOf: (name) => {
      const backend = find(name);
      return backend && shelves.countTools(backend);
    },
    troubleOf: (name) => {
      const backend = find(name);
      const error = backend && shelves.troubleOf(backend);
      return error ? `${error.row.id} ${error.message}` : "";
    },
  });
}
