// Tools of either era as clients of the other take them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { legacyTool, modernTool, needsLegacyTask } from "../../lib/protocol/bridge-tools.ts";
import { bytesOf, textOf, valueOf } from "./wire.ts";

const toolOf = (members: object): Uint8Array =>
  bytesOf(JSON.stringify({ name: "t", inputSchema: { type: "object" }, ...members }));

test("bridge tools: what both eras can say is left alone", () => {
  const tool = bytesOf(
    '{"name":"t", "inputSchema" : {"type":"object","properties":{"n":{"maximum":12345678901234567890}}},"x":1}',
  );
  assert.equal(modernTool(tool), tool);
  assert.deepEqual(legacyTool(tool), { bytes: tool, wraps: false });
});

test("bridge tools: execution is a legacy word", () => {
  const tool = toolOf({ execution: { taskSupport: "required" } });
  assert(needsLegacyTask(tool));
  assert(!needsLegacyTask(toolOf({ execution: { taskSupport: "optional" } })));
  assert(!needsLegacyTask(toolOf({})));
  assert.deepEqual(valueOf(modernTool(tool)), { name: "t", inputSchema: { type: "object" } });
});

test("bridge tools: an output schema of any value becomes that of an object", () => {
  const outputSchema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "array",
    items: { $ref: "#/$defs/item" },
    $defs: {
      item: { anyOf: [{ $ref: "#" }, { type: "string", default: { $ref: "#/kept" } }] },
      own: { $id: "https://example.org/own", $ref: "#/kept" },
      properties: {
        type: "object",
        properties: { $ref: { $ref: "#/$defs/item" }, default: { $dynamicRef: "#/$defs/own" } },
      },
      far: { $ref: "https://example.org/other#/kept" },
    },
  };
  const { bytes, wraps } = legacyTool(toolOf({ outputSchema }));
  assert(wraps);
  const at = "#/properties/result";
  assert.deepEqual((valueOf(bytes) as { outputSchema: unknown }).outputSchema, {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: {
      result: {
        type: "array",
        items: { $ref: `${at}/$defs/item` },
        $defs: {
          item: { anyOf: [{ $ref: at }, { type: "string", default: { $ref: "#/kept" } }] },
          own: { $id: "https://example.org/own", $ref: "#/kept" },
          properties: {
            type: "object",
            properties: { $ref: { $ref: `${at}/$defs/item` }, default: { $dynamicRef: `${at}/$defs/own` } },
          },
          far: { $ref: "https://example.org/other#/kept" },
        },
      },
    },
    required: ["result"],
  });
});

test("bridge tools: an output schema without a type is wrapped, and one of an object is not", () => {
  assert(legacyTool(toolOf({ outputSchema: { anyOf: [{ type: "object" }] } })).wraps);
  assert(legacyTool(toolOf({ outputSchema: { type: ["object", "null"] } })).wraps);
  assert(!legacyTool(toolOf({ outputSchema: { type: "object", oneOf: [{}] } })).wraps);
});

test("bridge tools: schemas that are true or false become objects", () => {
  const tool = bytesOf(
    '{"name":"t","inputSchema":{"type":"object","properties":{"a":true,"b":false,"c":{"x":1e2}}},"outputSchema":{"type":"object","properties":{"d":true}}}',
  );
  assert.equal(
    textOf(legacyTool(tool).bytes),
    '{"name":"t","inputSchema":{"type":"object","properties":{"a":{},"b":{"not":{}},"c":{"x":1e2}}},"outputSchema":{"type":"object","properties":{"d":{}}}}',
  );
});
