// What a config says of listings: rules for items, views, disclosure, the lock, and the mistakes in them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createFolder } from "./kit.ts";

const yaml = `
backends:
  web:
    url: http://h/
    tags: [remote]
    tools: { allow: ["a*"], deny: [b], rename: { a1: x }, describe: { "a*": Text. }, override: { a1: { title: X } } }
    prompts: { deny: ["*"] }
  fs: { url: http://i/ }
views: { docs: { backends: [web], tools: ["web__*"] }, all: {} }
disclosure: search
lock: warn
naming: conflict
`;

test("catalog config: rules, views, disclosure and the lock become the plan", async () => {
  using folder = createFolder({ "a.yaml": yaml });
  const loaded = await folder.load(["a.yaml"]);
  assert.ok(loaded.kind === "ok");
  const { backends, views, disclosure, lock, naming } = loaded.plan;
  const [web, fs] = backends;
  assert.deepEqual(web?.tags, ["remote"]);
  assert.deepEqual(web.rules, {
    tools: {
      allow: ["a*"],
      deny: ["b"],
      rename: { a1: "x" },
      describe: { "a*": "Text." },
      override: { a1: { title: "X" } },
    },
    prompts: { deny: ["*"] },
  });
  assert.equal(fs?.rules, undefined);
  assert.deepEqual(views, [{ name: "docs", backends: ["web"], tools: ["web__*"] }, { name: "all" }]);
  assert.deepEqual(
    [disclosure, lock, naming],
    ["search", { mode: "warn", file: join(folder.path, "mcp.lock") }, "conflict"],
  );
});

test("catalog config: a view has a name of its own and backends that there are, a tool no other's name", async () => {
  const text = `
backends:
  fs: { url: http://i/, tools: { rename: { a: x, b: x, c: "no blanks" }, override: { a: { name: y } } } }
views: { fs: {}, "a b": {}, docs: { backends: [fss] } }
`;
  using folder = createFolder({ "a.yaml": text });
  const loaded = await folder.load(["a.yaml"]);
  assert.ok(loaded.kind === "invalid");
  const told = loaded.problems.map(({ message }) => message).join("\n");
  for (const part of [
    /views\.fs has the name of a backend/,
    /is no name for a view/,
    /views\.docs\.backends\[0\] is no backend/,
    /rename\.b is the name of another tool/,
    /rename\.c: expected a name of up to 64/,
    /override\.a\.name/,
  ])
    assert.match(told, part);
});
