// Checks the arguments of a call against the tool's schema before they leave.

import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import { nearest } from "../config/problems.ts";
import { GatewayError } from "../core/errors.ts";
import { loadPatterns } from "../core/patterns.ts";
import { asRecord } from "../core/text.ts";

/** Rejects with `badArguments`, which names every mistake; a schema that cannot be read checks nothing. */
export async function checkArguments(
  tool: string,
  values: Readonly<Record<string, unknown>>,
  schema: unknown,
): Promise<void> {
  // The schema is the server's: a pattern of it must not take for ever.
  const regExp = JSON.stringify(schema ?? {}).includes('"pattern') ? await loadPatterns(true) : undefined;
  const options = { strict: false, allErrors: true, validateFormats: false, logger: false } as const;
  const ajv = new Ajv2020(regExp ? { ...options, code: { regExp } } : options);
  const plain = Object.fromEntries(Object.entries(asRecord(schema)).filter(([key]) => key !== "$schema"));
  let validate;
  try {
    validate = ajv.compile(plain);
  } catch {
    return;
  }
  if (validate(values)) return;
  const known = Object.keys(asRecord(plain["properties"]));
  const mistakes = [...new Set((validate.errors ?? []).map((error) => describe(error, known)))];
  throw new GatewayError("badArguments", `${tool} does not take these arguments: ${mistakes.join("; ")}`);
}

function describe({ instancePath, keyword, params, message }: ErrorObject, known: readonly string[]): string {
  const at = instancePath.slice(1).replaceAll("/", ".");
  if (keyword === "required") return `${[at, String(params["missingProperty"])].filter(Boolean).join(".")} is missing`;
  if (keyword === "additionalProperties") {
    const name = String(params["additionalProperty"]);
    const near = nearest(name, known);
    return `${name} is unknown${near === undefined ? "" : ` (did you mean ${near}?)`}`;
  }
  if (keyword === "enum") {
    const allowed: unknown = params["allowedValues"];
    return `${at} must be one of ${Array.isArray(allowed) ? allowed.map((each) => JSON.stringify(each)).join(", ") : "…"}`;
  }
  return `${at === "" ? "the whole" : at} ${message ?? "is wrong"}`;
}
