// Tools between the eras: legacy clients take fewer JSON Schemas, and modern ones know nothing of `execution`.

import { type Edit, splice } from "../core/envelope.ts";
import type { Span } from "../core/json.ts";
import { encodeJson, encodeText } from "../core/text.ts";
import type { Era } from "./codec.ts";
import { type ParamHeaders, readParamHeaders } from "./modern-params.ts";
import {
  changeEdits,
  elementsOf,
  type Entry,
  entry,
  fieldsOf,
  findField,
  findPath,
  isObjectAt,
  objectOf,
  valueAt,
  wholeOf,
} from "./fields.ts";

/** A tool of a listing, as clients of one era take it. */
export interface BridgedTool {
  readonly bytes: Uint8Array;
  /** Its output schema was put into an object, so its structured content must be too. */
  readonly wraps: boolean;
}

/** A backend's tool as clients of an era see it in a listing; undefined where they could not call it. */
export function toolFor(client: Era, server: Era, tool: Uint8Array): Uint8Array | undefined {
  if (client === server) return tool;
  if (client === "legacy") return legacyTool(tool).bytes;
  return needsLegacyTask(tool) || headersOf(tool)?.kind === "invalid" ? undefined : modernTool(tool);
}

const annotation = encodeText('"x-mcp-header"');

/** Whether there may be an annotation anywhere in the bytes of one tool, or of many. */
export function mayHaveHeaders(tools: Uint8Array): boolean {
  return Buffer.from(tools.buffer, tools.byteOffset, tools.length).includes(annotation);
}

/** The headers that a call of a tool repeats its arguments in; undefined for most, which have none. */
export function headersOf(tool: Uint8Array): ParamHeaders | undefined {
  if (!mayHaveHeaders(tool)) return undefined;
  const input = findField(tool, wholeOf(tool), "inputSchema");
  return readParamHeaders(input && valueAt(tool, input));
}

/** A legacy backend's tool, as JSON, for modern clients. */
export function modernTool(tool: Uint8Array): Uint8Array {
  const edits = changeEdits(tool, wholeOf(tool), { drop: ["execution"] });
  return edits.length > 0 ? splice(tool, edits) : tool;
}

/** Whether a legacy backend runs a tool as a task only: the modern era cannot ask for those. */
export function needsLegacyTask(tool: Uint8Array): boolean {
  const span = findPath(tool, wholeOf(tool), ["execution", "taskSupport"]);
  return span !== undefined && valueAt(tool, span) === "required";
}

/** A modern backend's tool, as JSON, for legacy clients: 2025-11-25 wants objects, whose properties are objects again. */
export function legacyTool(tool: Uint8Array): BridgedTool {
  const whole = wholeOf(tool);
  const input = findField(tool, whole, "inputSchema");
  const output = findField(tool, whole, "outputSchema");
  const wraps = output !== undefined && needsWrap(tool, output);
  const edits = [
    ...(input ? propertyEdits(tool, input) : []),
    ...(output && !wraps ? propertyEdits(tool, output) : []),
    ...(wraps ? [{ span: output, bytes: wrapSchema(tool, output) }] : []),
  ];
  return { bytes: edits.length > 0 ? splice(tool, edits) : tool, wraps };
}

function needsWrap(tool: Uint8Array, schema: Span): boolean {
  const type = findField(tool, schema, "type");
  return !type || valueAt(tool, type) !== "object";
}

/** `true` and `false` are schemas too, but legacy clients refuse them. */
function propertyEdits(tool: Uint8Array, schema: Span): readonly Edit[] {
  const properties = findField(tool, schema, "properties");
  return (properties ? fieldsOf(tool, properties) : []).flatMap(({ value }): Edit[] => {
    const held = isObjectAt(tool, value) ? undefined : valueAt(tool, value);
    if (typeof held !== "boolean") return [];
    return [{ span: value, bytes: encodeText(held ? "{}" : '{"not":{}}') }];
  });
}

/** A schema of any value as that of an object with the value in `result`, where {@link legacyResultEdits} puts it. */
function wrapSchema(tool: Uint8Array, schema: Span): Uint8Array {
  const raw = tool.subarray(schema.start, schema.end);
  const whole = wholeOf(raw);
  // The dialect is that of the whole document.
  const dialect = findField(raw, whole, "$schema");
  const inner = splice(raw, [...refEdits(raw, whole, false), ...changeEdits(raw, whole, { drop: ["$schema"] })]);
  const head: Entry[] = dialect ? [["$schema", raw.subarray(dialect.start, dialect.end)]] : [];
  return objectOf([
    ...head,
    entry("type", "object"),
    ["properties", objectOf([["result", inner]])],
    entry("required", ["result"]),
  ]);
}

/** Keywords whose value is data and no schema. */
const dataKeywords: ReadonlySet<string> = new Set(["const", "enum", "default", "examples"]);
/** Keywords whose value holds schemas by names that the author chose. */
const mapKeywords: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "dependentSchemas",
  "dependencies",
  "$defs",
  "definitions",
]);

/** References from the root of a schema, as they are one level deeper. Nesting is bounded by the scan of the message. */
function refEdits(bytes: Uint8Array, schema: Span, isMap: boolean): readonly Edit[] {
  if (!isObjectAt(bytes, schema)) return elementsOf(bytes, schema).flatMap((each) => refEdits(bytes, each, false));
  const fields = fieldsOf(bytes, schema);
  // A schema with an address of its own is the root of the references in it.
  if (!isMap && fields.some(({ name, value }) => name === "$id" && isBase(valueAt(bytes, value)))) return [];
  return fields.flatMap(({ name, value }): readonly Edit[] => {
    if (isMap) return refEdits(bytes, value, false);
    if (dataKeywords.has(name)) return [];
    if (name !== "$ref" && name !== "$dynamicRef") return refEdits(bytes, value, mapKeywords.has(name));
    const target = valueAt(bytes, value);
    const isLocal = typeof target === "string" && (target === "#" || target.startsWith("#/"));
    return isLocal ? [{ span: value, bytes: encodeJson(`#/properties/result${target.slice(1)}`) }] : [];
  });
}

/** A fragment alone names a place, and moves no base. */
function isBase(id: unknown): boolean {
  return typeof id === "string" && !id.startsWith("#");
}
