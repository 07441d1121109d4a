// The line before each chunk of a body: its size, and extensions that are bounded and ignored.
import type { Violation } from "./http1-lines.ts";

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
/** Size digits and extensions of one chunk: more than any server needs, and no room for a flood. */
const MAX_LINE_BYTES = 1024;
const MAX_DIGITS = 16;
/** Of a size that needs no care. */
const SHORT_DIGITS = 6;
const notHex = { bad: "a chunk's size is not a hexadecimal number" } as const;

export interface ChunkLine {
  size: number;
  digits: number;
  bytes: number;
  part: "size" | "blank" | "extension" | "cr";
}

export function newChunkLine(): ChunkLine {
  return { size: 0, digits: 0, bytes: 0, part: "size" };
}

/** Advances over one byte of the line: "end" at its LF, "more", or what is wrong. */
export function stepChunkLine(line: ChunkLine, byte: number): "end" | "more" | { readonly bad: Violation } {
  line.bytes++;
  if (line.bytes > MAX_LINE_BYTES) return { bad: "the line of a chunk's size is too long" };
  switch (line.part) {
    case "cr":
      return byte === LF ? "end" : { bad: "a chunk's size is not followed by CRLF" };
    case "extension":
      if (byte === CR) line.part = "cr";
      else if (!isFieldByte(byte)) return { bad: "a chunk extension holds a control character" };
      return "more";
    case "blank":
      if (byte === SEMICOLON) line.part = "extension";
      else if (!isBlank(byte)) return notHex;
      return "more";
    case "size":
      return stepSize(line, byte);
  }
}

/**
 * Where the data of the chunk at `at` lies, if all of it has come, its size has few digits and no extension follows; a
 * chunk that is the last one, or wrong, is left to {@link stepChunkLine}.
 */
export function wholeChunk(
  bytes: Uint8Array,
  at: number,
): { readonly start: number; readonly end: number } | undefined {
  let size = 0;
  let pos = at;
  for (let digit = hexDigit(bytes[pos] ?? 0); digit >= 0; digit = hexDigit(bytes[pos] ?? 0)) {
    size = size * 16 + digit;
    pos += 1;
    if (pos - at > SHORT_DIGITS) return undefined;
  }
  const start = pos + 2;
  const end = start + size;
  const isWhole = size > 0 && bytes[pos] === CR && bytes[pos + 1] === LF && bytes[end] === CR && bytes[end + 1] === LF;
  return isWhole ? { start, end } : undefined;
}

function stepSize(line: ChunkLine, byte: number): "more" | { readonly bad: Violation } {
  const digit = hexDigit(byte);
  if (digit >= 0) {
    line.digits++;
    line.size = line.size * 16 + digit;
    const tooLarge = line.digits > MAX_DIGITS || !Number.isSafeInteger(line.size);
    return tooLarge ? { bad: "a chunk's size is too large" } : "more";
  }
  if (line.digits === 0) return notHex;
  if (byte === CR) line.part = "cr";
  else if (byte === SEMICOLON) line.part = "extension";
  else if (isBlank(byte)) line.part = "blank";
  else return notHex;
  return "more";
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9;
}

function isFieldByte(byte: number): boolean {
  return byte === 9 || (byte >= 32 && byte !== 127);
}
