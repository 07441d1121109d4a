// The merged listing: order, bytes, doubles, and the way back from an exposed name.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ListingKind } from "../../lib/core/nouns.ts";
import { decodeText, encodeText } from "../../lib/core/text.ts";
import { Rooms } from "../../lib/core/room.ts";
import { kinds, listingKinds, readPage } from "../../lib/merge/catalog.ts";
import { buildIndex, type Index } from "../../lib/merge/merged.ts";
import type { View } from "../../lib/merge/names.ts";
import { cutPage, walkStart, writePage } from "../../lib/merge/page.ts";
import { buildSlab, itemAt, sameSlab, type Slab } from "../../lib/merge/slab.ts";

const prefixed: View = { backend: "", naming: "prefix", separator: "__" };
const plain: View = { ...prefixed, naming: "none" };

/** A slab of the text of each item, as a backend would send them. */
function slabOf(backend: string, kind: ListingKind, items: readonly string[]): Slab {
  const page = readPage(
    kind,
    encodeText(`{"jsonrpc":"2.0","id":1,"result":{"${kinds[kind].member}":[${items.join(",")}]}}`),
  );
  assert.ok(page);
  return buildSlab(backend, [page]);
}

const source = (backend: string, kind: ListingKind, ...names: string[]): Slab =>
  slabOf(
    backend,
    kind,
    names.map((name) => JSON.stringify({ [kinds[kind].key]: name, from: backend })),
  );

/** All items in one page. */
function textOf(index: Index): string {
  const cut = cutPage(index.sections, walkStart, Infinity);
  assert.equal(cut.next, undefined);
  return decodeText(writePage(cut, encodeText("["), encodeText("]"), new Rooms()));
}

function listed(index: Index, kind: ListingKind): string[] {
  const all = JSON.parse(textOf(index)) as Record<string, string>[];
  return all.map((item) => item[kinds[kind].key] ?? "");
}

test("catalog: items are ordered by backend as configured, then by exposed name, whatever order they came in", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/)),
      fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/)),
      (a, b) => {
        const index = buildIndex("tools", [source("z", "tools", ...a), source("a", "tools", ...b)], prefixed, [
          "a",
          "z",
        ]);
        const expected = [...a.map((name) => `z__${name}`).toSorted(), ...b.map((name) => `a__${name}`).toSorted()];
        assert.deepEqual(listed(index, "tools"), expected);
        assert.equal(index.size, expected.length);
      },
    ),
  );
});

test("catalog: an item is the bytes that came, with nothing but its name changed", () => {
  const item = '{ "x-big":9007199254740993,"name" : "r\\u0065ad" ,"inputSchema":{"name":"inner"},\n"x":1.50}';
  const slab = slabOf("fs", "tools", [item]);
  assert.equal(textOf(buildIndex("tools", [slab], prefixed, [])), `[${item.replace('"r\\u0065ad"', '"fs__read"')}]`);
  assert.equal(textOf(buildIndex("tools", [slab], plain, [])), `[${item}]`);
  assert.equal(decodeText(itemAt(slab, 0)), item);
});

test("catalog: every listed name leads to the item that it was made of", () => {
  const name = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^x{60,80}$/));
  fc.assert(
    fc.property(fc.uniqueArray(name), fc.uniqueArray(name), fc.constantFrom(...listingKinds), (a, b, kind) => {
      const sources = [source("one", kind, ...a), source("two", kind, ...b)];
      const index = buildIndex(kind, sources, prefixed, []);
      const names = listed(index, kind);
      assert.equal(new Set(names).size, names.length);
      const hidden = index.collisions.filter(({ exposed }) => exposed === undefined);
      assert.equal(names.length + hidden.length, a.length + b.length);
      for (const exposed of names) assert.ok(index.find(exposed), exposed);
    }),
  );
});

test("catalog: a name of two backends is the one's that has priority, and the other's is told", () => {
  const sources = [source("a", "tools", "read", "x"), source("b", "tools", "read", "y")];
  for (const [priority, owner] of [
    [[], "a"],
    [["b", "a"], "b"],
    [["b"], "b"],
  ] as const) {
    const index = buildIndex("tools", sources, plain, priority);
    assert.equal(index.find("read")?.backend, owner);
    const loser = owner === "a" ? "b" : "a";
    assert.deepEqual(index.collisions, [{ backend: loser, local: "read", owner, exposed: undefined }]);
    assert.deepEqual(listed(index, "tools").toSorted(), ["read", "x", "y"]);
  }
});

test("catalog: a URI of two backends stays the one's and has an address at the other", () => {
  const sources = [source("a", "resources", "note://1"), source("b", "resources", "note://1", "note://2")];
  const index = buildIndex("resources", sources, prefixed, ["b", "a"]);
  assert.deepEqual(listed(index, "resources"), ["mcpctl://a/note%3A%2F%2F1", "note://1", "note://2"]);
  assert.equal(index.find("note://1")?.backend, "b");
  assert.deepEqual(
    [index.find("mcpctl://a/note%3A%2F%2F1")?.backend, index.find("mcpctl://a/note%3A%2F%2F1")?.local],
    ["a", "note://1"],
  );
});

test("catalog: a name that a backend lists twice is listed once", () => {
  for (const kind of listingKinds) {
    const index = buildIndex(kind, [source("a", kind, "n", "n")], plain, []);
    assert.deepEqual(listed(index, kind), ["n"]);
    assert.deepEqual(index.collisions, [{ backend: "a", local: "n", owner: "a", exposed: undefined }]);
  }
});

test("catalog: a colliding URI that no URI can hold costs itself and not the listing", () => {
  const index = buildIndex(
    "resources",
    [source("a", "resources", "x\ud800"), source("b", "resources", "x\ud800", "y")],
    plain,
    [],
  );
  assert.equal(index.size, 2);
});

test("catalog: templates are found by the URIs that they can make, those with priority first", () => {
  const sources = [
    source("a", "resourceTemplates", "note://{id}"),
    source("b", "resourceTemplates", "note://{+path}", "x://{y}"),
  ];
  const index = buildIndex("resourceTemplates", sources, plain, ["b", "a"]);
  assert.deepEqual(
    index.matching("note://1").map(({ backend }) => backend),
    ["b", "a"],
  );
  assert.deepEqual(
    index.matching("note://1/2").map(({ backend }) => backend),
    ["b"],
  );
  assert.deepEqual(index.matching("y://1"), []);
});

test("catalog: a page tells its cursor, also an empty one, and how many elements it could not use", () => {
  const page = (text: string): ReturnType<typeof readPage> => readPage("tools", encodeText(text));
  assert.equal(page('{"result":{"tools":[],"nextCursor":""}}')?.nextCursor, "");
  assert.equal(page('{"result":{"tools":[],"nextCursor":null}}')?.nextCursor, undefined);
  assert.equal(page('{"result":{"tools":[1,{"name":2},{"name":"x"}]}}')?.skipped, 2);
  assert.equal(page('{"error":{"code":-32601,"message":"no"},"nextCursor":"x"}'), undefined);
  const cached = page('{"result":{"ttlMs":5,"tools":[],"cacheScope":"public"}}');
  assert.deepEqual(
    [cached?.ttlMs, cached?.cacheScope, page('{"result":{"tools":[]}}')?.ttlMs],
    [5, "public", undefined],
  );
});

test("catalog: two readings are the same where every byte of the items is, in whatever order they came", () => {
  const a = slabOf("a", "tools", ['{"name":"x"}', '{"name":"y"}']);
  assert.ok(sameSlab(a, slabOf("a", "tools", ['{"name":"y"}', '{"name":"x"}'])));
  assert.ok(!sameSlab(a, slabOf("a", "tools", ['{"name":"x" }', '{"name":"y"}'])));
  assert.ok(!sameSlab(a, slabOf("a", "tools", [])));
});
