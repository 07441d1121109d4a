// Splicing changes only what it names; lines and listings keep the values.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Edit, scan, type Span, type SpanName, splice, toLine } from "../../lib/core/envelope.ts";
import { scanListing } from "../../lib/core/listing.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { encode, isObject, lookUp, message, objectText, runs, stringText, value } from "./messages.ts";

const decode = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
const parseSpan = (bytes: Uint8Array, { start, end }: Span): unknown => JSON.parse(decode(bytes.subarray(start, end)));

/** Sets a member of a parsed message; the path exists. */
function setAt(root: unknown, path: readonly string[], value: unknown): void {
  const parent = lookUp(root, path.slice(0, -1));
  const key = path.at(-1);
  assert(isObject(parent) && key !== undefined);
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}

test("splice: changes the named spans and nothing else", () => {
  let changed = 0;
  fc.assert(
    fc.property(message, fc.array(value, { minLength: 4, maxLength: 4 }), fc.nat(), (text, values, choice) => {
      const bytes = encode(text);
      const scanned = scan(bytes);
      if (scanned.kind !== "message") return;
      const expected: unknown = JSON.parse(text);
      const { spans } = scanned.envelope;
      const edits: Edit[] = [];
      const names = Object.keys(spans) as SpanName[];
      for (const [index, replacement] of values.entries()) {
        const name = names[(choice + index * 3) % names.length];
        const span = name && spans[name];
        assert(span !== undefined);
        if (edits.some((edit) => edit.span.start < span.end && span.start < edit.span.end)) continue;
        edits.push({ span, bytes: encode(replacement) });
        setAt(expected, name?.split(".") ?? [], JSON.parse(replacement));
      }
      const spliced = splice(bytes, edits);
      changed += edits.length;
      assert.equal(JSON.stringify(JSON.parse(decode(spliced))), JSON.stringify(expected));
      assert.equal(decode(bytes), text, "the original is left alone");

      let kept = "";
      let from = 0;
      for (const { span, bytes: replacement } of edits.toSorted((left, right) => left.span.start - right.span.start)) {
        kept += decode(bytes.subarray(from, span.start)) + decode(replacement);
        from = span.end;
      }
      assert.equal(decode(spliced), kept + decode(bytes.subarray(from)));
    }),
    runs(2000),
  );
  assert(changed > 3000, `only ${changed} spans were replaced`);
});

test("splice: empty spans insert, and edits that overlap or leave the message are refused", () => {
  const bytes = encode("abcdef");
  const edit = (start: number, end: number, text: string): Edit => ({ span: { start, end }, bytes: encode(text) });
  assert.equal(decode(splice(bytes, [])), "abcdef");
  assert.equal(decode(splice(bytes, [edit(6, 6, "z"), edit(0, 0, "xy"), edit(2, 4, "")])), "xyabefz");
  for (const edits of [[edit(0, 3, ""), edit(2, 4, "")], [edit(5, 7, "")], [edit(3, 2, "")]]) {
    assert.throws(() => splice(bytes, edits), GatewayError);
  }
});

test("toLine: one line, same value, and the same array when nothing is to be done", () => {
  fc.assert(
    fc.property(message, (text) => {
      const bytes = encode(text);
      const line = toLine(bytes);
      assert.equal(/[\r\n]/.test(decode(line)), false);
      assert.equal(JSON.stringify(JSON.parse(decode(line))), JSON.stringify(JSON.parse(text)));
      assert.equal(decode(bytes), text, "the original is left alone");
      assert.equal(line === bytes, !/[\r\n]/.test(text));
    }),
    runs(500),
  );
});

test("scanListing: agrees with JSON.parse", () => {
  const item = objectText(
    [],
    [
      ["name", stringText],
      ["name", value],
      ["title", value],
    ],
  );
  const items = fc.array(fc.oneof({ weight: 3, arbitrary: item }, value), { maxLength: 5 });
  const tools = items.map((texts) => `[ ${texts.join(" ,\n")}]`);
  const result = objectText(
    [["tools", fc.oneof({ weight: 5, arbitrary: tools }, value)]],
    [
      ["nextCursor", stringText],
      ["nextCursor", value],
      ["tools", tools],
    ],
  );
  const response = objectText(
    [["result", fc.oneof({ weight: 5, arbitrary: result }, value)]],
    [
      ["id", value],
      ["result", result],
    ],
  );
  let found = 0;
  fc.assert(
    fc.property(response, (text) => {
      const bytes = encode(text);
      const parsed: unknown = JSON.parse(text);
      const list = lookUp(parsed, ["result", "tools"]);
      const listing = scanListing(bytes, "tools", "name");
      assert.equal(listing === undefined, !Array.isArray(list));
      if (listing === undefined || !Array.isArray(list)) return;
      const named = list.filter((element) => typeof lookUp(element, ["name"]) === "string");
      found += named.length;
      assert.equal(JSON.stringify(listing.items.map(({ item }) => parseSpan(bytes, item))), JSON.stringify(named));
      assert.deepEqual(
        listing.items.map(({ key }) => parseSpan(bytes, key)),
        named.map((element) => lookUp(element, ["name"])),
      );
      assert.equal(listing.skipped, list.length - named.length);
      const cursor = lookUp(parsed, ["result", "nextCursor"]);
      assert.equal(
        listing.nextCursor && parseSpan(bytes, listing.nextCursor),
        typeof cursor === "string" ? cursor : undefined,
      );
    }),
    runs(1500),
  );
  assert(found > 500, `only ${found} items were listed`);
});

test("scanListing: undefined for what is no listing, whatever the bytes are", () => {
  for (const text of [
    "",
    "[]",
    "{",
    '{"result":{"tools":[{"name":"a"}',
    '{"result":[]}',
    '{"result":{"tools":{}}}',
    '{"tools":[]}',
  ]) {
    assert.equal(scanListing(encode(text), "tools", "name"), undefined, text);
  }
  const empty = scanListing(encode('{"result":{"tools":[]}}'), "tools", "name");
  const silent = { nextCursor: undefined, ttlMs: undefined, cacheScope: undefined };
  assert.deepEqual(empty, { items: [], ...silent, skipped: 0 });
});
