// Whose the tasks of legacy backends are, where all processes can read it, and nobody else can.

import { GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import type { Sealer } from "../core/seal.ts";
import type { Wire } from "../core/wire.ts";
import type { Cluster } from "./cluster.ts";
import type { SharedOwners, TaskName } from "./task-owners.ts";
import { Turns } from "./turns.ts";

/** Who does not ask for a task for so long finds it only where it was made, or asked for. */
const keptMs = 86_400_000;
/** Tasks that a principal's listings ask for at once. */
const maxAsked = 64;
/** Listings are polled, and mostly of the same tasks: so long they believe that one is not somebody's. */
const foreignMs = 5_000;
const maxForeign = 10_000;

export class WireOwners implements SharedOwners {
  readonly #wire: Pick<Wire, "read" | "write">;
  readonly #sealer: Sealer;
  readonly #cluster: Pick<Cluster, "isSplit">;
  readonly #listing = new Turns();
  /** Until when a task is believed not to be somebody's, Unix ms; the first ends first. */
  readonly #foreign = new Map<string, number>();

  constructor(wire: Pick<Wire, "read" | "write">, sealer: Sealer, cluster: Pick<Cluster, "isSplit">) {
    this.#wire = wire;
    this.#sealer = sealer;
    this.#cluster = cluster;
  }

  async note(backend: string, id: string, principal: string): Promise<void> {
    const [name] = this.#names(backend, id, principal);
    if (name !== undefined) await this.#wire.write(name, { is: "1" }, keptMs).catch(() => {});
  }

  async has(backend: string, id: string, principal: string): Promise<boolean> {
    const names = this.#names(backend, id, principal);
    const readings = await Promise.allSettled(names.map((name) => this.#wire.read(name)));
    let failure: PromiseRejectedResult | undefined;
    for (const reading of readings)
      if (reading.status === "rejected") failure ??= reading;
      else if (Object.keys(reading.value).length > 0) return true;
    if (!failure) return false;
    const text = `the other processes of the gateway cannot be asked whose task ${JSON.stringify(id)} is`;
    throw new GatewayError("ownerUnknown", text, { backend, cause: failure.reason });
  }

  async hasEach(
    tasks: readonly TaskName[],
    principal: string,
    scope: Scope,
  ): Promise<readonly (boolean | undefined)[]> {
    const answers = tasks.map((): boolean | undefined => undefined);
    const rest = tasks.entries();
    using reading = new Scope(scope);
    const read = async (): Promise<void> => {
      for (const [at, task] of rest) {
        if (reading.cancelled) return;
        answers[at] = await this.#hasLately(task, principal);
      }
    };
    const readAll = (): Promise<unknown> => Promise.all(Array.from({ length: maxAsked }, read));
    // Where one fails the others would too, each after seconds.
    await this.#listing.take(principal, reading, readAll).catch((error: unknown) => reading.cancel(error));
    return answers;
  }

  async #hasLately({ backend, id }: TaskName, principal: string): Promise<boolean> {
    const key = JSON.stringify([principal, backend, id]);
    if ((this.#foreign.get(key) ?? 0) > Date.now()) return false;
    const isOwn = await this.has(backend, id, principal);
    if (!isOwn) this.#believe(key, Date.now());
    return isOwn;
  }

  /** What finds no place is asked again: to drop the oldest for it would drop all, as listings go through them in turn. */
  #believe(key: string, now: number): void {
    for (const [known, until] of this.#foreign) {
      if (until > now) break;
      this.#foreign.delete(known);
    }
    if (this.#foreign.size < maxForeign) this.#foreign.set(key, now + foreignMs);
  }

  /** By each key. A child of another process gives its own tasks the same ids: nothing is said of those. */
  #names(backend: string, id: string, principal: string): readonly string[] {
    if (this.#cluster.isSplit(backend)) return [];
    return this.#sealer.signs("task owner", JSON.stringify([principal, backend, id])).map((sign) => `task:${sign}`);
  }
}
