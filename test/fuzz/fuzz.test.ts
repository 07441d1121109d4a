// A short run of what full.ts does a million times: nothing crashes, nothing leaks, and every failure is a JSON-RPC error.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzBackend } from "./backend.ts";
import { fuzzFront } from "./front.ts";
import { fuzzStdio } from "./stdio.ts";

const limits = { timeout: 120_000 };
const seed = 20260728;

test("fuzz: the HTTP front", limits, async () => {
  const { sent, counts } = await fuzzFront(2_000, seed);
  assert.equal(sent, 2_000);
  // It is not refused as a whole.
  for (const status of [200, 202, 400, 404]) assert.ok((counts[`HTTP ${status}`] ?? 0) > 20, JSON.stringify(counts));
});

test("fuzz: stdin and stdout", limits, async () => {
  const { sent, counts } = await fuzzStdio(4_000, seed);
  assert.ok(sent >= 4_000 && (counts["lines that came back"] ?? 0) > 2_000, JSON.stringify(counts));
});

test("fuzz: a hostile backend over HTTP", limits, async () => {
  const { sent, counts } = await fuzzBackend("http", 1_500, seed);
  assert.equal(sent, 1_500);
  assert.ok((counts["HTTP 200"] ?? 0) > 500, JSON.stringify(counts));
});

test("fuzz: a hostile backend over stdio", limits, async () => {
  const { sent, counts } = await fuzzBackend("stdio", 1_500, seed);
  assert.equal(sent, 1_500);
  assert.ok((counts["HTTP 200"] ?? 0) > 500, JSON.stringify(counts));
});
