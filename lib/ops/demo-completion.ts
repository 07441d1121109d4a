// Completion of an argument: what the client refers to and has typed, and the candidates that fit.

import { GatewayError } from "../core/errors.ts";
import { isRecord } from "../core/text.ts";
import { type JsonObject, requireString } from "./demo-server.ts";

/** 2025-11-25, Completion, "Completion Results". */
const maxValues = 100;

/**
 * Answers `completion/complete` for references of one type: `candidates` gets the name or URI of the reference and the
 * name of the argument. What starts with the typed text comes before what only holds it.
 */
export function completeFrom(
  params: JsonObject,
  type: "ref/prompt" | "ref/resource",
  member: "name" | "uri",
  candidates: (target: string, argument: string) => Iterable<string>,
): JsonObject {
  const ref = requireObject(params, "ref");
  const argument = requireObject(params, "argument");
  const given = requireString(ref, "type");
  if (given !== type) throw new GatewayError("invalidParams", `params.ref.type must be "${type}", and is "${given}"`);
  const typed = requireString(argument, "value").toLowerCase();
  const all = [...candidates(requireString(ref, member), requireString(argument, "name"))];
  const starting = all.filter((value) => value.toLowerCase().startsWith(typed));
  const holding = all.filter((value) => value.toLowerCase().includes(typed) && !starting.includes(value));
  const fitting = [...starting, ...holding];
  const values = fitting.slice(0, maxValues);
  return { completion: { values, total: fitting.length, hasMore: fitting.length > values.length } };
}

function requireObject(params: JsonObject, name: string): JsonObject {
  const value = params[name];
  if (isRecord(value)) return value;
  throw new GatewayError("invalidParams", `params.${name} must be an object`);
}
