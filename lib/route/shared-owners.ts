// Whose the tasks of legacy backends are, where all processes can read it, and nobody else can.

import type { Sealer } from "../core/seal.ts";
import type { Wire } from "../core/wire.ts";
import type { Cluster } from "./cluster.ts";
import type { SharedOwners } from "./task-owners.ts";

/** Who does not ask for a task for so long finds it only where it was made, or asked for. */
const keptMs = 86_400_000;

export class WireOwners implements SharedOwners {
  readonly #wire: Wire;
  readonly #sealer: Sealer;
  readonly #cluster: Pick<Cluster, "isSplit">;

  constructor(wire: Wire, sealer: Sealer, cluster: Pick<Cluster, "isSplit">) {
    this.#wire = wire;
    this.#sealer = sealer;
    this.#cluster = cluster;
  }

  async note(backend: string, id: string, principal: string): Promise<void> {
    const [name] = this.#names(backend, id, principal);
    if (name !== undefined) await this.#wire.write(name, { is: "1" }, keptMs).catch(() => {});
  }

  /** False where nobody can tell. */
  async has(backend: string, id: string, principal: string): Promise<boolean> {
    const reading = this.#names(backend, id, principal).map((name) => this.#wire.read(name).catch(() => ({})));
    return (await Promise.all(reading)).some((fields) => Object.keys(fields).length > 0);
  }

  /** By each key. A child of another process gives its own tasks the same ids: nothing is said of those. */
  #names(backend: string, id: string, principal: string): readonly string[] {
    if (this.#cluster.isSplit(backend)) return [];
    return this.#sealer.signs("task owner", JSON.stringify([principal, backend, id])).map((sign) => `task:${sign}`);
  }
}
