// The era that each replica of a backend was found to speak, remembered for a while.

import type { ReplicaPlan } from "../config/plan.ts";
import type { Era } from "../protocol/codec.ts";

/** A server that learns the newer era while it runs is asked again after this time. */
const expiryMs = 600_000;

interface Finding {
  readonly era: Era;
  readonly until: number;
}

export class Eras {
  readonly #found = new Map<ReplicaPlan, Finding>();

  /** Undefined where it is not known, or was found too long ago. */
  of(replica: ReplicaPlan): Era | undefined {
    const found = this.#found.get(replica);
    return found && found.until > Date.now() ? found.era : undefined;
  }

  note(replica: ReplicaPlan, era: Era): void {
    this.#found.set(replica, { era, until: Date.now() + expiryMs });
  }

  /** What was found turned out to be wrong, or may be. */
  forget(replica: ReplicaPlan): void {
    this.#found.delete(replica);
  }
}
