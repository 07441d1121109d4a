// The straight way on one connection: the head whose requests may go there, and the one that is on it.

import { KnownHead } from "../backend/http1-known.ts";
import type { HeadMemory } from "../backend/http1.ts";
import type { Lane, LaneCall, LaneClient } from "./exchange.ts";
import type { RequestHead } from "./request-head.ts";

export class Track {
  #known: KnownHead<RequestHead> | undefined;
  #lane: Lane | undefined;
  #call: LaneCall | undefined;

  /** A request went straight, and has no answer yet. */
  get isBusy(): boolean {
    return this.#call !== undefined;
  }

  /** Requests with this head may go straight from here on. */
  lay(memory: HeadMemory<RequestHead>, head: RequestHead | undefined, lane: () => Lane): void {
    const { known } = memory;
    // What is not known any more is not the head of the request that is being answered.
    if (!known || known.head !== head || head.isOld || !head.keepAlive) return;
    if (this.#known?.head === head && this.#lane?.isLive) return;
    this.#known = KnownHead.of(known.block, head);
    this.#lane = lane();
  }

  /** Takes a whole request that may go straight; false where it has to be read like any other. */
  take(client: LaneClient, bytes: Uint8Array): boolean {
    const known = this.#known;
    const start = known ? known.match(bytes) : 0;
    if (!known || start === 0 || start + known.length !== bytes.length) return false;
    this.#call = this.#lane?.take(client, bytes, start);
    return this.#call !== undefined;
  }

  /** The request was answered, or is read like any other now. */
  leave(): void {
    this.#call = undefined;
  }

  divert(): void {
    this.#call?.divert();
  }
}
