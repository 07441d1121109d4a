// Whether a request may run twice: by its method, by what its tool says of itself, or by the operator's word.

import { type Edit, type Envelope, spanText } from "../core/envelope.ts";
import { decodeText } from "../core/text.ts";
import { findPath, valueAt, wholeOf } from "../protocol/fields.ts";

/** Methods that change nothing, or the same thing however often they are sent. */
const repeatable: ReadonlySet<string> = new Set([
  "ping",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "prompts/get",
  "completion/complete",
  "logging/setLevel",
  "tasks/get",
  "tasks/result",
  "tasks/list",
  "tasks/cancel",
]);

/** … of those the ones that leave something behind in a session. */
const leaving: ReadonlySet<string> = new Set([
  "resources/subscribe",
  "resources/unsubscribe",
  "logging/setLevel",
  "tasks/cancel",
]);

/** What a call needs to know of tools. */
export interface ToolWords {
  /** The tool as its backend lists it; undefined where it is not known. */
  listed(name: string): Uint8Array | undefined;
  /** The operator says that it may run twice. */
  isDeclared(name: string): boolean;
}

export function mayRunTwice(request: Envelope, edits: readonly Edit[], words: ToolWords): boolean {
  const { method = "" } = request;
  if (repeatable.has(method)) return true;
  // A second task would be another one.
  if (method !== "tools/call" || request.spans["params.task"]) return false;
  const name = localName(request, edits);
  if (name === undefined) return false;
  if (words.isDeclared(name)) return true;
  const tool = words.listed(name);
  return tool !== undefined && hints(tool, ["readOnlyHint", "idempotentHint"]);
}

/** Nothing of its session is at a server that a request like this came to. */
export function onlyReads(request: Envelope, edits: readonly Edit[], words: ToolWords): boolean {
  const { method = "" } = request;
  if (repeatable.has(method)) return !leaving.has(method);
  const name = method === "tools/call" && !request.spans["params.task"] ? localName(request, edits) : undefined;
  const tool = name === undefined ? undefined : words.listed(name);
  return tool !== undefined && hints(tool, ["readOnlyHint"]);
}

/** The tool's name at its backend. */
export function localName(request: Envelope, edits: readonly Edit[]): string | undefined {
  const span = request.spans["params.name"];
  const edit = span && edits.find((each) => each.span.start === span.start && each.span.end === span.end);
  if (!edit) return spanText(request, "params.name");
  const name: unknown = JSON.parse(decodeText(edit.bytes));
  return typeof name === "string" ? name : undefined;
}

/** 2025-11-25, Tools, "ToolAnnotations": both hints are false unless they are given. */
function hints(tool: Uint8Array, names: readonly string[]): boolean {
  return names.some((hint) => {
    const at = findPath(tool, wholeOf(tool), ["annotations", hint]);
    return at !== undefined && valueAt(tool, at) === true;
  });
}
