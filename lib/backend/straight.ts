// The straight way of a call: its request leaves in the turn in which it came, and so does its answer; what is unusual goes the long way.

import type { InFlight, StraightCall } from "./flight.ts";

/** One call leaves on it at once. */
export interface StraightWay {
  carry(flight: InFlight, call: StraightCall): void;
}
