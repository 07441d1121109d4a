// What the gateway adds to a reply of a backend.

import { scan, splice } from "../core/envelope.ts";
import { changeEdits, entry } from "../protocol/fields.ts";

/** The result with how many attempts it took; an error reply stays as it is. */
export function withAttempts(reply: Uint8Array, attempts: number): Uint8Array {
  const scanned = scan(reply);
  const result = scanned.kind === "message" ? scanned.envelope.spans.result : undefined;
  if (!result) return reply;
  return splice(reply, changeEdits(reply, result, { meta: { set: [entry("mcpctl/attempts", attempts)] } }));
}
