// Headers of the modern era: the encoding, annotations of tools, and headers against bodies.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Envelope } from "../../lib/core/envelope.ts";
import {
  checkHeaders,
  decodeHeader,
  encodeHeader,
  type Header,
  type HeaderReader,
  requestHeaders,
} from "../../lib/protocol/modern-headers.ts";
import {
  checkParamHeaders,
  type ParamHeader,
  paramHeaders,
  readParamHeaders,
} from "../../lib/protocol/modern-params.ts";
import { runs } from "../core/messages.ts";
import { envelope, modernVersion, request } from "./wire.ts";

const readerOf =
  (headers: readonly Header[]): HeaderReader =>
  (name) =>
    headers.find(([own]) => own === name)?.[1];

test("headers: values are encoded as the specification's table says", () => {
  const table: readonly (readonly [string, string])[] = [
    ["us-west1", "us-west1"],
    ["us west 1", "us west 1"],
    ["Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="],
    [" padded ", "=?base64?IHBhZGRlZCA=?="],
    ["line1\nline2", "=?base64?bGluZTEKbGluZTI=?="],
    ["=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="],
    ["\tindented", "=?base64?CWluZGVudGVk?="],
  ];
  for (const [value, header] of table) {
    assert.equal(encodeHeader(value), header);
    assert.equal(decodeHeader(header), value);
  }
});

test("headers: any text comes back from its encoding, which any HTTP parser takes", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "grapheme" }), fc.string(), fc.string({ unit: "binary" })), (text) => {
      const value = text.toWellFormed();
      const header = encodeHeader(value);
      assert.match(header, /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/);
      assert.equal(decodeHeader(`  ${header}\t`), value);
    }),
    runs(2000),
  );
});

test("headers: damaged encodings are refused, unfinished ones are literal", () => {
  assert.equal(decodeHeader("=?base64?SGVsbG8?="), undefined);
  assert.equal(decodeHeader("=?base64?SGVs!!!bG8=?="), undefined);
  assert.equal(decodeHeader("=?base64?/w==?="), undefined);
  assert.equal(decodeHeader("caf\u00e9"), undefined);
  assert.equal(decodeHeader("a\u00a0"), undefined);
  assert.equal(decodeHeader("SGVsbG8="), "SGVsbG8=");
  assert.equal(decodeHeader("=?base64?SGVsbG8="), "=?base64?SGVsbG8=");
  assert.equal(decodeHeader("=?BASE64?SGVsbG8=?="), "=?BASE64?SGVsbG8=?=");
});

test("headers: those of an upstream request agree with its body", () => {
  for (const [method, name] of [
    ["tools/call", "größe"],
    ["prompts/get", "p"],
    ["resources/read", "file:///a b"],
    ["tasks/get", "t-1"],
    ["tools/list", undefined],
  ] as const) {
    const headers = requestHeaders(modernVersion, method, name);
    assert.equal(headers.length, name === undefined ? 2 : 3);
    assert.equal(checkHeaders(readerOf(headers), modernVersion, method, name), undefined);
    for (const [index, [left]] of headers.entries()) {
      const without = readerOf(headers.filter((_, other) => other !== index));
      assert.equal(checkHeaders(without, modernVersion, method, name)?.toRpc().code, -32020, `without ${left}`);
      const wrong = readerOf(headers.map((header, other) => (other === index ? [left, "TOOLS/LIST"] : header)));
      assert.equal(checkHeaders(wrong, modernVersion, method, name)?.row.http, 400, `wrong ${left}`);
    }
  }
});

const schemaOf = (properties: object): object => ({ type: "object", properties });

test("params: annotations are found at any depth of properties", () => {
  const read = readParamHeaders(
    schemaOf({
      region: { type: "string", "x-mcp-header": "Region" },
      // Names of properties, and data, are no annotations.
      "x-mcp-header": { type: "string", default: { "x-mcp-header": "No" } },
      where: schemaOf({ zone: { type: "integer", "x-mcp-header": "Zone" } }),
    }),
  );
  assert.deepEqual(read, {
    kind: "valid",
    params: [
      { name: "Region", path: ["region"], type: "string" },
      { name: "Zone", path: ["where", "zone"], type: "integer" },
    ],
  });
});

test("params: annotations that break a rule make the tool invalid", () => {
  const header = (name: unknown, type: unknown = "string"): object => ({ type, "x-mcp-header": name });
  const invalid: readonly object[] = [
    schemaOf({ a: header("") }),
    schemaOf({ a: header(1) }),
    schemaOf({ a: header("My Region") }),
    schemaOf({ a: header("Region:Primary") }),
    schemaOf({ a: header("Région") }),
    schemaOf({ a: header("Region\t1") }),
    schemaOf({ a: header("A", "number") }),
    schemaOf({ a: header("A", "object") }),
    schemaOf({ a: header("A", "array") }),
    schemaOf({ a: header("A", "null") }),
    schemaOf({ a: { "x-mcp-header": "A" } }),
    schemaOf({ a: header("MyField"), b: header("myfield") }),
    { ...schemaOf({}), "x-mcp-header": "Root" },
    schemaOf({ a: { type: "array", items: header("A") } }),
    schemaOf({ a: { anyOf: [header("A")] } }),
    { ...schemaOf({}), allOf: [schemaOf({ a: header("A") })] },
    { ...schemaOf({}), if: schemaOf({ a: header("A") }) },
    { ...schemaOf({ a: { $ref: "#/$defs/a" } }), $defs: { a: header("A") } },
    { ...schemaOf({}), patternProperties: { "^a": header("A") } },
    { ...schemaOf({}), additionalProperties: header("A") },
  ];
  for (const schema of invalid) assert.equal(readParamHeaders(schema).kind, "invalid", JSON.stringify(schema));
});

const annotated: readonly ParamHeader[] = [
  { name: "Region", path: ["region"], type: "string" },
  { name: "Count", path: ["deep", "count"], type: "integer" },
  { name: "Force", path: ["force"], type: "boolean" },
];

const call = (args: object): Envelope => request("tools/call", { name: "t", arguments: args });

test("params: headers are made of the arguments, and agree with them", () => {
  const body = call({ region: "größe", deep: { count: -7 }, force: false, other: 1 });
  const headers = paramHeaders(annotated, body);
  assert.deepEqual(headers, [
    ["mcp-param-region", "=?base64?Z3LDtsOfZQ==?="],
    ["mcp-param-count", "-7"],
    ["mcp-param-force", "false"],
  ]);
  assert.equal(checkParamHeaders(annotated, body, readerOf(headers)), undefined);
});

test("params: what is absent or null has no header", () => {
  const body = call({ region: null, deep: 3 });
  assert.deepEqual(paramHeaders(annotated, body), []);
  assert.equal(
    checkParamHeaders(annotated, body, () => undefined),
    undefined,
  );
  assert.deepEqual(paramHeaders(annotated, request("tools/call", { name: "t" })), []);
  assert.equal(checkParamHeaders(annotated, body, readerOf([["mcp-param-region", "x"]]))?.code, "headerMismatch");
});

test("params: headers that differ from the arguments are refused", () => {
  const body = call({ region: "eu", deep: { count: 42 } });
  const check = (region: string | undefined, count: string | undefined): string | undefined =>
    checkParamHeaders(annotated, body, (name) =>
      name === "mcp-param-region" ? region : name === "mcp-param-count" ? count : undefined,
    )?.code;
  assert.equal(check("eu", "42"), undefined);
  assert.equal(check("=?base64?ZXU=?=", "42.0"), undefined);
  for (const [region, count] of [
    ["us", "42"],
    [undefined, "42"],
    ["eu", undefined],
    ["eu", "43"],
    ["eu", "0x2a"],
    ["eu", "4.2e1"],
    ["=?base64?ZXU?=", "42"],
  ] as const) {
    assert.equal(check(region, count), "headerMismatch", `${region} ${count}`);
  }
});

test("params: numbers that JavaScript cannot hold arrive digit by digit", () => {
  const body = envelope(
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"deep":{"count":12345678901234567890}}}}',
  );
  assert.deepEqual(paramHeaders(annotated, body), [["mcp-param-count", "12345678901234567890"]]);
});
