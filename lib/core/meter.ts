// Who counts: told of each request of a client that is over, and of each attempt at a backend. Absent where nobody counts.

import type { Flight } from "./flight.ts";

export interface RequestMeter {
  /** A request is over. `fault`: empty where it was answered well, else what OpenTelemetry calls `error.type`. */
  ended(flight: Flight, fault: string): void;
}

/** Bytes of messages, as those who count see them. */
export class Traffic {
  received = 0;
  sent = 0;
}

/** Of one backend. */
export interface SendMeter {
  readonly traffic: Traffic;
  /** A request that was sent to it has its answer, or none. */
  attempted(method: string, tookMs: number, fault: string): void;
}
