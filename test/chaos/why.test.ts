// `mcpctl why`: the trail of a call that moved, of a tool that is not there, of an open breaker, and of a bridged call.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askWhy, describeFlight } from "../../lib/toolbox.ts";
import { fixtureStdio, Gateway } from "../e2e/kit.ts";
import { mcpctl } from "../cli/kit.ts";
import { ModernPeer } from "../kit/modern-peer.ts";
import { callOnce, HttpReplica, Records, startGateway } from "./kit.ts";

/** The trail of the latest call, with what differs from run to run replaced. */
async function trailOf(gateway: Gateway, id?: string): Promise<string[]> {
  const [latest] = await askWhy(id, gateway.url(), 5_000);
  assert.ok(latest);
  return describeFlight(latest).map((line) =>
    line
      .replace(/id .*, at .*$/, "id X, at T")
      .replaceAll(/\+\d+ ms/g, "+N ms")
      .replaceAll(/\b\d+ ms/g, "N ms")
      .replaceAll(/127\.0\.0\.1:\d+/g, "HOST")
      .replace(/^ +(?=\+)/, "  "),
  );
}

test("why: a call that moved to another replica says where it failed, and why it could move", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await startGateway({
    b: { replicas: [{ url: one.url }, { url: two.url }], balance: "priority" },
  });
  const client = await gateway.client();
  await callOnce(client, "b__read");
  assert.deepEqual((await trailOf(gateway)).slice(0, 2), [
    "tools/call b__read, id X, at T",
    '  answered after N ms; came to /mcp, went to backend "b"',
  ]);
  const moved = await callOnce(client, "b__read", { fault: "resetAfter" });
  assert.equal(moved.attempts, 2);
  assert.deepEqual(await trailOf(gateway), [
    "tools/call b__read, id X, at T",
    '  answered after N ms; came to /mcp, went to backend "b"',
    "  +N ms  sent to replica 0",
    '  +N ms  failed at replica 0 after N ms (E4105, it may have run): backend "b": HOST closed the connection before it answered',
    "  +N ms  sent to replica 1",
    "  +N ms  answered by replica 1 after N ms",
  ]);
  const lost = await callOnce(client, "b__add", { fault: "resetAfter" });
  assert.equal(lost.text, undefined);
  assert.deepEqual(await trailOf(gateway), [
    "tools/call b__add, id X, at T",
    '  failed after N ms; came to /mcp, went to backend "b"',
    "  +N ms  sent to replica 0",
    '  +N ms  failed at replica 0 after N ms (E4105, it may have run): backend "b": HOST closed the connection before it answered',
    "  +N ms  not sent again: it may have run already",
    '  +N ms  the caller is told E4105: backend "b": HOST closed the connection before it answered',
  ]);
});

test("why: a tool that is not there says who was asked, and who hides it", async () => {
  using records = new Records();
  await using one = await HttpReplica.start(records.file("r"));
  await using gateway = await Gateway.start({
    naming: "none",
    priority: ["b"],
    backends: { a: { url: one.url }, b: { url: one.url } },
  });
  await gateway.up("a", "b");
  const client = await gateway.client();
  await client.request("tools/call", { name: "nothing" }, "hidden");
  assert.deepEqual(await trailOf(gateway, "hidden"), [
    "tools/call nothing, id X, at T",
    "  failed after N ms; came to /mcp, went to no backend",
    "  +N ms  no backend of this endpoint lists it: a, b",
  ]);
  await callOnce(client, "read");
  assert.deepEqual(await trailOf(gateway), [
    "tools/call read, id X, at T",
    '  answered after N ms; came to /mcp, went to backend "b"',
    '  +N ms  backend "a" has it too; "b" comes before it',
    '  +N ms  by the catalog it is "read" of backend "b"',
  ]);
});

test("why: an open breaker says which failures opened it, and for how long", async () => {
  using records = new Records();
  await using one = await HttpReplica.start(records.file("r"));
  await using gateway = await startGateway({ b: { url: one.url, breaker: { failures: 2, open: "30s" } } });
  const client = await gateway.client();
  for (let call = 0; call < 2; call += 1) await callOnce(client, "b__add", { fault: "resetAfter" });
  const refused = await callOnce(client, "b__add");
  assert.equal(refused.data["class"], "notSent");
  assert.equal(refused.data["attempts"], 0);
  assert.ok(Number(refused.data["retryAfterMs"]) > 25_000);
  assert.deepEqual(await trailOf(gateway), [
    "tools/call b__add, id X, at T",
    '  failed after N ms; came to /mcp, went to backend "b"',
    '  +N ms  replica 0 is up; its last calls failed: backend "b": HOST closed the connection before it answered',
    '  +N ms  the caller is told E4107: backend "b" is left alone for N ms: its last calls failed',
  ]);
});

test("why: a call of a modern client to a legacy server says what was asked of whom, in each round", async () => {
  await using gateway = await startGateway({ b: fixtureStdio() });
  const peer = new ModernPeer(gateway.url("b"));
  await peer.finish("survey", { nonce: "n" });
  const trail = await trailOf(gateway);
  assert.deepEqual(trail, [
    "tools/call survey, id X, at T",
    '  answered after N ms; came to /mcp/b, went to backend "b"',
    '  +N ms  backend "b" asks the client for elicitation/create',
    trail[3],
    '  +N ms  backend "b" asks the client for sampling/createMessage',
    trail[5],
    '  +N ms  backend "b" asks the client for roots/list',
    trail[7],
  ]);
  for (const at of [3, 5, 7]) assert.match(trail[at] ?? "", /the client answers \w+-\d+ with request /);
  const [latest] = await askWhy(undefined, gateway.url(), 5_000);
  assert.equal(latest?.ids.length, 4);
});

test("why: the command prints the trail, as text and as JSON, and says where there is none", async () => {
  using records = new Records();
  await using one = await HttpReplica.start(records.file("r"));
  await using gateway = await startGateway({ b: { url: one.url } });
  const client = await gateway.client();
  await client.request("tools/call", { name: "b__read", arguments: { nonce: "x" } }, "mine");
  const address = new URL(gateway.url()).host;
  const found = mcpctl(["why", "mine", address]);
  assert.equal(found.code, 0, found.stderr);
  assert.match(
    found.stdout,
    /^tools\/call b__read, id "mine", at .*\n {2}answered after \d+ ms; came to \/mcp, went to backend "b"\n/,
  );
  const json = mcpctl(["why", "mine", address, "-o", "json"]);
  assert.match(json.stdout, /"outcome": "answered"/);
  const missing = mcpctl(["why", "other", address]);
  assert.deepEqual([missing.code, missing.stdout], [1, "no call with id other among the last ones\n"]);
});
