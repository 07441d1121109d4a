// Begins to record requests of clients, where somebody does, or notes their traces: under the trace of the client, where it sent one.

import { type Envelope, spanKey } from "../core/envelope.ts";
import { Flight } from "../core/flight.ts";
import { contextOf } from "../core/trace.ts";
import { readContext } from "../protocol/trace-context.ts";
import type { Hub } from "./hub.ts";
import type { Port } from "./outlet.ts";
import type { SessionFacts } from "./session.ts";

/** In `00-<trace id>-…`. */
const idAt = 3;
const idChars = 32;

/** The record of a request that says itself who sends it. */
export function flightOf(
  request: Envelope,
  facts: Pick<SessionFacts, "version" | "principal">,
  port: Port,
  hub: Hub,
): Flight {
  const flight = new Flight(spanKey(request, "id"));
  flight.method = request.method ?? "";
  flight.principal = facts.principal;
  flight.requestBytes = request.bytes.length;
  trace(hub, request, flight, port, facts);
  return flight;
}

/** What is in the message is the client's own; a header may be that of a proxy on the way. */
export function trace(
  { tracer, flights }: Hub,
  request: Envelope,
  flight: Flight,
  port: Port,
  { version, key = "" }: Pick<SessionFacts, "version"> & { readonly key?: string },
): void {
  if (!tracer && !flights.listener) return;
  const context = readContext(request) ?? contextOf((name) => port.header?.(name));
  if (context) flight.traceId = context.traceparent.slice(idAt, idAt + idChars);
  flight.trace = tracer?.begin(context, { method: request.method ?? "", version, session: key });
}
