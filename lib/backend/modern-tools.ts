// What a modern server's tools ask of their calls: headers from arguments, and a wrap for results that legacy clients refuse.

import { type Envelope, spanText, splice } from "../core/envelope.ts";
import { scanListing } from "../core/listing.ts";
import { decodeText, encodeText, joinBytes } from "../core/text.ts";
import { legacyTool } from "../protocol/bridge-tools.ts";
import { findField, valueAt, wholeOf } from "../protocol/fields.ts";
import type { Header } from "../protocol/modern-headers.ts";
import { type ParamHeader, paramHeaders, readParamHeaders } from "../protocol/modern-params.ts";

/** Names come from servers. */
const maxTools = 100_000;

const annotation = encodeText('"x-mcp-header"');

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

  /** Takes note of the tools in a tools/list reply, and gives it as legacy clients take it. */
  read(reply: Uint8Array): Uint8Array {
    const listing = scanListing(reply, "tools", "name");
    const [first] = listing?.items ?? [];
    const last = listing?.items.at(-1);
    if (!listing || !first || !last) return reply;
    const kept: Uint8Array[] = [];
    let isChanged = false;
    for (const { item } of listing.items) {
      const raw = reply.subarray(item.start, item.end);
      const tool = this.#readTool(raw);
      if (tool !== raw) isChanged = true;
      if (tool) kept.push(...(kept.length > 0 ? [encodeText(","), tool] : [tool]));
    }
    if (!isChanged) return reply;
    return splice(reply, [{ span: { start: first.item.start, end: last.item.end }, bytes: joinBytes(kept) }]);
  }

  /** The tool for legacy clients; undefined for one that nobody can call (2026-07-28, Streamable HTTP, "Schema Extension"). */
  #readTool(raw: Uint8Array): Uint8Array | undefined {
    const whole = wholeOf(raw);
    const named = findField(raw, whole, "name");
    const name = String(named && valueAt(raw, named));
    if (this.#params.size >= maxTools) this.#params.clear();
    this.#params.delete(name);
    if (Buffer.from(raw.buffer, raw.byteOffset, raw.length).includes(annotation)) {
      const input = findField(raw, whole, "inputSchema");
      const headers = readParamHeaders(input && valueAt(raw, input));
      if (headers.kind === "invalid") {
        this.#refuse(name, headers.reason);
        return undefined;
      }
      this.#params.set(name, headers.params);
    }
    const { bytes, wraps } = legacyTool(raw);
    if (wraps) this.#wrapped.add(name);
    else this.#wrapped.delete(name);
    return bytes;
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
