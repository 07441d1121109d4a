// How many things somebody may have under way at the same time; one more is refused at once.

import type { GatewayError } from "../core/errors.ts";

export class Slots {
  most: number;
  readonly #refusal: (who: string, most: number) => GatewayError;
  readonly #taken = new Map<string, { count: number }>();

  constructor(most: number, refusal: (who: string, most: number) => GatewayError) {
    this.most = most;
    this.#refusal = refusal;
  }

  allows(key: string): boolean {
    return (this.#taken.get(key)?.count ?? 0) < this.most;
  }

  /** Throws where there is no room for one more. `who`: for the message. */
  require(key: string, who: string): void {
    if (!this.allows(key)) throw this.#refusal(who, this.most);
  }

  take(key: string): void {
    const taken = this.#taken.get(key);
    if (taken) taken.count += 1;
    else this.#taken.set(key, { count: 1 });
  }

  give(key: string): void {
    const taken = this.#taken.get(key);
    if (taken && taken.count > 1) taken.count -= 1;
    else this.#taken.delete(key);
  }
}
