// A line of the log for each request of a client that is over, or for each that failed.

import type { Flight } from "./core/flight.ts";
import type { RequestMeter } from "./core/meter.ts";
import type { Observer } from "./core/observer.ts";

export class RequestLog implements RequestMeter {
  readonly #observer: Observer;
  readonly #isAll: boolean;

  constructor(observer: Observer, isAll: boolean) {
    this.#observer = observer;
    this.#isAll = isAll;
  }

  ended(flight: Flight, fault: string): void {
    if (!this.#isAll && fault === "") return;
    const now = performance.now();
    const ms = now - flight.begunAt;
    const backendMs = flight.outMs(now);
    const { method, backend, id, principal, error, trace } = flight;
    // Addresses may hold credentials behind their path.
    const name = flight.name.replace(/[?#].*$/s, "").slice(0, 200);
    const what = name === "" ? method : `${method} ${name}`;
    const how = fault === "" ? "was answered" : `failed (${fault})`;
    const fields = {
      id,
      principal,
      method,
      ...(name === "" ? {} : { tool: name }),
      ...(backend === "" ? {} : { backend }),
      class: fault === "" ? "ok" : fault,
      ms: round(ms),
      ...(backendMs === undefined ? {} : { backendMs: round(backendMs), overheadMs: round(ms - backendMs) }),
      ...(trace ? { trace_id: trace.traceId, span_id: trace.spanId } : {}),
    };
    const level = fault === "" ? "info" : "warn";
    this.#observer.log(level, "request", `${what} ${how} in ${round(ms)} ms: ${id} of ${principal}`, { fields, error });
  }
}

/** To the microsecond. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
