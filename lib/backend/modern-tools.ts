// What a modern server's tools ask of their calls: headers from arguments, and a wrap for results that legacy clients refuse.

import { type Envelope, spanText, splice } from "../core/envelope.ts";
import { scanListing } from "../core/listing.ts";
import { decodeText, encodeText, joinBytes } from "../core/text.ts";
import { headersOf as readHeaders, legacyTool } from "../protocol/bridge-tools.ts";
import { findField, valueAt, wholeOf } from "../protocol/fields.ts";
import type { Header } from "../protocol/modern-headers.ts";
import { type ParamHeader, paramHeaders } from "../protocol/modern-params.ts";

/** Names come from servers. */
const maxTools = 100_000;

export class ModernTools {
  readonly #warn: (what: string) => void;
  readonly #params = new Map<string, readonly ParamHeader[]>();
  readonly #wrapped = new Set<string>();
  readonly #warned = new Set<string>();

  constructor(warn: (what: string) => void) {
    this.#warn = warn;
  }

  /** Whether results of a tool are wrapped as its output schema was. */
  wraps(name: string | undefined): boolean {
    return name !== undefined && this.#wrapped.has(name);
  }

  /** The `Mcp-Param-*` headers of a tools/call. */
  headersOf(request: Envelope): readonly Header[] {
    const params = this.#params.get(spanText(request, "params.name") ?? "");
    return params ? paramHeaders(params, request) : [];
  }

  /** Takes note of the tools in a tools/list reply, and gives it without those that nobody can call. */
  read(reply: Uint8Array): Uint8Array {
    const listing = scanListing(reply, "tools", "name");
    const [first] = listing?.items ?? [];
    const last = listing?.items.at(-1);
    if (!listing || !first || !last) return reply;
    const kept: Uint8Array[] = [];
    let isChanged = false;
    for (const { item } of listing.items) {
      const raw = reply.subarray(item.start, item.end);
      if (!this.#readTool(raw)) isChanged = true;
      else kept.push(...(kept.length > 0 ? [encodeText(","), raw] : [raw]));
    }
    if (!isChanged) return reply;
    return splice(reply, [{ span: { start: first.item.start, end: last.item.end }, bytes: joinBytes(kept) }]);
  }

  /** False for one that nobody can call (2026-07-28, Streamable HTTP, "Schema Extension"). */
  #readTool(raw: Uint8Array): boolean {
    const named = findField(raw, wholeOf(raw), "name");
    const name = String(named && valueAt(raw, named));
    if (this.#params.size >= maxTools) this.#params.clear();
    this.#params.delete(name);
    const headers = readHeaders(raw);
    if (headers?.kind === "invalid") {
      this.#refuse(name, headers.reason);
      return false;
    }
    if (headers) this.#params.set(name, headers.params);
    if (legacyTool(raw).wraps) this.#wrapped.add(name);
    else this.#wrapped.delete(name);
    return true;
  }

  #refuse(name: string, reason: string): void {
    const what = `the tool ${JSON.stringify(name)} was left out: ${reason}`;
    if (this.#warned.has(what) || this.#warned.size >= maxTools) return;
    this.#warned.add(what);
    this.#warn(what);
  }
}

/** The cursor of the next page of a tools/list reply. */
export function nextToolsCursor(reply: Uint8Array): string | undefined {
  const span = scanListing(reply, "tools", "name")?.nextCursor;
  const value: unknown = span && JSON.parse(decodeText(reply.subarray(span.start, span.end)));
  return typeof value === "string" ? value : undefined;
}
