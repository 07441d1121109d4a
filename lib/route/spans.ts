// What of a request it is routed by, and what comes in its place.

import { type Edit, type Envelope, spanText, type SpanName } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { encodeJson } from "../core/text.ts";

/** What a balancer adds to a request that it has sent to another process before; see deploy/nginx.conf. */
export const repeatedHeader = "mcpctl-repeated";

/** The text of a parameter without which a call cannot be routed. */
export function required(request: Envelope, span: SpanName): string {
  const text = spanText(request, span);
  if (text === undefined)
    throw new GatewayError("invalidParams", `${request.method ?? "the request"} needs a string in ${span}`);
  return text;
}

export function replaced(request: Envelope, name: SpanName, exposed: string, local: string): readonly Edit[] {
  const span = request.spans[name];
  return span && exposed !== local ? [{ span, bytes: encodeJson(local) }] : [];
}
