// Text and bytes: the one encoder and decoder, and JSON in bytes.

const encoder = new TextEncoder();
// A leading U+FEFF is a part of a value like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** A part of `bytes` with one character for each. */
export function latin1Of(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.prototype.toString.call(bytes, "latin1", start, end);
}

/** Up to this size the engine keeps the bytes of an array in its own heap, which is cheaper to make than a buffer. */
const maxInlineBytes = 1000;

/** An array of its own to be filled, which is mostly read whole: a view of a small one would move it out of the heap. */
export function allocate(size: number): Uint8Array {
  return size <= maxInlineBytes ? new Uint8Array(size) : Buffer.allocUnsafeSlow(size);
}

/** Copies a part of `bytes` without the view that `set` needs, which costs more than the copy. */
export function copyBytes(bytes: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  Buffer.prototype.copy.call(bytes, target, at, start, end);
}

/** A copy of a part of `bytes`, which may be used again. */
export function cut(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const part = allocate(end - start);
  copyBytes(bytes, start, end, part, 0);
  return part;
}

/** Up to this many bytes a loop is faster than a native copy. */
const looped = 48;

/** Copies a part of `bytes`; returns where it ends in `target`. */
export function copyPart(bytes: Uint8Array, start: number, end: number, target: Uint8Array, to: number): number {
  const length = end - start;
  if (length <= looped) for (let at = 0; at < length; at += 1) target[to + at] = bytes[start + at] ?? 0;
  else copyBytes(bytes, start, end, target, to);
  return to + length;
}

/** Writes ASCII text; returns where it ends. */
export function putAscii(text: string, target: Uint8Array, start: number): number {
  for (let at = 0; at < text.length; at += 1) target[start + at] = text.charCodeAt(at);
  return start + text.length;
}

/** ASCII text in bytes of its own. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = allocate(text.length);
  putAscii(text, bytes, 0);
  return bytes;
}

/** How many digits a whole number has. */
export function digitsOf(value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits += 1;
  return digits;
}

/** Writes the digits of a whole number; returns where they end. */
export function putNumber(value: number, target: Uint8Array, at: number): number {
  const end = at + digitsOf(value);
  let rest = value;
  for (let place = end - 1; place >= at; place -= 1) {
    const left = Math.floor(rest / 10);
    target[place] = 0x30 + (rest - left * 10);
    rest = left;
  }
  return end;
}

/** The digits of a whole number. */
export function encodeNumber(value: number): Uint8Array {
  return asciiBytes(String(value));
}

/** A JSON value as a plain object, or an empty one where it is something else. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Where these bytes come from `from` on; -1 for nowhere. Without an object around the others: it would cost more. */
export function find(bytes: Uint8Array, key: Buffer, from: number): number {
  return Buffer.prototype.indexOf.call(bytes, key, from);
}
