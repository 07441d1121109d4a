// Begins to record requests of clients, where somebody does: under the trace of the client, where it sent one.

import { type Envelope, spanKey } from "../core/envelope.ts";
import { Flight } from "../core/flight.ts";
import { contextOf, type Tracer } from "../core/trace.ts";
import { readContext } from "../protocol/trace-context.ts";
import type { Port } from "./outlet.ts";
import type { SessionFacts } from "./session.ts";

/** The record of a request that says itself who sends it. */
export function flightOf(
  request: Envelope,
  facts: Pick<SessionFacts, "version" | "principal">,
  port: Port,
  tracer: Tracer | undefined,
): Flight {
  const flight = new Flight(spanKey(request, "id"));
  flight.method = request.method ?? "";
  flight.principal = facts.principal;
  if (tracer) trace(tracer, request, flight, port, facts);
  return flight;
}

/** What is in the message is the client's own; a header may be that of a proxy on the way. */
export function trace(
  tracer: Tracer,
  request: Envelope,
  flight: Flight,
  port: Port,
  { version, key = "" }: Pick<SessionFacts, "version"> & { readonly key?: string },
): void {
  const context = readContext(request) ?? contextOf((name) => port.header?.(name));
  flight.trace = tracer.begin(context, { method: request.method ?? "", version, session: key });
}
