// Tools of the demo backends: one declaration gives the JSON Schema, the check of the arguments and their types.

import { GatewayError } from "../core/errors.ts";
import { isRecord } from "../core/text.ts";
import { page } from "./demo-pages.ts";
import { type Call, type JsonObject, type Method, requireString, typeName } from "./demo-server.ts";

/** One argument of a tool. */
export interface Field<Value> {
  readonly schema: JsonObject;
  readonly required: boolean;
  /** Its value when the caller leaves it out. */
  readonly fallback: Value | undefined;
  /** What is wrong with a value, in words that follow the argument's name; undefined when it is right. */
  check(value: unknown): string | undefined;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer Value> ? Value : never };

export interface ToolDeclaration<F extends Fields> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly fields: F;
  /** JSON Schema of `structuredContent`; {@link structured} gives such results. */
  readonly output?: JsonObject;
  readonly annotations: JsonObject;
  run(values: Values<F>, call: Call): JsonObject | Promise<JsonObject>;
}

export interface Tool {
  readonly name: string;
  readonly definition: JsonObject;
  call(given: unknown, call: Call): JsonObject | Promise<JsonObject>;
}

/** Hints of a tool that changes nothing, reaches nothing outside, and may be repeated. */
export const pure: JsonObject = { readOnlyHint: true, idempotentHint: true, openWorldHint: false };

export function defineTool<const F extends Fields>(tool: ToolDeclaration<F>): Tool {
  const { name, title, description, fields, output, annotations } = tool;
  const names = Object.keys(fields);
  const inputSchema = {
    type: "object",
    properties: Object.fromEntries(names.map((field) => [field, fields[field]?.schema])),
    required: names.filter((field) => fields[field]?.required),
    additionalProperties: false,
  };
  const outputSchema = output === undefined ? {} : { outputSchema: output };
  return {
    name,
    definition: { name, title, description, inputSchema, ...outputSchema, annotations },
    call(given, call) {
      const values = withFallbacks(fields, given);
      const wrong = mistakesOf(fields, values);
      if (wrong.length === 0 && hasValues(fields, values)) return tool.run(values, call);
      return mistake(`${name} cannot use these arguments: ${wrong.join("; ")}.`);
    },
  };
}

/** The methods `tools/list` and `tools/call` over a set of tools. */
export function toolMethods(tools: readonly Tool[]): [string, Method][] {
  const call: Method = (params, call) => {
    const name = requireString(params, "name");
    const tool = tools.find((each) => each.name === name);
    if (tool) return tool.call(params["arguments"], call);
    throw new GatewayError("invalidParams", `unknown tool "${name}"; the tools are ${listNames(tools)}`);
  };
  const definitions = tools.map((tool) => tool.definition);
  const list: Method = (params) => page("tools", definitions, (each) => String(each["name"]), 100, params);
  return [
    ["tools/list", list],
    ["tools/call", call],
  ];
}

const listNames = (tools: readonly Tool[]): string => tools.map((tool) => tool.name).join(", ");

/** 2025-11-25, Tools, "Error Handling": what a model can mend by itself is a result, not a protocol error. */
export function mistake(text: string): JsonObject {
  return { content: [{ type: "text", text }], isError: true };
}

/** A structured result; the text carries the same JSON for clients that do not read `structuredContent`. */
export function structured(value: JsonObject): JsonObject {
  return { content: [{ type: "text", text: JSON.stringify(value) }], structuredContent: value };
}

/** JSON Schema of an object whose listed members are always there. */
export function objectSchema(properties: JsonObject): JsonObject {
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
}

export interface TextLimits {
  readonly minLength?: number;
  readonly maxLength?: number;
}

export function textField(description: string, limits: TextLimits = {}): Field<string> {
  const { minLength = 0, maxLength = Infinity } = limits;
  return {
    schema: { type: "string", description, ...limits },
    required: true,
    fallback: undefined,
    check(value) {
      if (typeof value !== "string") return `must be a string, and is ${typeName(value)}`;
      if (value.length < minLength) return "must not be empty";
      return value.length > maxLength ? `may have ${maxLength} characters, and has ${value.length}` : undefined;
    },
  };
}

export function integerField(description: string, minimum: number, maximum: number): Field<number> {
  return {
    schema: { type: "integer", description, minimum, maximum },
    required: true,
    fallback: undefined,
    check(value) {
      const fits = typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum;
      if (fits) return undefined;
      const seen = typeof value === "number" || typeof value === "bigint" ? String(value) : typeName(value);
      return `must be an integer from ${minimum} to ${maximum}, and is ${seen}`;
    },
  };
}

export function choiceField<const Choice extends string>(
  description: string,
  choices: readonly Choice[],
): Field<Choice> {
  return {
    schema: { type: "string", description, enum: choices },
    required: true,
    fallback: undefined,
    check(value) {
      if (choices.some((choice) => choice === value)) return undefined;
      const seen = typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : typeName(value);
      return `must be one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}, and is ${seen}`;
    },
  };
}

/** The same argument, with a value for those who leave it out. */
export function optional<Value>(field: Field<Value>, fallback: Value): Field<Value> {
  return { ...field, schema: { ...field.schema, default: fallback }, required: false, fallback };
}

function withFallbacks(fields: Fields, given: unknown): unknown {
  if (given !== undefined && !isRecord(given)) return given;
  const values: Record<string, unknown> = { ...given };
  for (const [name, field] of Object.entries(fields)) {
    if (!Object.hasOwn(values, name) && !field.required) values[name] = field.fallback;
  }
  return values;
}

/** Every mistake at once, so that one more try is enough. */
function mistakesOf(fields: Fields, values: unknown): string[] {
  if (!isRecord(values)) return [`arguments must be an object, and is ${typeName(values)}`];
  const wrong: string[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const why = field.check(Object.hasOwn(values, name) ? values[name] : undefined);
    if (why !== undefined) wrong.push(`"${name}" ${why}`);
  }
  for (const name of Object.keys(values)) {
    if (Object.hasOwn(fields, name)) continue;
    wrong.push(`"${name.slice(0, 40)}" is not an argument (there is ${Object.keys(fields).join(", ")})`);
  }
  return wrong;
}

function hasValues<F extends Fields>(fields: F, values: unknown): values is Values<F> {
  return isRecord(values) && Object.entries(fields).every(([name, field]) => field.check(values[name]) === undefined);
}
