// What can be seen of a message without understanding it: kind, id, method, name, and how it ended.

import { type Envelope, scan, spanBytes, spanText, spanValue, toLine } from "../core/envelope.ts";
import { asRecord, decodeText } from "../core/text.ts";

export interface Glimpse {
  readonly type: "request" | "notification" | "response" | "malformed";
  /** As JSON. */
  readonly id?: string;
  readonly method?: string;
  /** Name or URI that it is about. */
  readonly name?: string;
  /** Of an answer: `failed` where the protocol says no, `error` where a tool does. */
  readonly outcome?: "ok" | "error" | "failed";
  /** The message on one line. */
  readonly text: string;
}

/** Larger answers are not looked into to see whether a tool failed. */
const maxLooked = 2 ** 20;

/** Each message of a body; nothing for none. */
export function glimpse(bytes: Uint8Array): readonly Glimpse[] {
  if (bytes.length === 0) return [];
  const scanned = scan(bytes);
  switch (scanned.kind) {
    case "message":
      return [of(scanned.envelope)];
    case "batch":
      return scanned.items.flatMap(({ start, end }) => glimpse(bytes.subarray(start, end)));
    case "malformed":
      return [{ type: "malformed", text: decodeText(bytes).replaceAll(/\s*\n\s*/g, " ") }];
  }
}

function of(envelope: Envelope): Glimpse {
  const { kind: type, method, bytes } = envelope;
  const id = spanBytes(envelope, "id");
  const name = spanText(envelope, "params.name") ?? spanText(envelope, "params.uri");
  return {
    type,
    ...(id ? { id: decodeText(id) } : {}),
    ...(method === undefined ? {} : { method }),
    ...(name === undefined ? {} : { name }),
    ...(type === "response" ? { outcome: outcomeOf(envelope) } : {}),
    text: decodeText(toLine(bytes)).trim(),
  };
}

function outcomeOf(envelope: Envelope): "ok" | "error" | "failed" {
  if (envelope.spans.error) return "failed";
  if (envelope.bytes.length > maxLooked) return "ok";
  return asRecord(spanValue(envelope, "result"))["isError"] === true ? "error" : "ok";
}
