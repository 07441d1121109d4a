// Sealed text opens for its purpose and keys, and nothing else opens.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../lib/core/errors.ts";
import { Sealer } from "../../lib/core/seal.ts";
import { encode, runs } from "./messages.ts";

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

test("seal: opens what it sealed, for the same purpose only", () => {
  const sealer = new Sealer(["secret"]);
  const replica = new Sealer(["secret"]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.string(), fc.string(), (payload, purpose, other) => {
      const sealed = sealer.seal(purpose, payload);
      assert.match(sealed, /^[A-Za-z0-9_-]+$/);
      const opened = replica.open(purpose, sealed);
      assert(opened !== undefined);
      assert.deepEqual([...opened], [...payload]);
      if (other !== purpose) assert.equal(replica.open(other, sealed), undefined);
    }),
    runs(500),
  );
  assert.deepEqual(sealer.open("p", sealer.seal("p", "é")), encode("é"));
  assert.deepEqual(sealer.open("p", sealer.seal("p", "")), new Uint8Array(0));
});

test("seal: the same payload never looks the same, and shows nothing", () => {
  const sealer = new Sealer(["secret"]);
  const sealed = Array.from({ length: 50 }, () => sealer.seal("p", "a-very-visible-payload"));
  assert.equal(new Set(sealed).size, 50);
  for (const text of sealed) assert.equal(Buffer.from(text, "base64url").includes("visible"), false);
});

test("seal: any change of any character is refused", () => {
  const sealer = new Sealer(["secret", "older"]);
  for (const payload of ["", "x", "xy", "a longer payload"]) {
    const sealed = sealer.seal("p", payload);
    for (let at = 0; at < sealed.length; at++) {
      for (const character of `${base64url}=+/ \n\u00e9`) {
        const tampered = sealed.slice(0, at) + character + sealed.slice(at + 1);
        if (character !== sealed[at]) assert.equal(sealer.open("p", tampered), undefined, `${at} ${character}`);
      }
      assert.equal(sealer.open("p", sealed.slice(0, at)), undefined);
      assert.equal(sealer.open("p", sealed.slice(at + 1)), undefined);
    }
    for (const end of ["=", "==", "A", " ", "\n"]) assert.equal(sealer.open("p", sealed + end), undefined);
  }
});

test("seal: the first key seals, all of them open, and a removed one does not", () => {
  const before = new Sealer(["old"]);
  const during = new Sealer(["new", "old"]);
  const after = new Sealer(["new"]);
  const old = before.seal("p", "1");
  const fresh = during.seal("p", "2");
  assert.deepEqual(during.open("p", old), encode("1"));
  assert.deepEqual(after.open("p", fresh), encode("2"));
  assert.equal(after.open("p", old), undefined);
  assert.equal(before.open("p", fresh), undefined);
});

test("seal: every one of many keys opens, also where two share a hint", () => {
  const keys = Array.from({ length: 600 }, (_, index) => `key ${index}`);
  const all = new Sealer(keys);
  for (const key of keys) assert.deepEqual(all.open("p", new Sealer([key]).seal("p", key)), encode(key));
});

test("seal: without keys each sealer has a random one", () => {
  const one = new Sealer([]);
  const other = new Sealer([]);
  assert.deepEqual(one.open("p", one.seal("p", "x")), encode("x"));
  assert.equal(other.open("p", one.seal("p", "x")), undefined);
  assert.throws(() => new Sealer(["good", ""]), GatewayError);
});

test("seal: garbage is refused without an exception", () => {
  const sealer = new Sealer(["secret"]);
  const garbage = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(...base64url.split("")), minLength: 30, maxLength: 90 }),
    // The right version and the right hint, so that decryption itself is reached.
    fc.uint8Array({ minLength: 28, maxLength: 60 }).map((bytes) => {
      const head = Buffer.from(sealer.seal("p", ""), "base64url").subarray(0, 2);
      return Buffer.concat([head, bytes]).toString("base64url");
    }),
  );
  fc.assert(
    fc.property(garbage, (text) => assert.equal(sealer.open("p", text), undefined)),
    runs(1000),
  );
});

test("seal: a sign is always the same for a text, and for nothing else", () => {
  const [sign] = new Sealer(["one"]).signs("task", "text");
  assert.deepEqual(new Sealer(["one"]).signs("task", "text"), [sign]);
  assert.equal(new Sealer(["new", "one"]).signs("task", "text")[1], sign);
  const others = [new Sealer(["two"]).signs("task", "text"), new Sealer(["one"]).signs("other", "text")];
  for (const other of [...others, new Sealer(["one"]).signs("task", "texts")]) assert.notEqual(other[0], sign);
});
