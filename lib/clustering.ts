// This process among the others of its gateway: the way to them, and how that is.

import { Bus } from "./cluster/bus.ts";
import type { ClusterPlan } from "./config/rules-cluster.ts";
import type { Observer } from "./core/observer.ts";
import { Scope, sleep } from "./core/scope.ts";
import type { Wire, WireState } from "./core/wire.ts";
import type { ClusterHealth } from "./front/status.ts";
import { BusRelay } from "./front/relay.ts";
import { Peers } from "./route/peers.ts";
import { WireOwners } from "./route/shared-owners.ts";
import type { Hub } from "./route/hub.ts";
import type { Router } from "./route/router.ts";

export interface ClusteringOptions {
  readonly wire: Wire;
  readonly hub: Hub;
  readonly router: Router;
  readonly observer: Observer;
  /** Answers what other processes hand over. */
  readonly receive: ConstructorParameters<typeof BusRelay>[1];
}

/** The engine of a config; its library is loaded only here. */
export async function engineAt(plan: ClusterPlan): Promise<Wire> {
  const { RedisWire } = await import("./cluster/redis.ts");
  return new RedisWire(plan);
}

/** Clients are let in after so long, whether the others can be reached or not. */
const firstMs = 1_000;
const stepMs = 5;
/** The answer to how many there are is not waited for longer. */
const countMs = 500;

export class Clustering {
  readonly relay: BusRelay;
  readonly #bus: Bus;
  readonly #peers: Peers;

  constructor({ wire, hub, router, observer, receive }: ClusteringOptions) {
    this.#bus = new Bus(wire, hub.sealer);
    this.relay = new BusRelay(this.#bus, receive);
    this.#peers = new Peers(this.#bus, hub, router);
    hub.join(this.#peers);
    hub.sessions.taskOwners.shared = new WireOwners(wire, hub.sealer, this.#peers);
    this.#bus.start((state) => say(observer, wire, state));
  }

  /** Resolves when the others can be reached, or a while later. */
  async reached(): Promise<void> {
    const { wire } = this.#bus;
    using patience = new Scope(undefined, firstMs);
    while (wire.state.kind === "away" && !patience.cancelled) await sleep(stepMs, patience).catch(() => {});
  }

  async health(): Promise<ClusterHealth> {
    const { wire, node, foreign } = this.#bus;
    const { state } = wire;
    using patience = new Scope(undefined, countMs);
    const count = state.kind === "up" ? await patience.race(wire.count()).catch(() => undefined) : undefined;
    return {
      state: state.kind,
      since: new Date(state.since).toISOString(),
      engine: wire.label,
      node,
      ...(count === undefined ? {} : { processes: count }),
      ...(foreign > 0 ? { foreign } : {}),
      ...(state.kind === "away" ? { error: state.why } : {}),
    };
  }

  /** Sends the clients whose streams are here to other processes; resolves when they have gone, or after `patienceMs`. */
  async leave(patienceMs: number): Promise<void> {
    using scope = new Scope(undefined, patienceMs);
    await this.#peers.leave(scope);
  }

  async close(): Promise<void> {
    this.#peers.close();
    this.relay.close();
    await this.#bus.close();
  }
}

function say(observer: Observer, wire: Wire, state: WireState): void {
  if (state.kind === "up") return observer.log("info", "gateway", `the cluster meets at ${wire.label}`);
  const text = `the cluster's ${wire.label} is away: ${state.why}; calls go on, and what processes tell each other waits`;
  observer.log("warn", "gateway", text);
}
