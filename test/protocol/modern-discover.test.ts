// Discover results are read and written, and probes tell the eras apart as the transport pages say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { entry, objectOf } from "../../lib/protocol/fields.ts";
import { agedCache, cacheOf, completeEntries, mergeCache, noCache } from "../../lib/protocol/modern-cache.ts";
import {
  type Discovered,
  discoverResult,
  judgeProbe,
  type ProbeOutcome,
  type ProbeVerdict,
  readDiscovered,
} from "../../lib/protocol/modern-discover.ts";
import { metaKeys } from "../../lib/protocol/modern-meta.ts";
import { modernCodec } from "../../lib/protocol/modern.ts";
import { envelope, failure, modernVersion, reply, valueOf } from "./wire.ts";

const serverInfo = { name: "s", version: "2", title: "S" };
const facts = {
  supported: [modernVersion, "2025-11-25"],
  capabilities: { tools: { listChanged: true } },
  serverInfo,
  instructions: "be kind",
  cache: { ttlMs: 5000, cacheScope: "public" },
} as const;

test("discover: what is written is read again", () => {
  const result = valueOf(discoverResult(facts));
  assert.deepEqual(readDiscovered(result), {
    facts: { protocolVersion: modernVersion, capabilities: facts.capabilities, serverInfo, instructions: "be kind" },
    supported: facts.supported,
    cache: facts.cache,
  } satisfies Discovered);
  assert.deepEqual(modernCodec.readOpened(result)?.serverInfo, serverInfo);
});

test("discover: the result has the members that the schema requires", () => {
  assert.deepEqual(valueOf(discoverResult({ ...facts, instructions: undefined })), {
    resultType: "complete",
    supportedVersions: facts.supported,
    capabilities: facts.capabilities,
    ttlMs: 5000,
    cacheScope: "public",
    _meta: { [metaKeys.serverInfo]: serverInfo },
  });
});

test("discover: identity beside the capabilities is read too, and may be absent", () => {
  const result = { supportedVersions: [modernVersion], capabilities: {} };
  assert.deepEqual(readDiscovered({ ...result, serverInfo })?.facts.serverInfo, serverInfo);
  assert.deepEqual(readDiscovered(result)?.facts.serverInfo, {});
  assert.deepEqual(readDiscovered(result)?.cache, noCache);
});

test("discover: anything else is no discover result", () => {
  for (const result of [
    undefined,
    {},
    { supportedVersions: [modernVersion] },
    { supportedVersions: [], capabilities: {} },
  ]) {
    assert.equal(readDiscovered(result), undefined);
  }
});

const kindOf = (outcome: ProbeOutcome, transport: "http" | "stdio"): ProbeVerdict["kind"] =>
  judgeProbe(outcome, transport).kind;
const replied = (message: ReturnType<typeof reply>, status?: number): ProbeOutcome => ({
  kind: "reply",
  reply: message,
  status,
});

test("probe: a discover result or a modern error means modern", () => {
  assert.equal(
    kindOf(replied(envelope({ jsonrpc: "2.0", id: 1, result: valueOf(discoverResult(facts)) as object })), "stdio"),
    "modern",
  );
  const data = { supported: ["2027-01-01"], requested: modernVersion };
  assert.equal(kindOf(replied(failure(-32022, data)), "stdio"), "disjoint");
  assert.equal(kindOf(replied(failure(-32020), 400), "http"), "refused");
  assert.equal(kindOf(replied(failure(-32021, { requiredCapabilities: {} }), 400), "http"), "refused");
});

test("probe: a server that refuses the version is asked again with one that it offers", () => {
  const verdict = judgeProbe(replied(failure(-32022, { supported: ["2099-01-01", modernVersion] })), "stdio");
  assert.deepEqual(verdict, { kind: "again", version: modernVersion });
});

test("probe: a server that offers only legacy revisions is legacy", () => {
  assert.equal(kindOf(replied(failure(-32022, { supported: ["2025-11-25"] })), "stdio"), "legacy");
  assert.equal(kindOf(replied(reply({ supportedVersions: ["2025-11-25"], capabilities: {} })), "http"), "legacy");
});

test("probe: any other error or body means legacy", () => {
  for (const code of [-32601, -32602, -32600, -32000, -32001, -32004, 0]) {
    assert.equal(kindOf(replied(failure(code)), "stdio"), "legacy");
    assert.equal(kindOf(replied(failure(code), 400), "http"), "legacy");
  }
  assert.equal(kindOf(replied(failure(-32601), 404), "http"), "legacy");
  assert.equal(kindOf(replied(failure(-32022)), "stdio"), "legacy");
  assert.equal(kindOf(replied(reply({})), "stdio"), "legacy");
  assert.equal(kindOf(replied(reply({ supportedVersions: [modernVersion] })), "stdio"), "legacy");
  for (const status of [400, 404, 405, 406, 415]) assert.equal(kindOf({ kind: "status", status }, "http"), "legacy");
});

test("probe: silence means legacy on stdio, and nothing over HTTP", () => {
  for (const kind of ["silent", "closed"] as const) {
    assert.equal(kindOf({ kind }, "stdio"), "legacy");
    assert.equal(kindOf({ kind }, "http"), "unknown");
  }
});

test("probe: authorization, overload and failures say nothing of the era", () => {
  for (const status of [401, 403, 407, 408, 429, 500, 502, 503]) {
    assert.equal(kindOf({ kind: "status", status }, "http"), "unknown");
    assert.equal(kindOf(replied(failure(-32022, { supported: ["2027-01-01"] }), status), "http"), "unknown");
  }
});

test("cache: the strictest of several hints, and what remains of one", () => {
  const open = { ttlMs: 1000, cacheScope: "public" } as const;
  assert.deepEqual(mergeCache([open, { ttlMs: 300, cacheScope: "public" }]), { ttlMs: 300, cacheScope: "public" });
  assert.deepEqual(mergeCache([open, { ttlMs: 2000, cacheScope: "private" }]), { ttlMs: 1000, cacheScope: "private" });
  assert.deepEqual(mergeCache([]), noCache);
  assert.deepEqual(agedCache(open, 400.5), { ttlMs: 599, cacheScope: "public" });
  assert.deepEqual(agedCache(open, 4000), { ttlMs: 0, cacheScope: "public" });
  for (const ttlMs of [-1, 1.5, "9", null]) assert.equal(cacheOf({ ttlMs }).ttlMs, 0);
});

test("cache: a page of the gateway's own says what it must", () => {
  assert.deepEqual(valueOf(objectOf([...completeEntries(noCache), entry("tools", [])])), {
    resultType: "complete",
    ttlMs: 0,
    cacheScope: "private",
    tools: [],
  });
  assert.deepEqual(valueOf(objectOf(completeEntries(undefined))), { resultType: "complete" });
});
