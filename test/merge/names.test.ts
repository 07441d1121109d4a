// Exposed names: injective, stable, within what clients take, and the way back.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { namePattern } from "../../lib/config/rules.ts";
import { exposeName, exposeUri, isShortened, splitName, splitUri, type View } from "../../lib/merge/names.ts";

const prefixed: View = { backend: "", naming: "prefix", separator: "__" };
const plain: View = { ...prefixed, naming: "none" };
const backendName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/).filter((name) => namePattern.test(name));
const localName = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_.-]{1,80}$/),
  fc.string({ unit: "binary" }),
  // What is hard: separators, long common beginnings, the look of a digest.
  fc.constantFrom("__", "_", "a__b", "_a", `${"x".repeat(70)}1`, `${"x".repeat(70)}2`, "job_deadbeef", "a b", "a_b"),
);

test("names: two tools never get the same name, and one tool always the same", () => {
  const pair = fc.tuple(backendName, localName);
  fc.assert(
    fc.property(pair, pair, ([backendA, localA], [backendB, localB]) => {
      const a = exposeName(prefixed, backendA, localA);
      const b = exposeName(prefixed, backendB, localB);
      assert.equal(a === b, backendA === backendB && localA === localB, `${a} ${b}`);
      assert.equal(a, exposeName({ ...prefixed }, backendA, localA));
    }),
    { numRuns: 2_000 },
  );
});

test("names: every prefixed name is one that clients take", () => {
  fc.assert(
    fc.property(backendName, localName, (backend, local) => {
      assert.match(exposeName(prefixed, backend, local), /^[A-Za-z0-9_.-]{1,64}$/);
    }),
  );
});

test("names: a name that was not shortened leads back to its backend and local name", () => {
  fc.assert(
    fc.property(backendName, localName, (backend, local) => {
      const exposed = exposeName(prefixed, backend, local);
      if (exposed === `${backend}__${local}`) assert.deepEqual(splitName(prefixed, exposed), { backend, local });
      else assert.ok(isShortened(exposed), exposed);
    }),
  );
});

test("names: without naming a name is as it is, and has no prefix", () => {
  assert.equal(exposeName(plain, "fs", "a b__c"), "a b__c");
  assert.equal(splitName(plain, "fs__read"), undefined);
  assert.equal(splitName(prefixed, "read"), undefined);
  assert.equal(splitName(prefixed, "__read"), undefined);
});

test("names: a long name keeps its beginning and gets a digest, at exactly the limit", () => {
  const fits = "x".repeat(64 - "fs__".length);
  assert.equal(exposeName(prefixed, "fs", fits), `fs__${fits}`);
  const shortened = exposeName(prefixed, "fs", `${fits}x`);
  assert.equal(shortened.length, 64);
  assert.match(shortened, /^fs__x+_[0-9a-f]{8}$/);
});

test("names: the address of a resource at a backend leads back to its URI", () => {
  fc.assert(
    fc.property(backendName, fc.string({ unit: "binary" }), (backend, local) => {
      assert.deepEqual(splitUri(exposeUri(backend, local)), { backend, local });
    }),
  );
});

test("names: a URI that is no address, or a broken one, is no address", () => {
  for (const uri of ["file:///a", "mcpctl://", "mcpctl://fs", "mcpctl://fs/%", "mcpctl:/fs/a"])
    assert.equal(splitUri(uri), undefined, uri);
  // Half a surrogate pair: JSON can hold it, a URI cannot.
  assert.equal(typeof exposeUri("fs", "a\ud800"), "string");
});
