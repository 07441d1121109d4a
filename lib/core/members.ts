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
  "params._meta",
  "params._meta.progressToken",
  "result",
  "result._meta",
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
  readonly fields: readonly Field[];
  /** Names of everything inside it, at any depth. */
  readonly inner: readonly SpanName[];
}

const fieldsBelow = (prefix: string): Field[] =>
  spanNames
    .filter((name) => name.startsWith(prefix) && !name.includes(".", prefix.length))
    .map((name) => ({
      name,
      key: name.slice(prefix.length),
      fields: fieldsBelow(`${name}.`),
      inner: spanNames.filter((other) => other.startsWith(`${name}.`)),
    }));

const messageFields: readonly Field[] = fieldsBelow("");

/** Walks the object at `start`, noting where its known members are; returns the offset after it, or a failure. */
export function scanMessage(reader: JsonReader, start: number, spans: Spans): number {
  return scanFields(reader, start, 0, messageFields, spans);
}

// Recursion goes no deeper than the table of names.
function scanFields(reader: JsonReader, start: number, depth: number, fields: readonly Field[], spans: Spans): number {
  return reader.members(start, depth, (key, keyEnd, value) => {
    const field = findField(reader, fields, key, keyEnd);
    if (field === undefined) return reader.value(value, depth + 1);
    // Of duplicate keys the last one counts, and so do only its members.
    if (spans[field.name] !== undefined) for (const name of field.inner) delete spans[name];
    const nested = field.fields.length > 0 && reader.bytes[value] === openBrace;
    const end = nested ? scanFields(reader, value, depth + 1, field.fields, spans) : reader.value(value, depth + 1);
    spans[field.name] = { start: value, end };
    return end;
  });
}

function findField(reader: JsonReader, fields: readonly Field[], key: number, keyEnd: number): Field | undefined {
  for (const field of fields) if (reader.reads(key, keyEnd, field.key)) return field;
  return undefined;
}
