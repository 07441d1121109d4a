// Messages that a link writes from parts of others.

import { type Envelope, spanBytes, type SpanName, splice } from "../core/envelope.ts";
import { notificationMessage } from "../core/rpc.ts";
import { asRecord, decodeText, encodeText, joinBytes } from "../core/text.ts";
import { ClientCancel } from "./caller.ts";

/** A member's raw bytes, copied: a view would keep the whole message for as long as a call, an ask or a task goes on. */
export function copied(envelope: Envelope, name: SpanName): Uint8Array | undefined {
  const bytes = spanBytes(envelope, name);
  // Not slice(): that of a Buffer is a view.
  return bytes && new Uint8Array(bytes);
}

/** Takes a call back under its upstream id: the client's own notice where there is one, so that nothing in it is lost. */
export function cancelNotice(upstream: number, reason: unknown): Uint8Array {
  const notice = reason instanceof ClientCancel ? reason.notice : undefined;
  const span = notice?.spans["params.requestId"];
  if (notice && span) return splice(notice.bytes, [{ span, bytes: encodeText(String(upstream)) }]);
  const why = reason instanceof Error ? reason.message : String(reason);
  return notificationMessage("notifications/cancelled", { requestId: upstream, reason: why });
}

/** An error reply that came without an id, with the caller's. */
export function withId(envelope: Envelope, id: Uint8Array): Uint8Array {
  const error = spanBytes(envelope, "error") ?? encodeText("null");
  return joinBytes([encodeText('{"jsonrpc":"2.0","id":'), id, encodeText(',"error":'), error, encodeText("}")]);
}

/** Whether JSON that is no message was meant as a request, which deserves an answer. */
export function isMalformedRequest(bytes: Uint8Array): boolean {
  return asRecord(JSON.parse(decodeText(bytes)))["method"] !== undefined;
}
