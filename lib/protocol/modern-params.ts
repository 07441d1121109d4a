// Tool parameters that travel as headers: `x-mcp-header` annotations, the headers they make, and the check of these.

import type { Envelope, Span } from "../core/envelope.ts";
import type { GatewayError } from "../core/errors.ts";
import { asRecord, decodeText, isRecord } from "../core/text.ts";
import { findPath, valueAt } from "./fields.ts";
import {
  brief,
  decodeHeader,
  encodeHeader,
  type Header,
  headerMismatch,
  headerNames,
  type HeaderReader,
} from "./modern-headers.ts";

/** A parameter that is repeated in `Mcp-Param-{name}`. */
export interface ParamHeader {
  /** As the schema writes it. */
  readonly name: string;
  /** Names of the properties that lead to the value in the call's arguments. */
  readonly path: readonly string[];
  readonly type: "string" | "integer" | "boolean";
}

export type ParamHeaders =
  | { readonly kind: "valid"; readonly params: readonly ParamHeader[] }
  | { readonly kind: "invalid"; readonly reason: string };

const annotation = "x-mcp-header";
/** RFC 9110, 5.1. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Keywords whose value is data and no schema. */
const dataKeywords: ReadonlySet<string> = new Set(["const", "enum", "default", "examples", annotation]);
/** Keywords whose value holds schemas by names that the author chose. */
const mapKeywords: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "dependentSchemas",
  "dependencies",
  "$defs",
  "definitions",
]);

/** The annotations of a tool's `inputSchema`, or why one is not allowed (2026-07-28, Streamable HTTP, "Schema Extension"). */
export function readParamHeaders(inputSchema: unknown): ParamHeaders {
  const params: ParamHeader[] = [];
  const reason = visitSchema(inputSchema, [], true, params);
  return reason === undefined ? { kind: "valid", params } : { kind: "invalid", reason };
}

/** Collects the annotations of a schema; `path` is undefined where no chain of `properties` leads. Returns what is wrong. */
function visitSchema(
  schema: unknown,
  path: readonly string[],
  isReachable: boolean,
  params: ParamHeader[],
): string | undefined {
  if (Array.isArray(schema)) return firstOf(schema, (each) => visitSchema(each, path, false, params));
  if (!isRecord(schema)) return undefined;
  if (Object.hasOwn(schema, annotation)) {
    const reason = noteAnnotation(schema, path, isReachable, params);
    if (reason !== undefined) return reason;
  }
  return firstOf(Object.entries(schema), ([keyword, value]) => {
    if (dataKeywords.has(keyword)) return undefined;
    if (!mapKeywords.has(keyword)) return visitSchema(value, [...path, keyword], false, params);
    const chains = isReachable && keyword === "properties";
    return firstOf(Object.entries(asRecord(value)), ([name, each]) =>
      visitSchema(each, chains ? [...path, name] : [...path, keyword, name], chains, params),
    );
  });
}

function firstOf<T>(items: readonly T[], find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function noteAnnotation(
  schema: Readonly<Record<string, unknown>>,
  path: readonly string[],
  isReachable: boolean,
  params: ParamHeader[],
): string | undefined {
  const { type, [annotation]: name } = schema;
  const where = `${annotation} at ${path.length === 0 ? "the root" : brief(path.join("."))}`;
  if (!isReachable || path.length === 0) return `${where} is not on a property that "properties" alone lead to`;
  if (typeof name !== "string" || name === "") return `${where} must be a text that is not empty`;
  if (!token.test(name)) return `${where} is ${brief(name)}, which is no header name`;
  if (type !== "string" && type !== "integer" && type !== "boolean") {
    return `${where} is on a parameter of type ${brief(JSON.stringify(type) ?? "none")}; string, integer or boolean it must be`;
  }
  const lower = name.toLowerCase();
  if (params.some((param) => param.name.toLowerCase() === lower)) return `${where} repeats the header ${brief(name)}`;
  params.push({ name, path, type });
  return undefined;
}

/** The `Mcp-Param-*` headers of a tools/call, from the arguments in its body. */
export function paramHeaders(params: readonly ParamHeader[], request: Envelope): readonly Header[] {
  return params.flatMap((param): Header[] => {
    const value = bodyText(param, request);
    return value === undefined ? [] : [[headerNames.paramPrefix + param.name.toLowerCase(), encodeHeader(value)]];
  });
}

/** What is wrong with the `Mcp-Param-*` headers of a tools/call; undefined where they agree with its arguments. */
export function checkParamHeaders(
  params: readonly ParamHeader[],
  request: Envelope,
  header: HeaderReader,
): GatewayError | undefined {
  for (const param of params) {
    const error = checkParam(param, bodyText(param, request), header);
    if (error) return error;
  }
  return undefined;
}

function checkParam(
  { name, type }: ParamHeader,
  body: string | undefined,
  header: HeaderReader,
): GatewayError | undefined {
  const shown = `Mcp-Param-${name}`;
  const raw = header(headerNames.paramPrefix + name.toLowerCase());
  if (raw === undefined) {
    return body === undefined
      ? undefined
      : headerMismatch(shown, `header ${shown} is missing, and the arguments have a value for it`);
  }
  const value = decodeHeader(raw);
  if (value === undefined)
    return headerMismatch(shown, `header ${shown} holds characters, or an encoding, that it must not`);
  if (body === undefined) return headerMismatch(shown, `header ${shown} has no value in the arguments`);
  const isSame = value === body || (type === "integer" && isDecimal(value) && Number(value) === Number(body));
  return isSame
    ? undefined
    : headerMismatch(shown, `header ${shown} says ${brief(value)} and the arguments say ${brief(body)}`);
}

/** Forms such as 0x1a and 1e3 are numbers to JavaScript only. */
function isDecimal(value: string): boolean {
  return /^-?\d+(?:\.\d+)?$/.test(value) && Number.isSafeInteger(Number(value));
}

/** The value of a parameter as a header writes it; undefined where there is none that a header could carry. */
function bodyText({ path }: ParamHeader, { bytes, spans }: Envelope): string | undefined {
  const span: Span | undefined = spans.params && findPath(bytes, spans.params, ["arguments", ...path]);
  if (!span) return undefined;
  const value = valueAt(bytes, span);
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "number") return undefined;
  // Digits that a number of JavaScript cannot hold must arrive as they are.
  return Number.isSafeInteger(value) ? String(value) : decodeText(bytes.subarray(span.start, span.end));
}
