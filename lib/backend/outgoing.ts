// A client's call as it goes out on a link: under the link's own id, in the words of the server's era.

import type { Edit, Envelope } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { contextOf, type TraceContext } from "../core/trace.ts";
import type { ServerFacts } from "../protocol/codec.ts";
import { contextHeaders, readContext, withContext } from "../protocol/trace-context.ts";
import type { Caller, SignListener } from "./caller.ts";
import { crossingOf } from "./crossing.ts";
import type { Outgoing } from "./flight.ts";
import { copied, renamed } from "./rewrite.ts";
import { localName } from "./traits.ts";

export interface Departure {
  readonly message: Uint8Array;
  readonly call: Outgoing;
}

export interface Leaving {
  readonly backend: string;
  readonly request: Envelope;
  readonly edits: readonly Edit[];
  readonly caller: Caller;
  readonly signs: SignListener | undefined;
  /** Of the server; undefined before the handshake. */
  readonly facts: ServerFacts | undefined;
}

/** An error where it has no id, or the server's era has no words for it. */
export function departing(
  { backend, request, edits, caller, signs, facts }: Leaving,
  upstream: number,
): Departure | GatewayError {
  const id = copied(request, "id");
  if (!id) return new GatewayError("internal", "a call needs an id");
  const token = copied(request, "params._meta.progressToken");
  const crossing = caller.era && crossingOf(request, caller, facts);
  const augmented = !crossing && request.spans["params.task"] !== undefined;
  if (crossing instanceof GatewayError) return crossing;
  const plain = renamed(request, upstream, crossing ? [...edits, ...crossing.edits] : edits);
  const { method = "" } = request;
  const span = caller.flight?.trace?.attempt(backend, method, localName(request, edits));
  const context = span?.context ?? carried(request, caller);
  const message = context ? withContext(plain, context) : plain;
  const headers = context && contextHeaders(context);
  const bytes = message.length;
  return { message, call: { id, method, bytes, token, caller, signs, augmented, crossing, span, headers } };
}

/** What a client says in headers alone goes on in the message: not every wire has headers. */
function carried(request: Envelope, caller: Caller): TraceContext | undefined {
  const context = caller.header?.("traceparent") === undefined ? undefined : contextOf((name) => caller.header?.(name));
  return context && !readContext(request) ? context : undefined;
}
