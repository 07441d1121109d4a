// Arguments of a call as people type them, with the types that the tool's schema gives them.

import { readFileSync } from "node:fs";
import { GatewayError } from "../core/errors.ts";
import { asRecord, isRecord } from "../core/text.ts";

type Schema = Readonly<Record<string, unknown>>;
type Values = Record<string, unknown>;

/**
 * `name=text`, `name:=json`, `name=@file`, `name:=@file`; a dot leads into an object, a name that comes again makes a list.
 * `json` holds more, which words override. Throws `usage` for words of another form.
 */
export function readArguments(words: readonly string[], json: string | undefined, schema: unknown): Values {
  const values: Values = json === undefined ? {} : readObject(json);
  const given = new Set<string>();
  for (const word of words) {
    const [, name = "", typed, text = ""] = /^([^=:@][^=]*?)(:)?=(.*)$/s.exec(word) ?? [];
    if (name === "")
      throw new GatewayError("usage", `${JSON.stringify(word)} is no argument; write name=value or name:=json`);
    const { path, inner } = follow(name, asRecord(schema));
    const value = typed === undefined ? readText(name, text, inner) : readJson(name, text);
    put(values, path, value, given.has(name) || expects(inner, "array"), given.has(name));
    given.add(name);
  }
  return values;
}

function readObject(json: string): Values {
  const value = readJson("--args", json);
  if (!isRecord(value)) throw new GatewayError("usage", "--args must be a JSON object");
  return { ...value };
}

/** The path that a name means, and the schema at its end; a property may have dots in its own name. */
function follow(name: string, schema: Schema): { readonly path: readonly string[]; readonly inner: Schema } {
  const properties = asRecord(schema["properties"]);
  if (Object.hasOwn(properties, name) || !name.includes("."))
    return { path: [name], inner: asRecord(properties[name]) };
  const path = name.split(".");
  let inner = schema;
  for (const key of path) inner = asRecord(asRecord(inner["properties"])[key]);
  return { path, inner };
}

function put(values: Values, path: readonly string[], value: unknown, isList: boolean, isMore: boolean): void {
  const [key = "", ...rest] = path;
  if (rest.length > 0) {
    const inner: Values = { ...asRecord(values[key]) };
    values[key] = inner;
    return put(inner, rest, value, isList, isMore);
  }
  const before = isMore ? values[key] : undefined;
  if (!isList || (!isMore && Array.isArray(value))) values[key] = value;
  else values[key] = before === undefined ? [value] : [...(Array.isArray(before) ? before : [before]), value];
}

function readText(name: string, text: string, schema: Schema): unknown {
  if (text.startsWith("@")) {
    const bytes = readBytes(name, text.slice(1));
    return schema["contentEncoding"] === "base64" ? bytes.toString("base64") : bytes.toString("utf8");
  }
  return coerce(text, schema);
}

/** Text where nothing else is asked for: a schema that takes several types takes text, if it can. */
function coerce(text: string, schema: Schema): unknown {
  if (expects(schema, "array")) {
    const list = text.startsWith("[") ? parse(text) : undefined;
    return Array.isArray(list) ? list : coerce(text, asRecord(schema["items"]));
  }
  if (expects(schema, "string")) return text;
  if ((expects(schema, "number") || expects(schema, "integer")) && /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text))
    return Number(text);
  if (expects(schema, "boolean") && (text === "true" || text === "false")) return text === "true";
  if (expects(schema, "null") && text === "null") return null;
  if (expects(schema, "object") && text.startsWith("{")) return parse(text) ?? text;
  const options = schema["enum"];
  const meant = Array.isArray(options) ? options.find((each) => String(each) === text) : undefined;
  return meant ?? text;
}

function expects(schema: Schema, type: string): boolean {
  const types = schema["type"];
  if (types === type || (Array.isArray(types) && types.includes(type))) return true;
  return ["anyOf", "oneOf"].some((key) => {
    const branches = schema[key];
    return Array.isArray(branches) && branches.some((branch) => expects(asRecord(branch), type));
  });
}

function readJson(name: string, text: string): unknown {
  const json = text.startsWith("@") ? readBytes(name, text.slice(1)).toString("utf8") : text;
  const value = parse(json);
  if (value === undefined)
    throw new GatewayError("usage", `${name} is no valid JSON: ${JSON.stringify(json.slice(0, 80))}`);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readBytes(name: string, file: string): Buffer {
  const stdin = 0;
  try {
    return readFileSync(file === "-" ? stdin : file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new GatewayError("usage", `the file ${JSON.stringify(file)} of ${name} cannot be read (${code})`, {
      cause: error,
    });
  }
}
