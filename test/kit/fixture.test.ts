// The fixture server does what other tests rely on, over both transports.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectClient, textOf } from "./client.ts";
import type { Target, TestClient } from "./client.ts";
import { runtimeCommand, startHttpServer } from "./process.ts";
import { RawClient } from "./raw-client.ts";

const stdio: Target = { command: runtimeCommand("test/kit/fixture-server.ts", "stdio") };

async function useEveryTool(one: TestClient): Promise<void> {
  const echoed = await one.call("echo", { a: [1, { b: null }] });
  assert.deepEqual(echoed["structuredContent"], { a: [1, { b: null }] });
  assert.deepEqual(JSON.parse(textOf(echoed)), { a: [1, { b: null }] });
  assert.equal((await one.callText("big", { bytes: 200_000 })).length, 200_000);
  assert.match(await one.callText("count", { nonce: "n" }), /"count":1/);
  assert.match(await one.callText("count", { nonce: "n" }), /"count":2/);
  await assert.rejects(one.call("fail", { code: -32042, message: "exactly this", data: { why: 1 } }), {
    code: -32042,
    message: "MCP error -32042: exactly this",
    data: { why: 1 },
  });
  assert.match(await one.callText("ask-sampling"), /An answer of the test model/);
  assert.match(await one.callText("ask-elicitation"), /"content":\{"name":"Ada"\}/);
  assert.match(await one.callText("ask-elicitation-url"), /"action":"accept"/);
  assert.match(await one.callText("ask-roots"), /file:\/\/\/tmp\/root/);
  assert.deepEqual(
    one.asked.map(({ method }) => method),
    ["sampling/createMessage", "elicitation/create", "elicitation/create", "roots/list"],
  );
}

async function useEveryNotification(one: TestClient): Promise<void> {
  await one.call("log", { text: "hello", level: "warning" });
  await one.notified("notifications/message", ({ data, level }) => data === "hello" && level === "warning");
  await one.client.setLoggingLevel("error");
  await one.call("log", { text: "unheard", level: "info" });
  await one.call("slow", { ms: 120 }, { progressToken: "token-1" });
  const progress = one.notifications.filter(({ method }) => method === "notifications/progress");
  assert.equal(progress.length, 3);
  assert.ok(progress.every(({ params }) => params?.["progressToken"] === "token-1"));
  assert.ok(!one.notifications.some(({ params }) => params?.["data"] === "unheard"));
  await one.client.subscribeResource({ uri: "test://watched-resource" });
  assert.match(await one.callText("touch"), /"notified":1/);
  await one.notified("notifications/resources/updated", ({ uri }) => uri === "test://watched-resource");
  await one.client.unsubscribeResource({ uri: "test://watched-resource" });
  assert.match(await one.callText("touch"), /"notified":0/);
  const before = (await one.client.listTools()).tools.length;
  assert.equal(await one.callText("grow", { name: "new-tool" }), "new-tool");
  await one.notified("notifications/tools/list_changed");
  assert.equal((await one.client.listTools()).tools.length, before + 1);
  assert.equal(await one.callText("new-tool"), "new-tool");
  await one.call("shrink");
  assert.equal((await one.client.listTools()).tools.length, before);
}

async function cancelCall(one: TestClient): Promise<void> {
  const abort = new AbortController();
  const params = { name: "slow", arguments: { ms: 60_000, nonce: "gone" }, _meta: { progressToken: "cancel-me" } };
  const call = one.client.callTool(params, undefined, { signal: abort.signal });
  await one.notified("notifications/progress", ({ progressToken }) => progressToken === "cancel-me");
  abort.abort("enough");
  await assert.rejects(call);
  assert.equal(await one.callText("cancelled", { nonce: "gone" }), '["gone"]');
}

async function useCrash(one: TestClient): Promise<void> {
  const pid = Number(await one.callText("pid"));
  assert.ok(pid > 0);
  assert.notEqual(await one.callText("session"), "");
  await assert.rejects(one.client.callTool({ name: "crash" }, undefined, { timeout: 5000 }));
}

test("fixture: every tool works over stdio", { timeout: 120_000 }, async () => {
  await using one = await connectClient(stdio);
  await useEveryTool(one);
  await useEveryNotification(one);
  await cancelCall(one);
  await useCrash(one);
});

test("fixture: every tool works over HTTP", { timeout: 120_000 }, async () => {
  await using server = await startHttpServer();
  await using one = await connectClient({ url: server.url });
  await useEveryTool(one);
  // The GET stream is what carries notifications outside calls; the client opens it without saying when it is open.
  await useEveryNotification(one);
  await cancelCall(one);
  await one[Symbol.asyncDispose]();
  await using raw = await connectClient({ url: server.url });
  const crash = raw.call("crash").catch(() => {});
  assert.equal((await server.proc.exited).code, 1);
  await raw.client.close();
  await crash;
});

test("fixture: a raw result keeps integers of 64 bits, unknown fields and vendor types over HTTP", async () => {
  await using server = await startHttpServer();
  const client = new RawClient(server.url);
  await client.initialize();
  const answer = await client.request("tools/call", { name: "raw" }, "id-1");
  assert.match(answer, /"x-before":\{"kept":true,"big":9007199254740993\}/);
  assert.match(answer, /\{"type":"x-vendor\/blob","payload":\{"n":9007199254740993\},"z":1,"a":2\}/);
});

test("fixture: two HTTP sessions have two names, and an ended one is unknown", async () => {
  await using server = await startHttpServer();
  const [a, b] = [new RawClient(server.url), new RawClient(server.url)];
  await a.initialize();
  await b.initialize();
  assert.notEqual(
    await a.request("tools/call", { name: "session" }),
    await b.request("tools/call", { name: "session" }),
  );
  assert.equal((await a.delete()).status, 200);
  assert.equal((await a.post({ jsonrpc: "2.0", id: 1, method: "ping" })).status, 404);
  assert.equal((await b.post({ jsonrpc: "2.0", id: 1, method: "ping" })).status, 200);
});

test("fixture: a stream can be resumed after the last event that was seen", async () => {
  await using server = await startHttpServer();
  const client = new RawClient(server.url);
  await client.initialize();
  const call = { jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "test_reconnection" } };
  await using stream = await client.postStream(call);
  const priming = await stream.next();
  assert.equal(priming?.data, "");
  assert.equal(priming?.retry, "100");
  assert.equal(await stream.next(), undefined);
  await using resumed = await client.get({ "last-event-id": priming?.id });
  assert.match((await resumed.next())?.data ?? "", /Answered after the stream was closed/);
});
