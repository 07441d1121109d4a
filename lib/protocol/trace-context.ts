// The trace context of a message: in its `_meta` (2026-07-28, Base Protocol, "OpenTelemetry trace context"), in both eras.

import { type Edit, type Envelope, scan, splice } from "../core/envelope.ts";
import { contextOf, type TraceContext } from "../core/trace.ts";
import { type Entry, entry, findField, valueAt } from "./fields.ts";
import { paramsEdits } from "./modern-meta.ts";

const names = ["traceparent", "tracestate", "baggage"] as const;

/** Undefined where the message has none. */
export function readContext({ bytes, spans }: Envelope): TraceContext | undefined {
  const meta = spans["params._meta"];
  if (!meta) return undefined;
  return contextOf((name) => {
    const at = findField(bytes, meta, name);
    return at && valueAt(bytes, at);
  });
}

/** The message with this context, in the place of any that it has. */
export function withContext(message: Uint8Array, context: TraceContext): Uint8Array {
  const scanned = scan(message);
  if (scanned.kind !== "message") return message;
  const set = names.flatMap((name): Entry[] => {
    const value = context[name];
    return value === undefined ? [] : [entry(name, value)];
  });
  const edits: readonly Edit[] = paramsEdits(scanned.envelope, { meta: { drop: names, set } });
  return splice(message, edits);
}

/** The same for headers. */
export function contextHeaders(context: TraceContext): readonly (readonly [name: string, value: string])[] {
  const { traceparent, tracestate, baggage } = context;
  const headers: (readonly [name: string, value: string])[] = [["traceparent", traceparent]];
  if (tracestate !== undefined) headers.push(["tracestate", tracestate]);
  if (baggage !== undefined) headers.push(["baggage", baggage]);
  return headers;
}

/** The same as members of an object, without its braces; in ASCII, as all of it is. */
export function contextMembers({ traceparent, tracestate, baggage }: TraceContext): string {
  return (
    `"traceparent":"${traceparent}"` +
    (tracestate === undefined ? "" : `,"tracestate":${JSON.stringify(tracestate)}`) +
    (baggage === undefined ? "" : `,"baggage":${JSON.stringify(baggage)}`)
  );
}
