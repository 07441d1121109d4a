// The modern fixture server does what other tests rely on, over both transports, and the modern client hears it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Target } from "./client.ts";
import { connectClient } from "./client.ts";
import { connectModern, textIn } from "./modern-client.ts";
import type { ModernTestClient } from "./modern-client.ts";
import { headerValue, modernLine, modernRequest } from "./modern-raw.ts";
import { runtimeCommand, startHttpServer, startScript } from "./process.ts";
import { RawClient } from "./raw-client.ts";

const script = "test/kit/modern-server.ts";
const stdio: Target = { command: runtimeCommand(script, "stdio") };
const watched = "test://watched-resource";

async function useTools(one: ModernTestClient): Promise<void> {
  assert.equal(one.era, "modern");
  assert.deepEqual((await one.call("echo", { a: [1, { b: null }] })).structuredContent, { a: [1, { b: null }] });
  assert.deepEqual((await one.call("structured-array")).structuredContent, [1, 2, 3]);
  assert.equal((await one.call("structured-null")).structuredContent, null);
  assert.match(await one.callText("count", { nonce: "n" }), /"count":1/);
  assert.deepEqual(JSON.parse(await one.callText("counts")), { n: 1 });
  await assert.rejects(one.call("fail", { code: -32077, message: "exactly this", data: { why: 1 } }), {
    code: -32077,
    message: "exactly this",
    data: { why: 1 },
  });
  // The header parameters are known from the listing, and the server checks them.
  await one.client.listTools();
  const params = { region: "Zürich ", priority: 3, urgent: true, note: "free" };
  assert.deepEqual(JSON.parse(await one.callText("header-params", params)), params);
  const { contents } = await one.client.readResource({ uri: "ui://fixture/clock" });
  assert.equal(contents[0]?.mimeType, "text/html;profile=mcp-app");
  await assert.rejects(one.client.readResource({ uri: "test://nowhere" }), { code: -32602 });
}

async function answerQuestions(one: ModernTestClient): Promise<void> {
  assert.match(await one.callText("ask-sampling"), /An answer of the test model/);
  assert.match(await one.callText("ask-elicitation"), /"content":\{"name":"Ada"\}/);
  assert.match(await one.callText("ask-elicitation-url"), /"action":"accept"/);
  assert.match(await one.callText("ask-roots"), /file:\/\/\/tmp\/root/);
  const kinds = ["sampling/createMessage", "elicitation/create", "elicitation/create", "roots/list"];
  assert.deepEqual(
    one.asked.map(({ method }) => method),
    kinds,
  );
  assert.deepEqual(Object.keys(JSON.parse(await one.callText("ask-all"))), ["name", "opinion", "places"]);
  const survey: unknown = JSON.parse(await one.callText("survey", { nonce: "s" }));
  assert.ok(typeof survey === "object" && survey !== null && "count" in survey && "rounds" in survey);
  assert.deepEqual([survey.count, survey.rounds], [1, 4]);
}

async function hearNotifications(one: ModernTestClient): Promise<void> {
  await one.call("log", { text: "unheard", level: "error" });
  await one.call("log", { text: "too low", level: "info" }, { logLevel: "warning" });
  await one.call("log", { text: "hello", level: "warning" }, { logLevel: "warning" });
  await one.notified("notifications/message", ({ data, level }) => data === "hello" && level === "warning");
  await one.call("slow", { ms: 120 }, { progressToken: "token-1" });
  const heard = (method: string): (Readonly<Record<string, unknown>> | undefined)[] =>
    one.notifications.filter((notice) => notice.method === method).map(({ params }) => params);
  assert.equal(heard("notifications/message").length, 1);
  assert.deepEqual(
    heard("notifications/progress").map((params) => params?.["progressToken"]),
    ["token-1", "token-1", "token-1"],
  );
  const subscription = await one.listen({ resourceSubscriptions: [watched], toolsListChanged: true });
  assert.deepEqual(subscription.honoredFilter, { resourceSubscriptions: [watched], toolsListChanged: true });
  assert.match(await one.callText("touch"), /"notified":1/);
  await one.notified("notifications/resources/updated", ({ uri }) => uri === watched);
  const before = (await one.client.listTools()).tools.length;
  await one.call("grow", { name: "new-tool" });
  await one.notified("notifications/tools/list_changed");
  assert.equal((await one.client.listTools(undefined, { cacheMode: "refresh" })).tools.length, before + 1);
  await one.call("shrink");
  await subscription.close();
  assert.equal(await subscription.closed, "local");
}

async function cancelCall(one: ModernTestClient): Promise<void> {
  const abort = new AbortController();
  const call = one.call("slow", { ms: 60_000, nonce: "gone" }, { signal: abort.signal, progressToken: "cancel-me" });
  await one.notified("notifications/progress", ({ progressToken }) => progressToken === "cancel-me");
  abort.abort("enough");
  await assert.rejects(call);
  assert.equal(await one.callText("cancelled", { nonce: "gone" }), '["gone"]');
  // The listen stream that was closed before is forgotten.
  assert.equal(await one.callText("subscriptions", { atMost: 0 }), "[]");
}

test("modern fixture: everything works over stdio", { timeout: 120_000 }, async () => {
  await using one = await connectModern(stdio);
  await useTools(one);
  await answerQuestions(one);
  await hearNotifications(one);
  await cancelCall(one);
});

test("modern fixture: everything works over HTTP", { timeout: 120_000 }, async () => {
  await using server = await startHttpServer(script);
  await using one = await connectModern({ url: server.url });
  await useTools(one);
  await answerQuestions(one);
  await hearNotifications(one);
  await cancelCall(one);
});

test("modern fixture: it is modern only, unless it is told to be both", { timeout: 120_000 }, async () => {
  await using modern = await startHttpServer(script);
  await assert.rejects(connectClient({ url: modern.url }));
  await assert.rejects(connectModern({ url: modern.url }, { era: "legacy" }));
  await assert.rejects(connectClient(stdio));
  await using both = await startHttpServer(script, ["--both"]);
  for (const target of [{ url: both.url }, { command: runtimeCommand(script, "stdio", "--both") }] satisfies Target[]) {
    await using old = await connectClient(target);
    assert.match(await old.callText("survey", { nonce: "old" }), /"count":1,"rounds":4/);
    await old.client.subscribeResource({ uri: watched });
    assert.match(await old.callText("touch"), /"notified":1/);
    await old.notified("notifications/resources/updated");
    await using auto = await connectModern(target, { era: "auto" });
    assert.equal(auto.era, "modern");
  }
});

test("modern fixture: the modern client finds a legacy server", { timeout: 120_000 }, async () => {
  await using server = await startHttpServer();
  for (const target of [
    { url: server.url },
    { command: runtimeCommand("test/kit/fixture-server.ts") },
  ] satisfies Target[]) {
    await assert.rejects(connectModern(target));
    await using auto = await connectModern(target, { era: "auto", probeTimeoutMs: 3000 });
    assert.equal(auto.era, "legacy");
    assert.match(await auto.callText("survey", { nonce: "auto" }), /"count":1/);
  }
});

test("modern fixture: a raw request has its headers, and one that is wrong is refused", async () => {
  await using server = await startHttpServer(script);
  const raw = new RawClient(server.url);
  const post = (...parts: Parameters<typeof modernRequest>): ReturnType<RawClient["post"]> => {
    const { body, headers } = modernRequest(...parts);
    return raw.post(body, headers);
  };
  const answer = await post("tools/call", { name: "raw" });
  assert.match(answer.text, /\{"type":"x-vendor\/blob","payload":\{"n":9007199254740993\},"z":1,"a":2\}/);
  const wrong = await post("tools/call", { name: "echo" }, { headers: { "mcp-name": "other" } });
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /-32020/);
  const args = { name: "header-params", arguments: { region: "eu" } };
  assert.equal((await post("tools/call", args)).status, 400);
  assert.equal((await post("tools/call", args, { paramHeaders: { region: "eu" } })).status, 200);
  const task = await post("tools/call", { name: "failing_job" });
  assert.equal(task.status, 400);
  assert.match(task.text, /-32021/);
  assert.equal(headerValue(" padded "), "=?base64?IHBhZGRlZCA=?=");
  assert.equal(headerValue("us-west1"), "us-west1");
});

const tasks = { capabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } } };

test("modern fixture: a raw result, a task and its notifications over stdio", async () => {
  await using server = startScript(script, ["stdio"]);
  server.write(modernLine("tools/call", { name: "raw" }, { id: "raw" }));
  await server.line(/"id":"raw".*9007199254740993/);
  server.write(modernLine("tools/call", { name: "confirm_delete" }, { id: "task", ...tasks }));
  const [, taskId = ""] = await server.line(/"id":"task".*"taskId":"([^"]+)"/);
  server.write(
    modernLine("subscriptions/listen", { notifications: { taskIds: [taskId] } }, { id: "listen", ...tasks }),
  );
  await server.line(
    /subscriptions\/acknowledged.*"taskIds":\["[^"]+"\].*"io.modelcontextprotocol\/subscriptionId":"listen"/,
  );
  const inputResponses = { confirm: { action: "accept", content: { confirm: true } } };
  server.write(modernLine("tasks/update", { taskId, inputResponses }, { id: "update", ...tasks }));
  await server.line(/notifications\/tasks.*"status":"completed"/);
  server.write(modernLine("tasks/get", { taskId }, { id: "get", ...tasks }));
  await server.line(/"id":"get".*"status":"completed".*Deleted after/);
});

test("modern fixture: notifications of a task over HTTP", async () => {
  await using server = await startHttpServer(script);
  const raw = new RawClient(server.url);
  const call = modernRequest("tools/call", { name: "slow_compute", arguments: { seconds: 60 } }, tasks);
  const [, taskId = ""] = /"taskId":"([^"]+)"/.exec((await raw.post(call.body, call.headers)).text) ?? [];
  const listen = modernRequest("subscriptions/listen", { notifications: { taskIds: [taskId] } }, { id: "l", ...tasks });
  await using stream = await raw.postStream(listen.body, listen.headers);
  assert.match((await stream.next())?.data ?? "", /acknowledged/);
  const cancel = modernRequest("tasks/cancel", { taskId }, tasks);
  assert.equal((await raw.post(cancel.body, cancel.headers)).status, 200);
  assert.match((await stream.next())?.data ?? "", /"method":"notifications\/tasks".*"status":"cancelled"/);
});

test("modern fixture: the text of a result is read", () => {
  assert.equal(textIn({ content: [{ type: "text", text: "this" }] }), "this");
});
