// A client's call as it goes out on a link: under the link's own id, in the words of the server's era.

import type { Edit, Envelope } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { ServerFacts } from "../protocol/codec.ts";
import type { Caller, SignListener } from "./caller.ts";
import { crossingOf } from "./crossing.ts";
import type { Outgoing } from "./flight.ts";
import { copied, renamed } from "./rewrite.ts";

export interface Departure {
  readonly message: Uint8Array;
  readonly call: Outgoing;
}

export interface Leaving {
  readonly request: Envelope;
  readonly edits: readonly Edit[];
  readonly caller: Caller;
  readonly signs: SignListener | undefined;
  /** Of the server; undefined before the handshake. */
  readonly facts: ServerFacts | undefined;
}

/** An error where it has no id, or the server's era has no words for it. */
export function departing(
  { request, edits, caller, signs, facts }: Leaving,
  upstream: number,
): Departure | GatewayError {
  const id = copied(request, "id");
  if (!id) return new GatewayError("internal", "a call needs an id");
  const token = copied(request, "params._meta.progressToken");
  const crossing = caller.era && crossingOf(request, caller, facts);
  const augmented = !crossing && request.spans["params.task"] !== undefined;
  if (crossing instanceof GatewayError) return crossing;
  const message = renamed(request, upstream, crossing ? [...edits, ...crossing.edits] : edits);
  const { method = "" } = request;
  return { message, call: { id, method, bytes: message.length, token, caller, signs, augmented, crossing } };
}
