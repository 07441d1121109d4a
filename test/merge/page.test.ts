// Pages: joined bytes, and walks that see what stays exactly once while everything else changes around it.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Rooms } from "../../lib/core/room.ts";
import { Sealer } from "../../lib/core/seal.ts";
import { decodeText, encodeText } from "../../lib/core/text.ts";
import { readPage } from "../../lib/merge/catalog.ts";
import { Cursors } from "../../lib/merge/cursor.ts";
import { buildIndex } from "../../lib/merge/merged.ts";
import type { View } from "../../lib/merge/names.ts";
import { cutPage, type Walk, walkStart, writePage } from "../../lib/merge/page.ts";
import { buildSlab, type Slab } from "../../lib/merge/slab.ts";

const views: readonly View[] = [
  { backend: "", naming: "prefix", separator: "__" },
  { backend: "", naming: "none", separator: "__" },
];

/** What the backends list at one moment, in the order of the config. */
type World = readonly (readonly [backend: string, names: readonly string[]])[];

function slabOf(backend: string, names: readonly string[]): Slab {
  const tools = names.map((name) => JSON.stringify({ description: `of ${backend}`, name, x: [name] }));
  const page = readPage("tools", encodeText(`{"result":{"tools":[${tools.join(" , ")}]}}`));
  assert.ok(page);
  return buildSlab(backend, [page]);
}

interface Seen {
  readonly names: readonly string[];
  readonly next: Walk | undefined;
}

function pageOf(world: World, view: View, walk: Walk, size: number): Seen {
  const slabs = world.map(([backend, names]) => slabOf(backend, names));
  const { sections } = buildIndex("tools", slabs, view, []);
  const cut = cutPage(sections, walk, size);
  const items: unknown = JSON.parse(decodeText(writePage(cut, encodeText("["), encodeText("]"), new Rooms())));
  assert.ok(Array.isArray(items));
  // Without prefixes another backend may come to have a name: that is another item.
  return {
    names: items.map((item: Record<string, string>) => `${item["description"]} ${item["name"]}`),
    next: cut.next,
  };
}

const names = fc.uniqueArray(fc.stringMatching(/^[a-f]{1,3}$/), { maxLength: 12 });
const order = fc.shuffledSubarray(["one", "two", "three", "four"]);
const worlds: fc.Arbitrary<World> = fc
  .tuple(order, names, names, names, names)
  .map(([backends, ...lists]) => backends.map((backend, at) => [backend, lists[at] ?? []] as const));

/** The exposed names that every one of these worlds lists. */
function stayed(all: readonly World[], view: View): Set<string> {
  const lists = all.map((world) => new Set(pageOf(world, view, walkStart, Infinity).names));
  return new Set([...(lists[0] ?? [])].filter((name) => lists.every((list) => list.has(name))));
}

test("page: the pages of a listing that stays as it is are the listing", () => {
  fc.assert(
    fc.property(
      worlds,
      fc.constantFrom(...views),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (...at) => {
        const [world, view, sizes] = at;
        const whole = pageOf(world, view, walkStart, Infinity);
        assert.equal(whole.next, undefined);
        const seen: string[] = [];
        let walk: Walk | undefined = walkStart;
        for (let page = 0; walk; page += 1) {
          assert.ok(page <= whole.names.length, "the walk ends");
          const size = sizes[page % sizes.length] ?? 1;
          const { names, next }: Seen = pageOf(world, view, walk, size);
          // No page is short but the last one, and no last one is empty.
          if (next) assert.equal(names.length, size);
          else assert.ok(names.length > 0 || whole.names.length === 0);
          seen.push(...names);
          walk = next;
        }
        assert.deepEqual(seen, whole.names);
      },
    ),
  );
});

test("page: what is listed all the while is seen once, whatever is added, removed or moved between pages", () => {
  const use = { kind: "tools", view: "", principal: "p" } as const;
  const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 });
  const changes = fc.array(worlds, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(worlds, changes, sizes, fc.constantFrom(...views), (kept, changing, sizes, view) => {
      // What is in `kept` is in every world, between other things, and in any order of backends.
      const all = changing.map((world) => merge(world, kept));
      const seen: string[] = [];
      let walk: Walk | undefined = walkStart;
      for (let page = 0; walk && page < 500; page += 1) {
        const world = all[page % all.length] ?? kept;
        const { names, next }: Seen = pageOf(world, view, walk, sizes[page % sizes.length] ?? 1);
        seen.push(...names);
        // Another process with the same keys goes on.
        walk = next && new Cursors(new Sealer(["k"])).open(use, new Cursors(new Sealer(["k"])).seal(use, next));
      }
      assert.equal(walk, undefined, "the walk ends");
      for (const name of stayed(all, view)) assert.equal(seen.filter((each) => each === name).length, 1, name);
    }),
    { numRuns: 500 },
  );
});

function merge(world: World, kept: World): World {
  const rest = kept.filter(([backend]) => !world.some(([other]) => other === backend));
  const joined = world.map(([backend, names]) => {
    const more = kept.find(([other]) => other === backend)?.[1] ?? [];
    return [backend, [...new Set([...names, ...more])]] as const;
  });
  return [...joined, ...rest];
}

test("cursor: any changed byte, another key, kind, view or principal is refused with a reason", () => {
  const cursors = new Cursors(new Sealer(["key"]));
  const use = { kind: "tools", view: "", principal: "p" } as const;
  const walk: Walk = new Map([
    ["01234567", undefined],
    ["ba98_-10", 'n"\ud800'],
  ]);
  const cursor = cursors.seal(use, walk);
  assert.deepEqual(new Map(cursors.open(use, cursor)), walk);
  const reasonOf = (by: Cursors, as: Parameters<Cursors["open"]>[0], text: string): unknown => {
    try {
      by.open(as, text);
    } catch (error) {
      const { code, data } = (error as { toRpc(): { code: number; data: Record<string, unknown> } }).toRpc();
      assert.equal(code, -32_602);
      return data["reason"];
    }
    return undefined;
  };
  for (let at = 0; at < cursor.length; at += 1) {
    const other = cursor[at] === "A" ? "B" : "A";
    assert.equal(reasonOf(cursors, use, cursor.slice(0, at) + other + cursor.slice(at + 1)), "unknown", String(at));
  }
  for (const text of ["", "0", cursor.slice(1), `${cursor}A`, `${cursor}=`])
    assert.equal(reasonOf(cursors, use, text), "unknown", text);
  assert.equal(reasonOf(new Cursors(new Sealer(["other"])), use, cursor), "unknown");
  assert.equal(reasonOf(new Cursors(new Sealer(["other", "key"])), use, cursor), undefined);
  assert.equal(reasonOf(cursors, { ...use, kind: "prompts" }, cursor), "otherKind");
  assert.equal(reasonOf(cursors, { ...use, view: "fs" }, cursor), "otherView");
  assert.equal(reasonOf(cursors, { ...use, principal: "q" }, cursor), "otherPrincipal");
});
