// The messages of a batch: nothing of it is handed on unless all of it can be.

import { type Envelope, scan, type Scanned, type ScanLimits } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { allowsBatch, legacyCodec } from "../protocol/legacy.ts";
import type { HttpReply } from "./exchange.ts";
import { malformed } from "./reply.ts";

const maxBatch = 1000;

/** Its messages, or the answer to one that holds something else. */
export function openBatch(
  body: Uint8Array,
  { items }: Extract<Scanned, { kind: "batch" }>,
  version: string,
  limits: ScanLimits,
): readonly Envelope[] | HttpReply {
  if (!allowsBatch(version)) throw new GatewayError("invalidRequest", `batches are not part of revision ${version}`);
  if (items.length === 0) throw new GatewayError("invalidRequest", "the batch is empty");
  if (items.length > maxBatch) throw new GatewayError("invalidRequest", `the batch has more than ${maxBatch} messages`);
  const envelopes: Envelope[] = [];
  for (const { start, end } of items) {
    const scanned = scan(body.subarray(start, end), limits);
    if (scanned.kind === "malformed") return malformed(scanned);
    if (scanned.kind === "batch") throw new GatewayError("invalidRequest", "a batch holds messages and no batches");
    // 2025-03-26, Lifecycle, "Initialization".
    if (scanned.envelope.method === legacyCodec.openMethod) {
      throw new GatewayError("invalidRequest", `${legacyCodec.openMethod} cannot be a part of a batch`);
    }
    envelopes.push(scanned.envelope);
  }
  return envelopes;
}
