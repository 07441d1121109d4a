// States of modern backends, sealed for the principal who was given them: to the backend all principals are the gateway.

import { type Envelope, scan, spanText, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Sealer } from "../core/seal.ts";
import { decodeText, encodeJson } from "../core/text.ts";
import { findField, valueAt } from "../protocol/fields.ts";
import { type Claim, refusedClaim } from "./parked.ts";

const purpose = "backendState";

interface Held extends Claim {
  /** The backend's own. */
  readonly state: string;
  /** The process that has the part of the backend that understands it; absent where any part does. */
  readonly node?: string;
}

export class OwnStates {
  readonly #sealer: Sealer;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** A backend's reply; where it asks for input, with its state under seal. */
  sealed(reply: Uint8Array, claimOf: () => Claim, node?: string): Uint8Array {
    // Most replies are results, and may be large: a search is cheaper than a scan.
    if (!Buffer.from(reply.buffer, reply.byteOffset, reply.length).includes('"input_required"')) return reply;
    const scanned = scan(reply);
    if (scanned.kind !== "message") return reply;
    const { spans } = scanned.envelope;
    if (!spans.result || spanText(scanned.envelope, "result.resultType") !== "input_required") return reply;
    const span = findField(reply, spans.result, "requestState");
    const state = span && valueAt(reply, span);
    if (!span || typeof state !== "string") return reply;
    const held: Held = { ...claimOf(), state, ...(node === undefined ? {} : { node }) };
    return splice(reply, [{ span, bytes: encodeJson(this.#sealer.seal(purpose, encodeJson(held))) }]);
  }

  /** The process that a sealed state has to be brought to; undefined where that is any, or it is none of these. */
  nodeOf(state: string): string | undefined {
    const sealed = this.#sealer.open(purpose, state);
    if (!sealed) return undefined;
    const { node }: Held = JSON.parse(decodeText(sealed));
    return node;
  }

  /** A request with the backend's own state in the place of what {@link sealed} made of it; throws `stateRefused`. */
  opened(request: Envelope, claimOf: () => Claim): Envelope {
    const span = request.spans["params.requestState"];
    if (!span) return request;
    const sealed = this.#sealer.open(purpose, spanText(request, "params.requestState") ?? "");
    if (!sealed) throw new GatewayError("stateRefused", "requestState is none that this gateway gave");
    const held: Held = JSON.parse(decodeText(sealed));
    const wrong = refusedClaim(held, claimOf());
    if (wrong) throw wrong;
    const scanned = scan(splice(request.bytes, [{ span, bytes: encodeJson(held.state) }]));
    if (scanned.kind === "message") return scanned.envelope;
    throw new GatewayError("internal", "a message of the gateway's own is none");
  }
}
