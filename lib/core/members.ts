// The members of a JSON-RPC message that the gateway looks at, and the walk that notes where they are.
import { type JsonReader, openBrace, type Span } from "./json.ts";

/** Every member that is looked for, by its path; parents come before their children. */
const spanNames = [
  "jsonrpc",
  "id",
  "method",
  "params",
  "params.name",
  "params.uri",
  "params.cursor",
  "params.level",
  "params.requestId",
  "params.progressToken",
  "params.taskId",
  "params.task",
  "params.elicitationId",
  "params.mode",
  "params.ref",
  "params.ref.type",
  "params.ref.name",
  "params.ref.uri",
  "params.notifications",
  "params.inputResponses",
  "params.requestState",
  "params._meta",
  "params._meta.progressToken",
  "result",
  "result._meta",
  "result.resultType",
  "result.taskId",
  "result.task",
  "result.task.taskId",
  "error",
  "error.code",
] as const;

export type SpanName = (typeof spanNames)[number];
export type Spans = Partial<Record<SpanName, Span>>;

/** A member to look for, and those inside it. */
interface Field {
  readonly name: SpanName;
  readonly key: string;
  /** Undefined where nothing inside it is looked for. */
  level: Level | undefined;
  /** Names of everything inside it, at any depth. */
  readonly inner: SpanName[];
}

/** The members of one object, found by the length and the first letter of their keys. */
interface Level {
  readonly fields: Field[];
  readonly index: (Field | undefined)[];
}

/** Keys of one level differ in this. */
const indexOf = (length: number, first: number): number => (length << 5) | (first & 31);

/** In one pass, with no closure called often enough to be compiled: that took a twentieth of the start, and 2 MiB. */
function levelOfMessage(): Level {
  const message: Level = { fields: [], index: [] };
  const known = new Map<string, Field>();
  for (const name of spanNames) {
    const dot = name.lastIndexOf(".");
    const field: Field = { name, key: name.slice(dot + 1), level: undefined, inner: [] };
    const outer = known.get(name.slice(0, Math.max(0, dot)));
    if (dot > 0 && !outer) throw new Error(`${name} stands before what it is in`);
    put(outer ? (outer.level ??= { fields: [], index: [] }) : message, field);
    known.set(name, field);
    for (let at = dot; at > 0; at = name.lastIndexOf(".", at - 1)) known.get(name.slice(0, at))?.inner.push(name);
  }
  return message;
}

function put({ fields, index }: Level, field: Field): void {
  const at = indexOf(field.key.length, field.key.charCodeAt(0));
  if (index[at]) throw new Error(`${field.name} and ${index[at].name} have one place in the index`);
  const { length } = index;
  if (length <= at) index.length = at + 1;
  index.fill(undefined, length);
  index[at] = field;
  fields.push(field);
}

const message: Level = levelOfMessage();

/** Walks the object at `start`, noting where its known members are; returns the offset after it, or a failure. */
export function scanMessage(reader: JsonReader, start: number, spans: Spans): number {
  return scanFields(reader, start, 0, message, spans);
}

// Recursion goes no deeper than the table of names.
function scanFields(reader: JsonReader, start: number, depth: number, level: Level, spans: Spans): number {
  return reader.members(start, depth, (key, keyEnd, value) => {
    const field = findField(reader, level, key, keyEnd);
    if (field === undefined) return reader.value(value, depth + 1);
    // Of duplicate keys the last one counts, and so do only its members.
    if (spans[field.name] !== undefined) for (const name of field.inner) delete spans[name];
    const inside = reader.bytes[value] === openBrace ? field.level : undefined;
    const end = inside ? scanFields(reader, value, depth + 1, inside, spans) : reader.value(value, depth + 1);
    spans[field.name] = { start: value, end };
    return end;
  });
}

function findField(reader: JsonReader, level: Level, key: number, keyEnd: number): Field | undefined {
  if (reader.escaped) return level.fields.find((field) => reader.reads(key, keyEnd, field.key));
  const field = level.index[indexOf(keyEnd - key, reader.bytes[key] ?? 0)];
  return field && reader.reads(key, keyEnd, field.key) ? field : undefined;
}
