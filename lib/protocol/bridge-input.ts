// Requests for input between the eras: what a modern server asks for in a result, a legacy one asks for in a request.

import { type Edit, type Envelope, spanBytes, spanText, spanValue, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { asRecord, decodeText } from "../core/text.ts";
import { changeEdits, type Entry, entry, findField, objectOf, wholeOf } from "./fields.ts";
import type { InputRequest } from "./modern-input.ts";
import { paramsEdits } from "./modern-meta.ts";

/**
 * A modern server's request for input as a legacy server would send it. `id` is the raw id of the new request;
 * `elicitationId` names a URL elicitation, where the legacy era needs a name and the modern one has none.
 */
export function legacyAsk(request: InputRequest, id: Uint8Array, elicitationId: string): Uint8Array {
  const { method, params } = request;
  const members: Entry[] = [entry("jsonrpc", "2.0"), ["id", id], entry("method", method)];
  if (params) members.push(["params", named(method, params, elicitationId)]);
  return objectOf(members);
}

function named(method: string, params: Uint8Array, elicitationId: string): Uint8Array {
  const whole = wholeOf(params);
  const { mode } = method === "elicitation/create" ? asRecord(JSON.parse(decodeText(params))) : {};
  if (mode !== "url" || findField(params, whole, "elicitationId")) return params;
  return splice(params, changeEdits(params, whole, { set: [entry("elicitationId", elicitationId)] }));
}

/** What a legacy client's answer to such a request comes to. */
export type LegacyAnswer =
  /** The result, as `inputResponses` holds it; a copy. */
  | { readonly kind: "result"; readonly result: Uint8Array }
  /** The modern era cannot say that a client failed: the call ends with what the client said. */
  | { readonly kind: "refused"; readonly error: GatewayError };

/** Reads a legacy client's answer to a request of the method. */
export function readLegacyAnswer(reply: Envelope, method: string): LegacyAnswer {
  const result = spanBytes(reply, "result");
  if (result) return { kind: "result", result: new Uint8Array(result) };
  const { code, message } = asRecord(spanValue(reply, "error"));
  const said = typeof message === "string" ? message.slice(0, 500) : "no message";
  const error = new GatewayError("clientUnable", `the client refused ${method}: ${said}`, {
    data: { clientCode: code },
  });
  return { kind: "refused", error };
}

/**
 * A legacy server's request as a modern server would ask for it; undefined for one that the modern era cannot ask,
 * such as `ping`. What belongs to the request and not to the question is left out.
 */
export function modernAsk(request: Envelope, key: string): InputRequest | undefined {
  const { method } = request;
  if (method !== "elicitation/create" && method !== "sampling/createMessage" && method !== "roots/list")
    return undefined;
  const isUrl = method === "elicitation/create" && spanText(request, "params.mode") === "url";
  const edited = splice(request.bytes, askEdits(request, isUrl));
  const span = request.spans.params;
  if (!span) return { key, method, params: undefined };
  // Everything that was cut is in the params, so these begin where they did and end as far before the end.
  const end = edited.length - (request.bytes.length - span.end);
  return { key, method, params: new Uint8Array(edited.subarray(span.start, end)) };
}

function askEdits(request: Envelope, isUrl: boolean): readonly Edit[] {
  // 2025-11-25 has tasks of clients, and progress of what clients do; 2026-07-28 has neither.
  const drop = ["task", ...(isUrl ? ["elicitationId"] : [])];
  return paramsEdits(request, { drop, meta: { drop: ["progressToken"] } });
}

/** A modern client's response as the answer to a legacy server's request with this raw id. */
export function legacyAnswer(id: Uint8Array, result: Uint8Array): Uint8Array {
  return objectOf([entry("jsonrpc", "2.0"), ["id", id], ["result", result]]);
}
