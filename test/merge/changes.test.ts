// What a change of a listing means for callers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareSnapshots } from "../../lib/merge/changes.ts";

const tool = (inputSchema: object, more: object = {}): object => ({
  name: "t",
  description: "d",
  inputSchema,
  ...more,
});
const base = { type: "object", properties: { a: { type: "string" }, b: { enum: ["x", "y"] } }, required: ["a"] };

function changed(before: object, after: object): readonly string[] {
  return compareSnapshots(new Map([["t", before]]), new Map([["t", after]])).map(
    ({ weight, what }) => `${weight}: ${what}`,
  );
}

test("changes: items that come and go", () => {
  const changes = compareSnapshots(new Map([["old", {}]]), new Map([["new", {}]]));
  assert.deepEqual(changes, [
    { name: "old", weight: "breaking", what: "is gone" },
    { name: "new", weight: "compatible", what: "is new" },
  ]);
});

test("changes: what breaks callers, what does not, and what is only said otherwise", () => {
  const properties = base.properties;
  assert.deepEqual(changed(tool(base), tool({ required: ["a"], properties, type: "object" })), []);
  assert.deepEqual(changed(tool(base), tool({ ...base, required: ["a", "b"] })), ["breaking: b is required now"]);
  assert.deepEqual(changed(tool(base), tool({ ...base, required: [] })), ["compatible: a is optional now"]);
  assert.deepEqual(changed(tool(base), tool({ ...base, properties: { a: { type: "string" } } })), [
    "breaking: argument b is gone",
  ]);
  assert.deepEqual(changed(tool(base), tool({ ...base, properties: { ...properties, c: {} } })), [
    "compatible: argument c is new",
  ]);
  assert.deepEqual(changed(tool(base), tool({ ...base, properties: { ...properties, a: { type: "number" } } })), [
    'breaking: a is of type "number", was "string"',
  ]);
  assert.deepEqual(changed(tool(base), tool({ ...base, properties: { ...properties, b: { enum: ["x", "z"] } } })), [
    'breaking: b does not take "y" any more',
    'compatible: b takes "z", too',
  ]);
  assert.deepEqual(changed(tool(base), tool({ ...base, additionalProperties: false })), [
    "breaking: inputSchema differs: additionalProperties",
  ]);
  assert.deepEqual(changed(tool(base), tool(base, { description: "e" })), [
    "cosmetic: description says something else",
  ]);
  assert.deepEqual(changed(tool(base), tool(base, { annotations: { readOnlyHint: true } })), [
    "compatible: annotations differ: readOnlyHint",
  ]);
});
