// A straight call whose answer is read like any other: who hears of its head, and of how it has ended.

import type { Asker, Carrier, HttpReply } from "./exchange.ts";
import type { InFlight } from "./flight.ts";
import type { StreamEnd } from "./resume.ts";

/** Who reads the answers of straight calls. */
export interface LandingPlace extends Carrier {
  /** There is an answer; `end` hears when all of it was read. */
  landed(flight: InFlight, reply: HttpReply, end: StreamEnd): void;
}

export class Landing implements Asker, StreamEnd {
  readonly #place: LandingPlace;
  readonly #flight: InFlight;

  constructor(place: LandingPlace, flight: InFlight) {
    this.#place = place;
    this.#flight = flight;
  }

  replied(reply: HttpReply): void {
    this.#place.landed(this.#flight, reply, this);
  }

  over(): void {
    this.#flight.owner.sent(this.#flight, "ended");
  }

  failed(reason: unknown): void {
    this.#place.failed(this.#flight, reason);
  }
}
