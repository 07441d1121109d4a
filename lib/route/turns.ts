// Work on one thing at a time: over HTTP the earlier of two requests may arrive last.

import type { Scope } from "../core/scope.ts";

export class Turns {
  readonly #held = new Map<string, Promise<void>>();

  /** Does the work when nobody else is at it. */
  async take<Result>(key: string, scope: Scope, work: () => Promise<Result>): Promise<Result> {
    for (let other = this.#held.get(key); other; other = this.#held.get(key)) await scope.race(other);
    const done = work();
    this.hold(key, done);
    return await done;
  }

  /** Others wait until this has settled. */
  hold(key: string, work: Promise<unknown>): void {
    const settled = work.then(
      () => {},
      () => {},
    );
    this.#held.set(key, settled);
    void settled.then(() => this.#held.get(key) === settled && this.#held.delete(key));
  }
}
