// Replaces what patterns match in the texts of a JSON value, in time linear in its length; everything else stays as it was.

import type { RE2JS } from "re2js";
import { encodeText } from "../core/text.ts";

export type Mask = (json: string) => string;

const masked = "[masked]";
/** The strings of valid JSON, each with the colon that makes it a key. */
const strings = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/gs;

/** Its library takes a while to load; rejects for a pattern that it does not take. */
export async function loadMask(patterns: readonly string[]): Promise<Mask> {
  const { RE2JS } = await import("re2js");
  const all = patterns.map((pattern) => RE2JS.compile(pattern, RE2JS.DOTALL));
  return (json) =>
    json.replace(strings, (written, colon?: string) => (colon === undefined ? replace(written, all) : written));
}

function replace(written: string, patterns: readonly RE2JS[]): string {
  const text: unknown = JSON.parse(written);
  if (typeof text !== "string" || text === "") return written;
  const clean = patterns.reduce((left, pattern) => pattern.matcher(left).replaceAll(masked), text);
  return clean === text ? written : JSON.stringify(clean);
}

/** The same bytes where nothing is masked in them. */
export function maskBytes(bytes: Uint8Array, text: string, mask: Mask): Uint8Array {
  const clean = mask(text);
  return clean === text ? bytes : encodeText(clean);
}
