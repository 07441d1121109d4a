// Words of a command line become what the schema of a tool wants.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkArguments } from "../../lib/ops/argument-checks.ts";
import { readArguments } from "../../lib/ops/arguments.ts";
import { createFolder } from "../cli/kit.ts";

const schema = {
  type: "object",
  properties: {
    text: { type: "string" },
    count: { type: "integer" },
    ratio: { type: ["number", "null"] },
    flag: { type: "boolean" },
    tags: { type: "array", items: { type: "string" } },
    sizes: { type: "array", items: { type: "integer" } },
    where: { type: "object", properties: { city: { type: "string" }, zip: { type: "integer" } } },
    "dotted.name": { type: "string" },
    level: { enum: [1, 2, "three"] },
    either: { anyOf: [{ type: "integer" }, { type: "boolean" }] },
    data: { type: "string", contentEncoding: "base64" },
  },
  required: ["text"],
};

const read = (...words: string[]): object => readArguments(words, undefined, schema);

test("arguments: text becomes what the schema wants, and stays text where it wants that", () => {
  assert.deepEqual(read("text=12", "count=12", "ratio=1.5", "flag=true"), {
    text: "12",
    count: 12,
    ratio: 1.5,
    flag: true,
  });
  assert.deepEqual(read("ratio=null", "either=false", "level=2"), { ratio: null, either: false, level: 2 });
  assert.deepEqual(read("level=three", "unknown=7"), { level: "three", unknown: "7" });
  assert.deepEqual(read("text=a=b", "text2="), { text: "a=b", text2: "" });
});

test("arguments: lists, objects and JSON", () => {
  assert.deepEqual(read("tags=a", "sizes=1", "sizes=2"), { tags: ["a"], sizes: [1, 2] });
  assert.deepEqual(read('tags=["x","y"]'), { tags: ["x", "y"] });
  assert.deepEqual(read("where.city=Oslo", "where.zip=150"), { where: { city: "Oslo", zip: 150 } });
  assert.deepEqual(read("dotted.name=x"), { "dotted.name": "x" });
  assert.deepEqual(read("other:=[1,{}]", "text:=null"), { other: [1, {}], text: null });
  assert.deepEqual(readArguments(["text=b"], '{"text":"a","count":1}', schema), { text: "b", count: 1 });
});

test("arguments: files", () => {
  using folder = createFolder({ "a.txt": "from a file\n", "a.json": "[1]" });
  writeFileSync(join(folder.path, "raw"), Uint8Array.of(0xff, 0));
  const at = (name: string): string => `@${join(folder.path, name)}`;
  assert.deepEqual(read(`text=${at("a.txt")}`, `other:=${at("a.json")}`, `data=${at("raw")}`), {
    text: "from a file\n",
    other: [1],
    data: "/wA=",
  });
  assert.throws(() => read("text=@/no/such/file"), /cannot be read \(ENOENT\)/);
});

test("arguments: what is none is refused, and what does not fit is named", async () => {
  for (const word of ["plain", "=x", "a:=", "a:={"]) assert.throws(() => read(word), /is no /, word);
  assert.throws(() => readArguments([], "[1]", schema), /must be a JSON object/);
  const complaint = (values: Record<string, unknown>): Promise<string> =>
    checkArguments("it", values, { ...schema, additionalProperties: false }).then(() => "", String);
  assert.equal(await complaint({ text: "a" }), "");
  assert.match(await complaint({}), /text is missing/);
  assert.match(await complaint({ text: "a", cuont: 1 }), /cuont is unknown \(did you mean count\?\)/);
  assert.match(await complaint({ text: "a", level: 9 }), /level must be one of 1, 2, "three"/);
  assert.match(await complaint({ text: "a", where: { zip: "x" } }), /where\.zip must be integer/);
  await checkArguments("it", { anything: 1 }, { type: "nonsense" });
});
