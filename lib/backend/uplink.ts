// The links of one owner to a backend, one for each replica: which of them gets a call, and which one speaks for all.

import type { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";
import type { LinkOptions } from "./connect.ts";
import type { Link } from "./link.ts";
import type { Replica } from "./replica.ts";
import { bestOf, Strand, type StrandState } from "./strand.ts";

export type UplinkState = StrandState & { readonly replica: number };

export interface UplinkEvents {
  /** A link is up. `isLead`: it is the one that speaks for all from now on; `isBack`: the replica was away. */
  up(link: Link, replica: Replica, isLead: boolean, isBack: boolean): void;
  /** A replica went away, or an attempt to reach it failed; `failures` of them in a row. */
  down(error: GatewayError, failures: number, replica: Replica): void;
  /** A link that was up before speaks for all from now on. */
  leads(link: Link): void;
}

export class Uplink {
  readonly owner: string;
  readonly strands: readonly Strand[];
  readonly #events: UplinkEvents;
  readonly #isSticky: boolean;
  #lead: Strand;
  /** When the last link was lost, Unix ms; undefined while there is one, or never was. */
  #lostAt: number | undefined;
  #wasUp = false;
  /** Replicas that went away, or could not be reached. */
  readonly #away = new Set<Strand>();
  /** Where sessions with a legacy server are, whose state may be there alone. */
  readonly #places = new WeakMap<object, Strand>();

  /** Opens a link to every replica at once; with `only`, to that one until it fails. */
  constructor(options: LinkOptions, replicas: readonly Replica[], events: UplinkEvents, only?: Replica) {
    this.owner = options.owner;
    this.#events = events;
    // The operator says that it keeps no state.
    this.#isSticky = options.plan.isolation !== "shared";
    const strandEvents = {
      up: (strand: Strand, link: Link): void => this.#up(strand, link),
      down: (strand: Strand, error: GatewayError, failures: number): void => this.#down(strand, error, failures),
    };
    this.strands = replicas.map((replica) => new Strand(options, replica, strandEvents));
    const first = this.strands.find(({ replica }) => replica === only) ?? this.strands[0];
    if (!first) throw new Error(`backend "${options.plan.name}" has no replica`);
    this.#lead = first;
    for (const strand of only ? [first] : this.strands) strand.start();
  }

  /** The link that speaks for all: what belongs to no call goes there. */
  get link(): Link | undefined {
    return this.#lead.link;
  }

  get lead(): Strand {
    return this.#lead;
  }

  /** All live links. */
  get links(): readonly Link[] {
    return this.strands.flatMap(({ link }) => link ?? []);
  }

  get lostAt(): number | undefined {
    return this.#lostAt;
  }

  /** The best state of any replica, and whose that is. */
  get state(): UplinkState {
    const { strands } = this;
    const states = strands.map((strand): UplinkState => ({ ...strand.state, replica: strand.replica.index }));
    const lead = states[strands.indexOf(this.#lead)];
    if (lead?.kind === "up") return lead;
    return bestOf(states) ?? { kind: "connecting", since: Date.now(), replica: 0 };
  }

  /** Where the calls of a session go while they can. */
  placeOf(session: object): Strand | undefined {
    return this.#places.get(session);
  }

  place(session: object, strand: Strand): void {
    if (this.#isSticky) this.#places.set(session, strand);
  }

  /** True for a link whose wire is not gone. */
  holds(link: Link): boolean {
    return this.strands.some((strand) => strand.holds(link));
  }

  /** Any live link; waits for the attempts under way, and makes some where all replicas are down. */
  acquire(scope: Scope): Promise<Link> {
    const { link } = this;
    if (link) return Promise.resolve(link);
    const [up] = this.links;
    if (up) return Promise.resolve(up);
    if (this.strands.length === 1) return this.#lead.acquire(scope);
    return this.#first(scope);
  }

  /** The first replica that comes up; the failure of the lead where none does. */
  async #first(scope: Scope): Promise<Link> {
    const isComing = (strand: Strand): boolean => strand.isStarted && strand.state.kind !== "down";
    // Those that were not needed until now are not asked while another one may still come up.
    const coming = this.strands.filter(isComing);
    const asked = coming.length > 0 ? coming : this.strands;
    return await this.#any(asked, scope).catch((failure: unknown) => {
      // The failure of these was the start of the others.
      const others = this.strands.filter((strand) => !asked.includes(strand) && isComing(strand));
      if (others.length === 0 || scope.cancelled) throw failure;
      return this.#any(others, scope);
    });
  }

  async #any(strands: readonly Strand[], scope: Scope): Promise<Link> {
    const attempts = strands.map((strand) => strand.acquire(scope));
    try {
      return await Promise.any(attempts);
    } catch {
      return await (attempts[Math.max(0, strands.indexOf(this.#lead))] ?? this.#lead.acquire(scope));
    }
  }

  /** Looks for the replicas that are down, before their next attempts are due. */
  seek(): void {
    for (const strand of this.strands) if (!strand.link) strand.seek();
  }

  /** A message that concerns every replica. */
  send(message: Uint8Array): void {
    for (const link of this.links) link.send(message);
  }

  async verify(scope: Scope, timeoutMs?: number): Promise<void> {
    await Promise.all(this.strands.map((strand) => strand.verify(scope, timeoutMs)));
  }

  async close(): Promise<void> {
    await Promise.all(this.strands.map((strand) => strand.close()));
  }

  #up(strand: Strand, link: Link): void {
    this.#lostAt = undefined;
    this.#wasUp = true;
    if (!this.#lead.link) this.#lead = strand;
    this.#events.up(link, strand.replica, this.#lead === strand, this.#away.delete(strand));
    for (const other of this.strands) if (other !== strand) other.pulse.release(other.link);
  }

  #down(strand: Strand, error: GatewayError, failures: number): void {
    this.#away.add(strand);
    if (this.#wasUp && this.links.length === 0) this.#lostAt ??= Date.now();
    this.#events.down(error, failures, strand.replica);
    // The others may not have been needed until now.
    for (const other of this.strands) other.start();
    if (strand !== this.#lead) return;
    const next = this.strands.find(({ link }) => link);
    if (!next?.link) return;
    this.#lead = next;
    this.#events.leads(next.link);
  }
}
