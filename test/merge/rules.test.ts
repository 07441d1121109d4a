// What the config makes of items: hidden, renamed, in other words; globs; names that collide; views.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ToolRulesPlan, ViewPlan } from "../../lib/config/catalog.ts";
import { matcherOf } from "../../lib/core/glob.ts";
import { Rooms } from "../../lib/core/room.ts";
import { decodeText, encodeText } from "../../lib/core/text.ts";
import { readPage } from "../../lib/merge/catalog.ts";
import { Filter } from "../../lib/merge/filter.ts";
import { buildIndex, type Index } from "../../lib/merge/merged.ts";
import type { View } from "../../lib/merge/names.ts";
import { cutPage, walkStart, writePage } from "../../lib/merge/page.ts";
import { Rules } from "../../lib/merge/rules.ts";
import { buildSlab, type Slab } from "../../lib/merge/slab.ts";

const view = (naming: View["naming"]): View => ({ backend: "", naming, separator: "__" });

function slabOf(backend: string, ...tools: (string | object)[]): Slab {
  const items = tools.map((tool) => JSON.stringify(typeof tool === "string" ? { name: tool } : tool));
  const page = readPage("tools", encodeText(`{"result":{"tools":[${items.join(",")}]}}`));
  assert.ok(page);
  return buildSlab(backend, [page]);
}

function listed(index: Index): Record<string, unknown>[] {
  const cut = cutPage(index.sections, walkStart, Infinity);
  const value: unknown = JSON.parse(decodeText(writePage(cut, encodeText("["), encodeText("]"), new Rooms())));
  assert.ok(Array.isArray(value));
  return value as Record<string, unknown>[];
}

const namesIn = (index: Index): unknown[] => listed(index).map(({ name }) => name);
const ruled = (tools: ToolRulesPlan, slab: Slab): Slab => new Rules({ tools }).apply("tools", slab);

test("glob: means what a regular expression of it means, and everything else stands for itself", () => {
  const part = fc.constantFrom("a", "b", "*", "?", ".", "(", "[a]", "/", "**");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.stringMatching(/^[ab.(/]{0,8}$/), (parts, name) => {
      const glob = parts.join("");
      const pattern = glob
        .replace(/[.+^${}()|[\]\\/]/g, String.raw`\$&`)
        .replaceAll("*", ".*")
        .replaceAll("?", ".");
      assert.equal(matcherOf([glob])(name), new RegExp(`^${pattern}$`, "s").test(name), `${glob} ${name}`);
    }),
    { numRuns: 2000 },
  );
  assert.ok(!matcherOf([])("a"));
  const startedAt = performance.now();
  assert.ok(!matcherOf([`${"*a".repeat(100)}b`])("a".repeat(20_000)));
  assert.ok(performance.now() - startedAt < 20_000);
});

test("rules: what is not allowed, or denied, is not there", () => {
  const slab = slabOf("fs", "read_file", "read_dir", "write_file");
  const names = (tools: ToolRulesPlan): unknown[] =>
    namesIn(buildIndex("tools", [ruled(tools, slab)], view("none"), []));
  assert.deepEqual(names({ allow: ["read_*"] }), ["read_dir", "read_file"]);
  assert.deepEqual(names({ deny: ["*_file"] }), ["read_dir"]);
  assert.deepEqual(names({ allow: ["*_file"], deny: ["w*"] }), ["read_file"]);
  assert.deepEqual(names({ allow: [] }), []);
  assert.equal(ruled({ deny: ["x"] }, slab), slab);
  assert.equal(new Rules({ prompts: { deny: ["*"] } }).apply("tools", slab), slab);
});

test("rules: a renamed tool is listed and found by its new name alone, and called by its own", () => {
  const slab = ruled({ rename: { zap: "apply", none: "x" } }, slabOf("fs", "go", "zap"));
  const index = buildIndex("tools", [slab], view("prefix"), []);
  assert.deepEqual(namesIn(index), ["fs__apply", "fs__go"]);
  assert.deepEqual(index.find("fs__apply"), { backend: "fs", local: "zap" });
  assert.equal(index.find("fs__zap"), undefined);
  assert.deepEqual(index.find("fs__go"), { backend: "fs", local: "go" });
  // The name of another tool is that one's still.
  const taken = ruled({ rename: { zap: "go" } }, slabOf("fs", "go", "zap"));
  assert.deepEqual(taken.doubles, ["go"]);
  assert.equal(buildIndex("tools", [taken], view("none"), []).size, 1);
});

test("rules: descriptions and members are replaced by glob, the last one counts, and nothing else changes", () => {
  const tool = { name: "read", description: "Old.", inputSchema: { big: 1 }, annotations: { title: "t" } };
  const rules: ToolRulesPlan = {
    describe: { "*": "All.", "re*": "Read." },
    override: { read: { annotations: { readOnlyHint: true }, title: "Reads" }, other: { title: "no" } },
  };
  const [seen] = listed(buildIndex("tools", [ruled(rules, slabOf("fs", tool))], view("none"), []));
  assert.deepEqual(seen, {
    ...tool,
    description: "Read.",
    annotations: { readOnlyHint: true },
    title: "Reads",
  });
});

test("naming: conflict prefixes the names of several backends, and only these", () => {
  const slabs = [slabOf("a", "read", "x"), slabOf("b", "read", "y", "b__x")];
  const index = buildIndex("tools", slabs, view("conflict"), ["b", "a"]);
  assert.deepEqual(namesIn(index), ["a__read", "x", "b__read", "b__x", "y"]);
  assert.deepEqual(index.find("b__read"), { backend: "b", local: "read" });
  assert.deepEqual(index.find("x"), { backend: "a", local: "x" });
  assert.equal(index.find("read"), undefined);
  assert.deepEqual(
    index.collisions.map(({ backend, local, exposed }) => [backend, local, exposed]),
    [
      ["b", "read", "b__read"],
      ["a", "read", "a__read"],
    ],
  );
});

test("naming: whatever the mode, every listed name leads to one item, and every item is listed or reported", () => {
  const name = fc.stringMatching(/^(?:[ab]__)?[xy]{1,2}$/);
  const naming = fc.constantFrom("prefix", "none", "conflict");
  fc.assert(
    fc.property(fc.uniqueArray(name), fc.uniqueArray(name), naming, (a, b, mode) => {
      const index = buildIndex("tools", [slabOf("a", ...a), slabOf("b", ...b)], view(mode), ["b"]);
      const names = namesIn(index);
      assert.equal(new Set(names).size, names.length);
      const hidden = index.collisions.filter(({ exposed }) => exposed === undefined);
      assert.equal(names.length + hidden.length, a.length + b.length);
      const found = names.map((each) => JSON.stringify(index.find(String(each))));
      assert.equal(new Set(found).size, names.length);
    }),
  );
});

test("views: show what their globs fit of the exposed names, from the backends that they choose", () => {
  const slabs = [slabOf("fs", "read", "write"), slabOf("git", "log", "push")];
  const shown = (plan: Omit<ViewPlan, "name">): unknown[] =>
    namesIn(buildIndex("tools", slabs, view("prefix"), [], new Filter({ name: "v", ...plan })));
  assert.deepEqual(shown({}), ["fs__read", "fs__write", "git__log", "git__push"]);
  assert.deepEqual(shown({ tools: ["*__read", "git__*"] }), ["fs__read", "git__log", "git__push"]);
  assert.deepEqual(shown({ tools: [] }), []);
  const has = (plan: Omit<ViewPlan, "name">, name: string, tags?: string[]): boolean =>
    new Filter({ name: "v", ...plan }).hasBackend({ name, tags } as never);
  assert.ok(has({}, "fs") && has({ backends: ["fs"] }, "fs") && has({ tags: ["t"] }, "fs", ["s", "t"]));
  assert.ok(has({ backends: ["x"], tags: ["t"] }, "fs", ["t"]));
  assert.ok(!has({ backends: ["x"] }, "fs", ["x"]) && !has({ tags: ["t"] }, "fs"));
});
