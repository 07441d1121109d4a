// Members of an object are added and removed in its bytes as they would be in its value, and the rest stays as it was.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splice } from "../../lib/core/envelope.ts";
import { type Change, changeEdits, fieldsOf, findPath, wholeOf } from "../../lib/protocol/fields.ts";
import { isObject, objectText, runs, value } from "../core/messages.ts";
import { bytesOf, textOf, valueOf } from "./wire.ts";

const meta = objectText(
  [],
  [
    ["a", value],
    ["b", value],
    ["__proto__", value],
  ],
);
const object = objectText(
  [],
  [
    ["a", value],
    ["b", value],
    ["c", value],
    ["__proto__", value],
    ["_meta", meta],
    ["_meta", value],
  ],
);
const name = fc.constantFrom("a", "b", "c", "d", "__proto__", 'q"\\');
const set = fc.uniqueArray(fc.tuple(name, value), { maxLength: 3, selector: ([key]) => key });
const drop = fc.array(name, { maxLength: 3 });
const plan = fc.record({ set, drop, meta: fc.option(fc.record({ set, drop }), { nil: undefined }) });

type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;
interface Part {
  readonly set: readonly (readonly [string, string])[];
  readonly drop: readonly string[];
}

const changeOf = ({ set, drop }: Part): Change => ({ drop, set: set.map(([key, text]) => [key, bytesOf(text)]) });

/** The members of a value after a change, last of duplicates first resolved by the platform's parser. */
function changed(value: unknown, part: Part): Map<string, unknown> {
  const members = new Map(isObject(value) ? Object.entries(value) : []);
  for (const key of part.drop) members.delete(key);
  for (const [key, text] of part.set) members.set(key, JSON.parse(text));
  return members;
}

/** A text that is the same for the same members in any order, of the object and of its `_meta`. */
function sorted(members: ReadonlyMap<string, unknown>): string {
  const pairs = [...members].map(([key, held]): [string, unknown] =>
    key === "_meta" && isObject(held) ? [key, sorted(new Map(Object.entries(held)))] : [key, held],
  );
  return JSON.stringify(pairs.toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

function expected(value: unknown, { set, drop, meta }: Plan): Map<string, unknown> {
  const members = changed(value, { set, drop });
  if (!meta) return members;
  const before = isObject(value) && Object.hasOwn(value, "_meta") ? value["_meta"] : undefined;
  if (!isObject(before)) {
    if (meta.set.length > 0) members.set("_meta", Object.fromEntries(changed({}, { set: meta.set, drop: [] })));
    return members;
  }
  const inner = changed(before, meta);
  if (inner.size > 0 || Object.keys(before).length === 0) members.set("_meta", Object.fromEntries(inner));
  else members.delete("_meta");
  return members;
}

test("fields: a change of bytes is the change of the value", () => {
  fc.assert(
    fc.property(object, plan, (text, change) => {
      const bytes = bytesOf(text);
      const { set, drop, meta } = change;
      const edits = changeEdits(bytes, wholeOf(bytes), {
        ...changeOf({ set, drop }),
        ...(meta ? { meta: changeOf(meta) } : {}),
      });
      const after = valueOf(splice(bytes, edits));
      assert(isObject(after));
      assert.equal(sorted(new Map(Object.entries(after))), sorted(expected(JSON.parse(text), change)), text);
    }),
    runs(3000),
  );
});

test("fields: what was added is removed again without a trace", () => {
  const added = ["x1", "x2"];
  fc.assert(
    fc.property(object, value, fc.boolean(), (text, held, inMeta) => {
      const bytes = bytesOf(text);
      const entries = added.map((key): [string, Uint8Array] => [key, bytesOf(held)]);
      // A _meta that is no object is replaced, and so it is gone for good.
      const whole = wholeOf(bytes);
      const meta = findPath(bytes, whole, ["_meta"]);
      if (inMeta && meta && bytes[meta.start] !== 0x7b) return;
      const there = splice(bytes, changeEdits(bytes, whole, inMeta ? { meta: { set: entries } } : { set: entries }));
      const back = splice(
        there,
        changeEdits(there, wholeOf(there), inMeta ? { meta: { drop: added } } : { drop: added }),
      );
      const wasEmpty = meta && Object.keys(Object(valueOf(bytes.subarray(meta.start, meta.end)))).length === 0;
      if (inMeta && wasEmpty) return;
      assert.equal(textOf(back), text);
    }),
    runs(2000),
  );
});

test("fields: names are found however they are spelled, and of duplicates the last", () => {
  const bytes = bytesOf('{ "\\u0061" : 1, "b": {"c": [1, {"d": 2}]}, "a": 3 }');
  assert.deepEqual(
    fieldsOf(bytes, wholeOf(bytes)).map(({ name }) => name),
    ["a", "b", "a"],
  );
  const found = findPath(bytes, wholeOf(bytes), ["a"]);
  assert.equal(found && textOf(bytes.subarray(found.start, found.end)), "3");
  assert.equal(findPath(bytes, wholeOf(bytes), ["b", "c", "d"]), undefined);
  assert.equal(findPath(bytes, wholeOf(bytes), ["a", "b"]), undefined);
});

test("fields: big numbers and unknown members survive a change beside them", () => {
  const bytes = bytesOf('{"n":12345678901234567890.10,"drop":1 , "s":"\\u0041\\/"}');
  const edits = changeEdits(bytes, wholeOf(bytes), { drop: ["drop"], set: [["x", bytesOf("true")]] });
  assert.equal(textOf(splice(bytes, edits)), '{"x":true,"n":12345678901234567890.10 , "s":"\\u0041\\/"}');
});
