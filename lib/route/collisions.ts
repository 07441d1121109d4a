// Names that several backends have: told in the log when a listing is merged, and kept for whoever asks how things are.

import type { Observer } from "../core/observer.ts";
import type { ListingKind } from "../core/nouns.ts";
import type { Collision, Index } from "../merge/merged.ts";
import type { View } from "../merge/names.ts";

/** Beyond these the count says enough. */
const maxTold = 100;

export interface ToldCollision extends Collision {
  readonly kind: ListingKind;
}

export class Collisions {
  readonly #observer: Observer;
  /** Of the whole gateway, by kind, as it was merged last. */
  readonly #last = new Map<ListingKind, readonly Collision[]>();

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  merged(kind: ListingKind, { collisions }: Index, view: View): void {
    if (view.backend === "") this.#last.set(kind, collisions);
    const hidden = collisions.filter(({ exposed }) => exposed === undefined);
    if (hidden.length === 0) return;
    const names = hidden.slice(0, 5).map(({ backend, local, owner }) => `${local} of ${backend} (by ${owner})`);
    const text = `${hidden.length} ${kind} are hidden by others of the same name: ${names.join(", ")}`;
    this.#observer.log("warn", "gateway", text);
  }

  /** Those of the gateway's own endpoint, the first ones of many. */
  all(): readonly ToldCollision[] {
    return [...this.#last]
      .flatMap(([kind, collisions]) => collisions.map((collision) => ({ kind, ...collision })))
      .slice(0, maxTold);
  }
}
