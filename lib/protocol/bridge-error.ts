// Errors between the eras: the codes that changed, and URL elicitation, which was an error and is a request for input.

import { type Edit, type Envelope, spanValue, splice } from "../core/envelope.ts";
import { asRecord, encodeText } from "../core/text.ts";
import { changeEdits, elementsOf, entry, findPath, valueAt, wholeOf } from "./fields.ts";
import type { InputRequest } from "./modern-input.ts";

const legacyNotFound = -32002;
const urlElicitation = -32042;
const invalidParams = -32602;
const internal = -32603;
/** The modern era keeps these for itself (2026-07-28, Base Protocol, "Error Codes"). */
const reserved = { most: -32020, least: -32099 } as const;

/** A legacy backend's error for a modern client. */
export function modernErrorEdits(reply: Envelope): readonly Edit[] {
  const code = codeOf(reply);
  if (code === legacyNotFound) return codeEdits(reply, invalidParams);
  // Whatever a legacy server means by such a code, a modern client would read something else into it.
  const isReserved = code !== undefined && code <= reserved.most && code >= reserved.least;
  return isReserved ? codeEdits(reply, internal) : [];
}

/** A modern backend's error for a legacy client: a resource that is not there had a code of its own. */
export function legacyErrorEdits(reply: Envelope, method: string): readonly Edit[] {
  if (method !== "resources/read" || codeOf(reply) !== invalidParams) return [];
  // Other params can be wrong too; only a resource that is not there is named.
  const { data } = asRecord(spanValue(reply, "error"));
  return typeof asRecord(data)["uri"] === "string" ? codeEdits(reply, legacyNotFound) : [];
}

/**
 * The requests for input that a legacy backend's error -32042 stands for: the client opens each URL and sends its
 * request again. Undefined for any other error, and where it names no URL.
 */
export function readUrlElicitations(reply: Envelope): readonly InputRequest[] | undefined {
  if (codeOf(reply) !== urlElicitation) return undefined;
  const { bytes, spans } = reply;
  const list = spans.error && findPath(bytes, spans.error, ["data", "elicitations"]);
  const requests = (list ? elementsOf(bytes, list) : []).flatMap((span, index): InputRequest[] => {
    const { url, message } = asRecord(valueAt(bytes, span));
    if (typeof url !== "string" || typeof message !== "string") return [];
    const raw = bytes.subarray(span.start, span.end);
    const change = { drop: ["elicitationId"], set: [entry("mode", "url")] };
    const params = splice(raw, changeEdits(raw, wholeOf(raw), change));
    return [{ key: `url-${index + 1}`, method: "elicitation/create", params }];
  });
  return requests.length > 0 ? requests : undefined;
}

function codeOf(reply: Envelope): number | undefined {
  const code = reply.spans.error && spanValue(reply, "error.code");
  return typeof code === "number" ? code : undefined;
}

function codeEdits(reply: Envelope, code: number): readonly Edit[] {
  const span = reply.spans["error.code"];
  return span ? [{ span, bytes: encodeText(String(code)) }] : [];
}
