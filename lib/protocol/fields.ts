// Members of a JSON object in bytes: where they are, and the edits that add, replace or remove them in place.

import type { Edit } from "../core/envelope.ts";
import { JsonReader, openBrace, type Span } from "../core/json.ts";
import { decodeText, encodeJson, encodeText, joinBytes } from "../core/text.ts";

/** A member with its name resolved; offsets are into the whole message. */
export interface Field {
  readonly name: string;
  /** Where the name begins, at its quote. */
  readonly start: number;
  readonly value: Span;
}

/** A member to write: its name, and its value as JSON. */
export type Entry = readonly [name: string, value: Uint8Array];

/** What to do with the members of one object. A name in `set` replaces every member of that name. */
export interface Change {
  readonly drop?: readonly string[];
  readonly set?: readonly Entry[];
  /** The same for the object in its `_meta`, which is made, or removed when it empties, as needed. */
  readonly meta?: Change;
}

const comma = encodeText(",");
const colon = encodeText(":");
const openBracket = 0x5b;

export function entry(name: string, value: unknown): Entry {
  return [name, encodeJson(value)];
}

/** The members of the object at `object`, in order; none where the value is no object. The bytes must be valid JSON. */
export function fieldsOf(bytes: Uint8Array, object: Span): readonly Field[] {
  if (bytes[object.start] !== openBrace) return [];
  const reader = new JsonReader(bytes, Infinity);
  const fields: Field[] = [];
  reader.members(object.start, 0, (key, keyEnd, value) => {
    const end = reader.value(value, 0);
    fields.push({ name: nameAt(bytes, key, keyEnd), start: key - 1, value: { start: value, end } });
    return end;
  });
  return fields;
}

/** The elements of the array at `array`; none where the value is no array. The bytes must be valid JSON. */
export function elementsOf(bytes: Uint8Array, array: Span): readonly Span[] {
  if (bytes[array.start] !== openBracket) return [];
  const reader = new JsonReader(bytes, Infinity);
  const elements: Span[] = [];
  reader.elements(array.start, 0, (start) => {
    const end = reader.value(start, 0);
    elements.push({ start, end });
    return end;
  });
  return elements;
}

/** The value of a member; of duplicate names the last one counts. */
export function findField(bytes: Uint8Array, object: Span, name: string): Span | undefined {
  return fieldsOf(bytes, object).findLast((field) => field.name === name)?.value;
}

/** The value at the end of a path of names. */
export function findPath(bytes: Uint8Array, object: Span, path: readonly string[]): Span | undefined {
  let at: Span | undefined = object;
  for (const name of path) at = at && findField(bytes, at, name);
  return at;
}

export function isObjectAt(bytes: Uint8Array, value: Span): boolean {
  return bytes[value.start] === openBrace;
}

/** The span of a message that is one JSON value. */
export function wholeOf(bytes: Uint8Array): Span {
  return { start: new JsonReader(bytes, Infinity).blank(0), end: bytes.length };
}

/** The value, parsed. */
export function valueAt(bytes: Uint8Array, span: Span): unknown {
  return JSON.parse(decodeText(bytes.subarray(span.start, span.end)));
}

/** `{…}` of members, in order. */
export function objectOf(entries: readonly Entry[]): Uint8Array {
  return joinBytes([encodeText("{"), membersOf(entries), encodeText("}")]);
}

/**
 * The edits that change the object at `object`. What is added comes first in it, so that removing it again leaves the
 * bytes as they were. They do not overlap with edits of values that the change leaves alone.
 */
export function changeEdits(bytes: Uint8Array, object: Span, change: Change): readonly Edit[] {
  const fields = fieldsOf(bytes, object);
  const added = [...(change.set ?? [])];
  const dropped = new Set([...(change.drop ?? []), ...added.map(([name]) => name)]);
  const inner = change.meta ? metaEdits(bytes, fields, change.meta, added, dropped) : [];
  const kept = fields.find(({ name }) => !dropped.has(name));
  const edits: Edit[] = [];
  if (added.length > 0) {
    // At the first kept name, and not at the brace: white space must stay where it was.
    const at = kept?.start ?? object.start + 1;
    const text = kept ? joinBytes([membersOf(added), comma]) : membersOf(added);
    edits.push({ span: { start: at, end: at }, bytes: text });
  }
  return [...edits, ...dropEdits(fields, dropped), ...inner];
}

/** Adds to `added` and `dropped` what concerns `_meta` as a whole; returns the edits inside it. */
function metaEdits(
  bytes: Uint8Array,
  fields: readonly Field[],
  change: Change,
  added: Entry[],
  dropped: Set<string>,
): readonly Edit[] {
  const meta = fields.findLast(({ name }) => name === "_meta")?.value;
  const set = change.set ?? [];
  if (!meta || !isObjectAt(bytes, meta)) {
    if (set.length === 0) return [];
    dropped.add("_meta");
    added.push(["_meta", objectOf(set)]);
    return [];
  }
  const names = fieldsOf(bytes, meta).map(({ name }) => name);
  const gone = names.filter((name) => change.drop?.includes(name) === true);
  if (set.length > 0 || gone.length < names.length) return changeEdits(bytes, meta, change);
  if (gone.length > 0) dropped.add("_meta");
  return [];
}

/** Each removed member takes one comma with it: the one before it, or the one behind it where nothing kept is before. */
function dropEdits(fields: readonly Field[], dropped: ReadonlySet<string>): readonly Edit[] {
  const edits: Edit[] = [];
  const nothing = new Uint8Array();
  let hasKept = false;
  for (const [index, { name, start, value }] of fields.entries()) {
    const before = fields[index - 1];
    if (!dropped.has(name)) hasKept = true;
    else if (hasKept && before) edits.push({ span: { start: before.value.end, end: value.end }, bytes: nothing });
    else edits.push({ span: { start, end: fields[index + 1]?.start ?? value.end }, bytes: nothing });
  }
  return edits;
}

/** Members with commas between them, in order. */
export function membersOf(entries: readonly Entry[]): Uint8Array {
  return joinBytes(
    entries.flatMap(([name, value], index) => [...(index > 0 ? [comma] : []), encodeJson(name), colon, value]),
  );
}

/** The name between two quotes, escapes resolved. */
function nameAt(bytes: Uint8Array, start: number, end: number): string {
  const text = decodeText(bytes.subarray(start, end));
  return text.includes("\\") ? String(JSON.parse(`"${text}"`)) : text;
}
