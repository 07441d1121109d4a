// The call of a modern client on a legacy link: the request without what is modern, and the reply as modern servers write it.

import type { Edit, Envelope } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { errorMessage, resultMessage } from "../core/rpc.ts";
import { decodeText } from "../core/text.ts";
import { modernErrorEdits, readUrlElicitations } from "../protocol/bridge-error.ts";
import { legacyRequestEdits, modernResultEdits } from "../protocol/bridge.ts";
import type { ServerFacts } from "../protocol/codec.ts";
import { inputRequiredResult, lackedCapability, neededCapability, readInputRetry } from "../protocol/modern-input.ts";
import { missingCapability } from "../protocol/modern-request.ts";
import type { Caller } from "./caller.ts";
import { underId } from "./rewrite.ts";

export interface Crossing {
  /** Of the request. */
  readonly edits: readonly Edit[];
  /** The server's reply, under the client's id. */
  reply(reply: Envelope, id: Uint8Array): Uint8Array;
}

/** Undefined where client and server speak the same era, or the transport translates; an error for a call that is refused. */
export function crossingOf(
  request: Envelope,
  caller: Caller,
  facts: ServerFacts | undefined,
): Crossing | GatewayError | undefined {
  if (caller.era !== "modern" || !facts || facts.modern) return undefined;
  const { method = "" } = request;
  // A state of the gateway's own was taken out before; a legacy server gives none.
  if (request.spans["params.requestState"])
    return new GatewayError("stateRefused", "requestState is none that this gateway gave");
  const retry = request.spans["params.inputResponses"] && readInputRetry(request);
  if (retry instanceof GatewayError) return retry;
  return {
    edits: legacyRequestEdits(request),
    reply: (reply, id) =>
      reply.spans.error
        ? refusal(reply, id, caller)
        : underId(reply, id, false, modernResultEdits(reply, method, { serverInfo: facts.serverInfo })),
  };
}

/** A URL that the user must visit first was an error in the legacy era. */
function refusal(reply: Envelope, id: Uint8Array, { capabilities = {} }: Caller): Uint8Array {
  const requests = readUrlElicitations(reply);
  if (!requests) return underId(reply, id, false, modernErrorEdits(reply));
  for (const { method, params } of requests) {
    const lacked = lackedCapability(capabilities, neededCapability(method, params && JSON.parse(decodeText(params))));
    if (lacked) return errorMessage(id, missingCapability(lacked, "the call"));
  }
  // Nothing is kept for the retry: it is the same call once more.
  return resultMessage(id, inputRequiredResult(requests, undefined));
}
