// Messages that a link writes from parts of others.

import { type Edit, type Envelope, spanBytes, type SpanName, splice } from "../core/envelope.ts";
import { replaceInPlace } from "../core/room.ts";
import { notificationMessage } from "../core/rpc.ts";
import { asRecord, decodeText, encodeNumber, encodeText, joinBytes } from "../core/text.ts";
import { ClientCancel } from "./caller.ts";

/** Of a message up to this size a view may be kept. */
const smallBytes = 2048;

/**
 * A member's raw bytes, copied where the message is large: a view would keep it for as long as a call, an ask or a task
 * goes on.
 */
export function copied(envelope: Envelope, name: SpanName): Uint8Array | undefined {
  const bytes = spanBytes(envelope, name);
  // Not slice(): that of a Buffer is a view.
  return bytes && envelope.bytes.length > smallBytes ? new Uint8Array(bytes) : bytes;
}

/** A request under its upstream id, which is its progress token too. */
export function renamed(request: Envelope, upstream: number, edits: readonly Edit[]): Uint8Array {
  const bytes = encodeNumber(upstream);
  const { id, "params._meta.progressToken": token } = request.spans;
  // In the order in which most clients write them, so that they need no sorting.
  const changes: Edit[] = id ? [{ span: id, bytes }, ...edits] : [...edits];
  if (token) changes.push({ span: token, bytes });
  return splice(request.bytes, changes);
}

/** Takes a call back under its upstream id: the client's own notice where there is one, so that nothing in it is lost. */
export function cancelNotice(upstream: number, reason: unknown): Uint8Array {
  const notice = reason instanceof ClientCancel ? reason.notice : undefined;
  const span = notice?.spans["params.requestId"];
  if (notice && span) return splice(notice.bytes, [{ span, bytes: encodeText(String(upstream)) }]);
  const why = reason instanceof Error ? reason.message : String(reason);
  return notificationMessage("notifications/cancelled", { requestId: upstream, reason: why });
}

/**
 * A reply under its caller's id, with `edits` to the rest of it. `isLast`: nobody looks at its bytes after this, so that
 * they need not be copied.
 */
export function underId(reply: Envelope, id: Uint8Array, isLast: boolean, edits: readonly Edit[] = []): Uint8Array {
  const span = reply.spans.id;
  if (!span) return withId(reply, id, edits);
  const inPlace = isLast && edits.length === 0 ? replaceInPlace(reply.bytes, span, id) : undefined;
  return inPlace ?? splice(reply.bytes, [{ span, bytes: id }, ...edits]);
}

/** An error reply that came without an id, with the caller's. */
function withId({ bytes, spans }: Envelope, id: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const at = spans.error?.start ?? 0;
  const moved = edits.map(({ span, bytes: given }) => ({
    span: { start: span.start - at, end: span.end - at },
    bytes: given,
  }));
  const error = spans.error ? splice(bytes.subarray(at, spans.error.end), moved) : encodeText("null");
  return joinBytes([encodeText('{"jsonrpc":"2.0","id":'), id, encodeText(',"error":'), error, encodeText("}")]);
}

/** Whether JSON that is no message was meant as a request, which deserves an answer. */
export function isMalformedRequest(bytes: Uint8Array): boolean {
  return asRecord(JSON.parse(decodeText(bytes)))["method"] !== undefined;
}
