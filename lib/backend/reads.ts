// resources/read through the cache of its backend: who gets whose answer, and for how long it holds.

import { type Edit, type Envelope, scan, spanBytes, spanText, spanValue, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";
import { decodeText, encodeNumber } from "../core/text.ts";
import { changeEdits, fieldsOf, findField } from "../protocol/fields.ts";
import { cacheHints, cacheOf } from "../protocol/modern-cache.ts";
import type { Cache, Keep } from "../resilience/cache.ts";
import type { Caller } from "./caller.ts";

/** What may be in the parameters of a read that can be answered for somebody else. */
const plain: ReadonlySet<string> = new Set(["uri", "_meta"]);

export interface Read {
  readonly request: Envelope;
  readonly edits: readonly Edit[];
  readonly caller: Caller;
  readonly owner: string;
  readonly scope: Scope;
  /** The server says how long its answers hold, and the client does not know of that. */
  readonly isTranslated: boolean;
}

/** The answer to a read under the id of its request; `ask` gets it from the backend. */
export async function readThrough(
  cache: Cache,
  { request, edits, caller, owner, scope, isTranslated }: Read,
  ask: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const uri = plainUri(request, edits);
  if (uri === undefined) return isTranslated ? withoutHints(await ask()) : await ask();
  // Each era has its own form of an answer.
  const keys = { own: `${caller.principal ?? ""} ${owner}`, shared: `${caller.era ?? "legacy"} ${uri}` };
  // An answer that is an error is none that is kept; a failure to get one is not, either.
  const { answer, leftMs } = await scope.race(cache.read(keys, ask, keepOf));
  const id = spanBytes(request, "id");
  if (!id) throw new GatewayError("internal", "a call needs an id");
  return restored(isTranslated ? withoutHints(answer) : answer, id, leftMs);
}

/** A resource changed: neither it nor what is a part of it, or has it as a part, holds any more. */
export function dropReads(cache: Cache, uri: string): void {
  cache.drop((shared) => {
    const known = shared.slice(shared.indexOf(" ") + 1);
    return known.startsWith(uri) || uri.startsWith(known);
  });
}

function plainUri(request: Envelope, edits: readonly Edit[]): string | undefined {
  const { params, "params.uri": span } = request.spans;
  if (!params || !span || !fieldsOf(request.bytes, params).every(({ name }) => plain.has(name))) return undefined;
  const edit = edits.find((each) => each.span.start === span.start);
  if (!edit) return spanText(request, "params.uri");
  const local: unknown = JSON.parse(decodeText(edit.bytes));
  return typeof local === "string" ? local : undefined;
}

function keepOf(answer: Uint8Array): Keep {
  const scanned = scan(answer);
  const result = scanned.kind === "message" && scanned.envelope.spans.result;
  if (!result) return { ttlMs: 0, isPublic: false };
  const { ttlMs, cacheScope } = cacheOf(spanValue(scanned.envelope, "result"));
  return { ttlMs, isPublic: cacheScope === "public" };
}

/** Under another id, and with what is left of its time. */
function restored(answer: Uint8Array, id: Uint8Array, leftMs: number | undefined): Uint8Array {
  const scanned = scan(answer);
  if (scanned.kind !== "message") return answer;
  const { spans } = scanned.envelope;
  const edits: Edit[] = spans.id ? [{ span: spans.id, bytes: id }] : [];
  const ttl = leftMs === undefined || !spans.result ? undefined : findField(answer, spans.result, "ttlMs");
  if (ttl) edits.push({ span: ttl, bytes: encodeNumber(Math.floor(leftMs ?? 0)) });
  return splice(
    answer,
    edits.toSorted((a, b) => a.span.start - b.span.start),
  );
}

function withoutHints(answer: Uint8Array): Uint8Array {
  const scanned = scan(answer);
  const result = scanned.kind === "message" ? scanned.envelope.spans.result : undefined;
  return result ? splice(answer, changeEdits(answer, result, { drop: cacheHints })) : answer;
}
