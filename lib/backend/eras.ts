// The era, and where it is not the usual one the transport, that each replica of a backend was found to speak: remembered
// for a while.

import type { ReplicaPlan } from "../config/plan.ts";
import type { Era } from "../protocol/codec.ts";

/** A server that learns the newer era while it runs is asked again after this time. */
const expiryMs = 600_000;

interface Finding {
  readonly era: Era;
  /** It is of the first revision's transport. */
  readonly isSse: boolean;
  readonly until: number;
}

export class Eras {
  readonly #found = new Map<ReplicaPlan, Finding>();

  /** Undefined where it is not known, or was found too long ago. */
  of(replica: ReplicaPlan): Era | undefined {
    return this.#finding(replica)?.era;
  }

  /** True where it was found to speak HTTP+SSE. */
  isSse(replica: ReplicaPlan): boolean {
    return this.#finding(replica)?.isSse === true;
  }

  note(replica: ReplicaPlan, era: Era, isSse: boolean = false): void {
    this.#found.set(replica, { era, isSse, until: Date.now() + expiryMs });
  }

  /** What was found turned out to be wrong, or may be. */
  forget(replica: ReplicaPlan): void {
    this.#found.delete(replica);
  }

  #finding(replica: ReplicaPlan): Finding | undefined {
    const found = this.#found.get(replica);
    return found && found.until > Date.now() ? found : undefined;
  }
}
