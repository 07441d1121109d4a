// Finds the parts of a JSON-RPC message that routing needs, as byte spans, and replaces such parts; builds no objects.
import { isUtf8 } from "node:buffer";
import { GatewayError } from "./errors.ts";
import {
  backslash,
  decode,
  failAt,
  JsonReader,
  offsetOf,
  openBrace,
  openBracket,
  quote,
  startsNumber,
  tooDeep,
  type Span,
} from "./json.ts";
import { copyPart, latin1Of } from "./text.ts";
import { scanMessage, type SpanName, type Spans } from "./members.ts";

export type { Span, SpanName };

export type MessageKind = "request" | "notification" | "response";

/** A valid JSON-RPC message as it came, with the places of its known members. */
export interface Envelope {
  readonly bytes: Uint8Array;
  readonly kind: MessageKind;
  readonly method: string | undefined;
  readonly spans: Readonly<Spans>;
}

export type Scanned =
  | { readonly kind: "message"; readonly envelope: Envelope }
  /** A top-level array, with the spans of its elements. */
  | { readonly kind: "batch"; readonly items: readonly Span[] }
  | Malformed;

export interface Malformed {
  readonly kind: "malformed";
  /** `shape`: JSON, but not a JSON-RPC 2.0 message. */
  readonly reason: "utf8" | "json" | "depth" | "shape";
  readonly message: string;
  /** Raw bytes of the message's id where it has a valid one (`shape` only), for the error reply. */
  readonly id: Uint8Array | undefined;
}

export interface ScanLimits {
  /** How many arrays and objects may be open at once; 256 unless given. */
  readonly maxDepth?: number;
}

const defaultMaxDepth = 256;

/**
 * Checks one JSON-RPC message, or splits a batch, without parsing it into values. Accepts exactly what `JSON.parse`
 * accepts, within `limits`; of duplicate keys the last one counts.
 */
export function scan(bytes: Uint8Array, limits: ScanLimits = {}): Scanned {
  if (!isUtf8(bytes)) return malformed("utf8", "the message is not valid UTF-8");
  const maxDepth = limits.maxDepth ?? defaultMaxDepth;
  const reader = new JsonReader(bytes, maxDepth);
  const start = reader.blank(0);
  const spans: Spans = {};
  const items: Span[] = [];
  const first = bytes[start];
  const isArray = first === openBracket;
  let end = isArray
    ? scanBatch(reader, start, items)
    : first === openBrace
      ? scanMessage(reader, start, spans)
      : reader.value(start, 0);
  if (end >= 0) {
    end = reader.blank(end);
    if (end !== bytes.length) end = failAt(end);
  }
  if (end === tooDeep) return malformed("depth", `the message nests deeper than ${maxDepth} levels`);
  if (end < 0) return malformed("json", describeFailure(bytes, offsetOf(end)));
  if (isArray) return { kind: "batch", items };
  return first === openBrace ? judge(bytes, spans) : malformed("shape", "a message must be a JSON object");
}

/** Walks the array at `start`, noting the spans of its elements. */
function scanBatch(reader: JsonReader, start: number, items: Span[]): number {
  return reader.elements(start, 0, (element) => {
    const end = reader.value(element, 1);
    items.push({ start: element, end });
    return end;
  });
}

/** Decides what kind of message an object with these members is, or what is wrong with it. */
function judge(bytes: Uint8Array, spans: Spans): Scanned {
  const { jsonrpc, id, params, result } = spans;
  const typeOf = (span: Span | undefined): string => valueType(span === undefined ? undefined : bytes[span.start]);
  const idType = typeOf(id);
  const validId = id !== undefined && (idType === "string" || idType === "number");
  const wrong = (message: string): Malformed =>
    malformed("shape", message, validId ? bytes.subarray(id.start, id.end) : undefined);
  const accept = (kind: MessageKind, method?: string): Scanned => ({
    kind: "message",
    envelope: { bytes, kind, method, spans },
  });

  if (jsonrpc === undefined || !isVersion(bytes, jsonrpc)) return wrong('"jsonrpc" must be "2.0"');
  if (params !== undefined && typeOf(params) !== "object") return wrong('"params" must be an object');
  if (spans.method !== undefined) {
    const method = textAt(bytes, spans.method);
    if (method === undefined) return wrong('"method" must be a string');
    if (result !== undefined || spans.error !== undefined) {
      return wrong('a message has either "method" or one of "result" and "error"');
    }
    if (id === undefined) return accept("notification", method);
    return validId ? accept("request", method) : wrong('"id" of a request must be a string or a number');
  }
  if (result !== undefined) {
    if (spans.error !== undefined) return wrong('a response has one of "result" and "error", not both');
    if (typeOf(result) !== "object") return wrong('"result" must be an object');
    return validId ? accept("response") : wrong('"id" of a result must be a string or a number');
  }
  if (spans.error === undefined) return wrong('a message has "method", "result" or "error"');
  if (typeOf(spans.error) !== "object") return wrong('"error" must be an object');
  if (typeOf(spans["error.code"]) !== "number") return wrong('"error.code" must be a number');
  const noId = id === undefined || idType === "null";
  return validId || noId ? accept("response") : wrong('"id" of an error must be a string, a number or null');
}

/** Whether the value is "2.0"; without a decoder, since every message asks. */
function isVersion(bytes: Uint8Array, { start, end }: Span): boolean {
  if (end - start !== 5) return textAt(bytes, { start, end }) === "2.0";
  return bytes[start] === quote && bytes[start + 1] === 0x32 && bytes[start + 2] === 0x2e && bytes[start + 3] === 0x30;
}

/** The type of the value that starts with this byte. */
function valueType(first: number | undefined): "object" | "array" | "string" | "number" | "null" | "boolean" | "none" {
  if (first === undefined) return "none";
  if (first === openBrace) return "object";
  if (first === openBracket) return "array";
  if (first === quote) return "string";
  if (first === 0x6e) return "null";
  return startsNumber(first) ? "number" : "boolean";
}

function malformed(reason: Malformed["reason"], message: string, id?: Uint8Array): Malformed {
  return { kind: "malformed", reason, message, id };
}

function describeFailure(bytes: Uint8Array, offset: number): string {
  if (bytes.length === 0) return "the message is empty";
  return offset < bytes.length
    ? `not JSON: unexpected byte at offset ${offset}`
    : "not JSON: the message ends too early";
}

/** The string at `span`, escapes resolved; undefined where the value is not a string. */
function textAt(bytes: Uint8Array, span: Span): string | undefined {
  if (bytes[span.start] !== quote) return undefined;
  const plain = plainAt(bytes, span.start + 1, span.end - 1);
  if (plain !== undefined) return plain;
  const content = bytes.subarray(span.start + 1, span.end - 1);
  if (!content.includes(backslash)) return decode(content);
  const text: unknown = JSON.parse(decode(bytes.subarray(span.start, span.end)));
  return typeof text === "string" ? text : undefined;
}

/** Most names are short, and ASCII without escapes: those need neither a view nor a decoder. */
const maxPlain = 64;

function plainAt(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start > maxPlain) return undefined;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x80 || byte === backslash) return undefined;
  }
  return latin1Of(bytes, start, end);
}

/** The raw bytes of a member as one character each: equal for members that are written alike, and no others. */
export function spanKey({ bytes, spans }: Envelope, name: SpanName): string {
  const span = spans[name];
  return span ? latin1Of(bytes, span.start, span.end) : "";
}

/** The raw bytes of a member, not copied; undefined when the message has none. */
export function spanBytes(envelope: Envelope, name: SpanName): Uint8Array | undefined {
  const span = envelope.spans[name];
  return span && envelope.bytes.subarray(span.start, span.end);
}

/** The text of a string member; undefined when it is absent or not a string. */
export function spanText(envelope: Envelope, name: SpanName): string | undefined {
  const span = envelope.spans[name];
  return span && textAt(envelope.bytes, span);
}

/** A member that is a whole number of up to 15 digits, as itself or as text; undefined where it is something else. */
export function spanNumber({ bytes, spans }: Envelope, name: SpanName): number | undefined {
  const span = spans[name];
  if (!span) return undefined;
  const quoted = bytes[span.start] === quote ? 1 : 0;
  const end = span.end - quoted;
  let at = span.start + quoted;
  if (at === end || end - at > 15) return undefined;
  let value = 0;
  for (; at < end; at += 1) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

/** The value of a member; undefined when it is absent. */
export function spanValue(envelope: Envelope, name: SpanName): unknown {
  const raw = spanBytes(envelope, name);
  return raw && JSON.parse(decode(raw));
}

/** Bytes to put in the place of a span. */
export interface Edit {
  readonly span: Span;
  readonly bytes: Uint8Array;
}

/** A copy of `bytes` with each span replaced; edits may come in any order and must not overlap. */
export function splice(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const ordered = isOrdered(edits) ? edits : edits.toSorted((left, right) => left.span.start - right.span.start);
  let size = bytes.length;
  let end = 0;
  for (const { span, bytes: replacement } of ordered) {
    if (span.start < end || span.end < span.start || span.end > bytes.length) {
      throw new GatewayError("internal", `edit of bytes ${span.start} to ${span.end} overlaps another or the end`);
    }
    end = span.end;
    size += replacement.length - (span.end - span.start);
  }
  const result = Buffer.allocUnsafe(size);
  let from = 0;
  let to = 0;
  for (const { span, bytes: replacement } of ordered) {
    to = copyPart(bytes, from, span.start, result, to);
    to = copyPart(replacement, 0, replacement.length, result, to);
    from = span.end;
  }
  copyPart(bytes, from, bytes.length, result, to);
  return result;
}

function isOrdered(edits: readonly Edit[]): boolean {
  let end = 0;
  for (const { span } of edits) {
    if (span.start < end) return false;
    end = span.end;
  }
  return true;
}

/**
 * The message on one line, as stdio framing and an SSE data line need it. Valid JSON has CR and LF only between tokens,
 * where a space means the same. The same array when there is nothing to replace.
 */
export function toLine(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(0x0a) && !bytes.includes(0x0d)) return bytes;
  return bytes.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x20 : byte));
}
