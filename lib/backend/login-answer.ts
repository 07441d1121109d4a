// What a client is told that calls a backend to which nobody has signed in: where to do it, in the way that it understands.

import { randomUUID } from "node:crypto";
import { type Envelope, spanBytes } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { resultMessage } from "../core/rpc.ts";
import { encodeJson } from "../core/text.ts";
import { mayNeedInput } from "../protocol/modern.ts";
import { inputRequiredResult, lackedCapability } from "../protocol/modern-input.ts";
import type { Caller } from "./caller.ts";

const needed = { elicitation: { url: {} } };

/** A reply that asks to open the page; throws the failure where it is another, or the client does not open pages. */
export function askToLogin(error: GatewayError, request: Envelope, { era, capabilities = {} }: Caller): Uint8Array {
  const url = error.data["login"];
  if (error.code !== "loginRequired" || typeof url !== "string" || lackedCapability(capabilities, needed)) throw error;
  const { backend = "", message } = error;
  if (era !== "modern") {
    // 2025-11-25, Elicitation, "URL Elicitation Required Error".
    const elicitations = [{ mode: "url", elicitationId: randomUUID(), url, message }];
    throw new GatewayError("urlRequired", message, { backend, cause: error, data: { ...error.data, elicitations } });
  }
  const id = spanBytes(request, "id");
  // Whoever was asked before, and calls again without a login, is told so and not asked for ever.
  if (!id || !mayNeedInput(request.method ?? "") || request.spans["params.inputResponses"]) throw error;
  const params = encodeJson({ mode: "url", message, url });
  return resultMessage(id, inputRequiredResult([{ key: "login", method: "elicitation/create", params }], undefined));
}
