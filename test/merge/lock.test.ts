// Locks: what counts as a change, what the file holds, and what a guard lets through.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeText } from "../../lib/core/text.ts";
import { readPage } from "../../lib/merge/catalog.ts";
import { computeLock, diffLock, formatLock, type Lock, LockGuard, lockTool, parseLock } from "../../lib/merge/lock.ts";
import { buildSlab, type Slab } from "../../lib/merge/slab.ts";

function slabOf(backend: string, ...tools: object[]): Slab {
  const page = readPage("tools", encodeText(JSON.stringify({ result: { tools } })));
  assert.ok(page);
  return buildSlab(backend, [page]);
}

const read = { name: "read", description: "Reads.", inputSchema: { type: "object", required: ["a", "b"] } };

test("lock: a digest changes with every word but the name, the metadata and the order of keys", () => {
  const { digest } = lockTool(read);
  const { inputSchema, ...rest } = read;
  const turned = { inputSchema: { required: inputSchema.required, type: inputSchema.type }, ...rest };
  assert.equal(lockTool({ ...turned, name: "x", _meta: { a: 1 } }).digest, digest);
  for (const other of [
    { ...read, description: "Reads!" },
    { ...read, inputSchema: { type: "object", required: ["b", "a"] } },
    { ...read, icons: [] },
    { ...read, annotations: { readOnlyHint: true } },
  ])
    assert.notEqual(lockTool(other).digest, digest);
});

test("lock: the file is what was locked, sorted, and any other text is no lock", () => {
  const name = fc.string({ minLength: 1 }).filter((each) => each !== "__proto__");
  const tools = fc.dictionary(name, fc.record({ description: fc.string(), annotations: fc.object() }));
  fc.assert(
    fc.property(fc.dictionary(name, tools), (backends) => {
      const lock: Lock = new Map(
        Object.entries(backends).map(([backend, all]) => [
          backend,
          new Map(Object.entries(all).map(([tool, definition]) => [tool, lockTool({ name: tool, ...definition })])),
        ]),
      );
      const text = formatLock(lock);
      const parsed = parseLock(text);
      assert.ok(parsed);
      assert.equal(formatLock(parsed), text);
      assert.deepEqual(diffLock(parsed, parsed), []);
    }),
    { numRuns: 50 },
  );
  for (const text of ["", "{}", "[]", '{"version":2,"backends":{}}', '{"version":1}'])
    assert.equal(parseLock(text), undefined);
});

test("lock: a change is told with its weight, those of a description always", () => {
  const before = computeLock([slabOf("fs", read, { name: "old" }), slabOf("gone", read)]);
  const changed = { ...read, description: "Writes.", inputSchema: { type: "object", required: ["a", "b", "c"] } };
  const after = computeLock([slabOf("fs", changed, { name: "new" })]);
  assert.deepEqual(
    diffLock(before, after).map(({ backend, name, weight, what }) => `${backend} ${name} ${weight} ${what}`),
    [
      "fs old breaking is gone",
      "fs read breaking c is required now",
      "fs new compatible is new",
      "fs read cosmetic description says something else",
      "gone read breaking is gone",
    ],
  );
  const icons = diffLock(computeLock([slabOf("fs", read)]), computeLock([slabOf("fs", { ...read, icons: [1] })]));
  assert.deepEqual(
    icons.map(({ what }) => what),
    ["other members differ"],
  );
});

test("lock: a guard that enforces keeps only what was accepted, one that warns keeps all; both tell once", () => {
  const lock = computeLock([slabOf("fs", read, { name: "list" })]);
  const now = slabOf("fs", { ...read, description: "Other." }, { name: "list" }, { name: "new" });
  for (const [mode, kept] of [
    ["enforce", ["list"]],
    ["warn", ["list", "new", "read"]],
  ] as const) {
    const told: string[] = [];
    const guard = new LockGuard(mode, lock, (backend, deviations) => {
      told.push(...deviations.map(({ tool, kind }) => `${backend} ${tool} ${kind}`));
    });
    assert.deepEqual(guard.judge(now).slab.locals, kept);
    assert.equal(guard.judge(now), guard.judge(now));
    assert.deepEqual(told, ["fs new new", "fs read changed"]);
    const other = slabOf("other", read);
    assert.deepEqual(guard.judge(other).deviations, [{ tool: "read", kind: "new", what: "is new" }]);
  }
});
