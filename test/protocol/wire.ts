// Messages for the tests of the protocol layer: written, scanned, edited and read again.
import assert from "node:assert/strict";
import { type Edit, type Envelope, scan, splice } from "../../lib/core/envelope.ts";
import { encodeJson } from "../../lib/core/text.ts";
import { metaKeys } from "../../lib/protocol/modern-meta.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export const bytesOf = (text: string): Uint8Array => encoder.encode(text);
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);
export const valueOf = (bytes: Uint8Array): unknown => JSON.parse(textOf(bytes));

/** The envelope of a message that is given as bytes, as text or as a value. */
export function envelope(message: Uint8Array | string | object): Envelope {
  const bytes =
    message instanceof Uint8Array ? message : typeof message === "string" ? bytesOf(message) : encodeJson(message);
  const scanned = scan(bytes);
  assert.equal(scanned.kind, "message", textOf(bytes));
  assert(scanned.kind === "message");
  return scanned.envelope;
}

/** The envelope of the message after the edits. */
export const edited = (message: Envelope, edits: readonly Edit[]): Envelope => envelope(splice(message.bytes, edits));

export const request = (method: string, params?: object): Envelope =>
  envelope({ jsonrpc: "2.0", id: 1, method, ...(params === undefined ? {} : { params }) });

export const notification = (method: string, params?: object): Envelope =>
  envelope({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) });

export const reply = (result: object): Envelope => envelope({ jsonrpc: "2.0", id: 1, result });

export const failure = (code: number, data?: unknown): Envelope =>
  envelope({ jsonrpc: "2.0", id: 1, error: { code, message: "no", ...(data === undefined ? {} : { data }) } });

export const modernVersion = "2026-07-28";

export const validMeta: Readonly<Record<string, unknown>> = {
  [metaKeys.protocolVersion]: modernVersion,
  [metaKeys.clientInfo]: { name: "tester", version: "1" },
  [metaKeys.clientCapabilities]: {},
};
