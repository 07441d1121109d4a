// Modern clients at the HTTP front: which requests are theirs, what is refused with which status, streams and their end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { modernRequest } from "../kit/modern-raw.ts";
import type { ModernRequestOptions } from "../kit/modern-raw.ts";
import { type Answer, codeOf, Events, FrontClient, read, startBench } from "./kit.ts";
import type { Bench, Changes } from "./kit.ts";
import { type Message, record, within } from "./peer.ts";

const meta = "io.modelcontextprotocol";

class ModernClient {
  readonly front: FrontClient;

  constructor({ gateway }: Bench) {
    this.front = new FrontClient(gateway);
  }

  async ask(method: string, params: Message = {}, options: ModernRequestOptions = {}): Promise<Answer> {
    const { body, headers } = modernRequest(method, params, options);
    return this.front.post(body, headers);
  }

  /** Resolves with the head of the answer. */
  open(method: string, params: Message, options: ModernRequestOptions = {}, signal?: AbortSignal): Promise<Response> {
    const { body, headers } = modernRequest(method, params, options);
    return this.front.send("POST", body, headers, signal);
  }
}

const call: Message = { name: "peer__work", arguments: {} };

function dataOf({ json }: Answer): Message {
  return record(record(json["error"])["data"]);
}

test("modern front: a request is refused for the first thing that is wrong with it", async () => {
  await using bench = await startBench();
  const client = new ModernClient(bench);
  const bare = { jsonrpc: "2.0", id: 7, method: "tools/list" };
  const version = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };
  const cases: readonly [what: string, answer: Promise<Answer>, status: number, code: number][] = [
    ["no params", client.front.post(bare, version), 400, -32602],
    ["no _meta", client.front.post({ ...bare, params: {} }, version), 400, -32602],
    ["no version", client.ask("tools/list", {}, { meta: { [`${meta}/protocolVersion`]: undefined } }), 400, -32602],
    [
      "no capabilities",
      client.ask("tools/list", {}, { meta: { [`${meta}/clientCapabilities`]: undefined } }),
      400,
      -32602,
    ],
    ["a level that is none", client.ask("tools/list", {}, { logLevel: "loud" }), 400, -32602],
    ["clientInfo without a name", client.ask("tools/list", {}, { clientInfo: {} }), 400, -32602],
    [
      "header and body differ",
      client.ask("tools/list", {}, { version: "v999", headers: { "mcp-protocol-version": "2026-07-28" } }),
      400,
      -32020,
    ],
    [
      "legacy header, modern body",
      client.ask("tools/list", {}, { headers: { "mcp-protocol-version": "2025-11-25" } }),
      400,
      -32020,
    ],
    [
      "no version header",
      client.ask("tools/list", {}, { headers: { "mcp-protocol-version": undefined } }),
      400,
      -32020,
    ],
    ["an unknown version", client.ask("tools/list", {}, { version: "v999" }), 400, -32022],
    ["no method header", client.ask("tools/list", {}, { headers: { "mcp-method": undefined } }), 400, -32020],
    ["another method", client.ask("tools/list", {}, { headers: { "mcp-method": "prompts/list" } }), 400, -32020],
    ["no name header", client.ask("tools/call", call, { headers: { "mcp-name": undefined } }), 400, -32020],
    ["another name", client.ask("tools/call", call, { headers: { "mcp-name": "peer__other" } }), 400, -32020],
    ["a method that is gone", client.ask("ping"), 404, -32601],
    ["initialize that claims to be modern", client.ask("initialize"), 404, -32601],
    ["another that is gone", client.ask("resources/subscribe", { uri: "x:y" }), 404, -32601],
    ["tasks without the capability", client.ask("tasks/get", { taskId: "t" }), 400, -32021],
    ["a cursor of nobody", client.ask("tools/list", { cursor: "x" }), 200, -32602],
  ];
  for (const [what, pending, status, code] of cases) {
    const answer = await pending;
    assert.deepEqual([what, answer.status, codeOf(answer)], [what, status, code]);
    assert.ok("id" in answer.json, what);
  }
  const { supported, requested } = dataOf(await client.ask("tools/list", {}, { version: "v999" }));
  assert.equal(requested, "v999");
  assert.deepEqual(supported, record((await client.ask("server/discover")).json["result"])["supportedVersions"]);
});

test("modern front: what is no single request is refused or taken as the transport says", async () => {
  await using bench = await startBench();
  const { front } = new ModernClient(bench);
  const { body, headers } = modernRequest("tools/list");
  const { id: _, ...rest } = modernRequest("notifications/cancelled", { requestId: 1 }).body;
  assert.deepEqual([(await front.post(rest, headers)).status, (await front.post(rest, headers)).text], [202, ""]);
  for (const wrong of [[body], [body, body], { jsonrpc: "2.0", id: 1, result: {} }]) {
    const answer = await front.post(wrong, headers);
    assert.deepEqual([answer.status, codeOf(answer)], [400, -32600]);
  }
  assert.equal((await front.post(body, { ...headers, accept: "application/json" })).status, 406);
  assert.equal((await front.post(body, { ...headers, "content-type": "text/plain" })).status, 415);
  for (const method of ["GET", "DELETE"]) {
    const changes: Changes = { accept: "text/event-stream", "mcp-protocol-version": "2026-07-28" };
    const answer = await read(await front.send(method, undefined, changes));
    assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST"]);
  }
});

test("modern front: both eras are served at one endpoint, and sessions mean nothing to modern requests", async () => {
  await using bench = await startBench();
  const client = new ModernClient(bench);
  const legacy = await bench.client();
  const answer = await client.ask("tools/list", {}, { headers: { "mcp-session-id": "none", "last-event-id": "1" } });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("mcp-session-id"), null);
  const result = record(answer.json["result"]);
  assert.deepEqual(
    [result["resultType"], result["cacheScope"], typeof result["ttlMs"]],
    ["complete", "private", "number"],
  );
  assert.ok(record(result["_meta"])[`${meta}/serverInfo`]);
  const { json } = await legacy.post({ jsonrpc: "2.0", id: 1, method: "tools/list" });
  assert.equal(record(json["result"])["resultType"], undefined);
  // Metadata that only looks modern does not make a legacy request one.
  const traced = {
    jsonrpc: "2.0",
    id: 2,
    method: "ping",
    params: { _meta: { traceparent: "00-1", progressToken: 1 } },
  };
  assert.equal((await legacy.post(traced)).status, 200);
});

test("modern front: what belongs to a call comes on its stream alone, and a reply alone is JSON", async () => {
  await using bench = await startBench();
  const client = new ModernClient(bench);
  const answering = client.open("tools/call", call, { id: "a", progressToken: "p" });
  const first = await bench.peer.call();
  assert.equal(record(first.params["_meta"])["traceparent"], undefined);
  assert.deepEqual(Object.keys(record(first.params["_meta"])), ["progressToken"]);
  first.progress(1);
  const events = new Events(await answering);
  assert.deepEqual(record((await events.message())["params"]), { progressToken: "p", progress: 1 });
  first.reply("done");
  const { id, result } = await events.message();
  assert.deepEqual([id, record(result)["resultType"]], ["a", "complete"]);
  assert.deepEqual(await events.rest(), []);
  assert.doesNotMatch(events.raw, /^(?:id|retry):/m);

  const plain = client.ask("tools/call", call, { id: "b" });
  (await bench.peer.call()).reply("plain");
  assert.equal((await plain).headers.get("content-type"), "application/json");
});

test("modern front: log messages come only where the request asked for them, and only so severe", async () => {
  await using bench = await startBench();
  const client = new ModernClient(bench);
  const log = (level: string): Message => ({ method: "notifications/message", params: { level, data: level } });
  for (const [logLevel, expected] of [
    ["warning", ["error"]],
    [undefined, []],
  ] as const) {
    const answering = client.open("tools/call", call, logLevel === undefined ? {} : { logLevel });
    const upstream = await bench.peer.call();
    for (const level of ["debug", "error"]) await upstream.offer(log(level));
    upstream.reply("done");
    const { text } = await read(await answering);
    assert.deepEqual(
      ["debug", "error"].filter((level) => text.includes(`"data":"${level}"`)),
      expected,
    );
  }
});

test("modern front: a client that leaves takes its call back, before and after the head", async () => {
  await using bench = await startBench();
  const client = new ModernClient(bench);
  for (const hasHead of [false, true]) {
    const leave = new AbortController();
    const answering = client.open("tools/call", call, { progressToken: 1 }, leave.signal);
    const upstream = await bench.peer.call();
    if (hasHead) upstream.progress(1);
    if (hasHead) await answering;
    leave.abort();
    await upstream.dropped();
    for (let method: unknown; method !== "notifications/cancelled";)
      ({ method } = await bench.peer.heard.next("the cancellation"));
    await answering.catch(() => {});
  }
});

test("modern front: a stream that is silent gets comments", async () => {
  await using bench = await startBench({ timeouts: { keepAliveMs: 40 } });
  const client = new ModernClient(bench);
  const answering = client.open("tools/call", call);
  const upstream = await bench.peer.call();
  const events = new Events(await answering);
  while (!events.raw.includes(": keep-alive")) assert.ok(await events.pull());
  upstream.reply("done");
  assert.ok((await events.message())["result"]);
});

test("modern front: a listen stream is acknowledged first, honours its filter, and ends with its result", async () => {
  await using bench = await startBench();
  const client = new ModernClient(bench);
  const notifications = { toolsListChanged: true, promptsListChanged: false };
  const events = new Events(await client.open("subscriptions/listen", { notifications }, { id: "l" }));
  const tag = { [`${meta}/subscriptionId`]: "l" };
  const opened = await events.message();
  assert.equal(opened["method"], "notifications/subscriptions/acknowledged");
  assert.deepEqual(record(opened["params"]), { _meta: tag, notifications: { toolsListChanged: true } });
  await bench.peer.notify("notifications/message", { level: "error", data: "for nobody" });
  // Also where the listing is the same as before: the backend must know.
  await bench.peer.notify("notifications/tools/list_changed");
  const changed = await events.message();
  assert.equal(changed["method"], "notifications/tools/list_changed");
  assert.deepEqual(record(changed["params"])["_meta"], tag);
  const closing = bench.gateway.close();
  const { id, result } = await events.message();
  assert.deepEqual([id, record(result)["resultType"]], ["l", "complete"]);
  assert.equal(record(record(result)["_meta"])[`${meta}/subscriptionId`], "l");
  assert.deepEqual(await events.rest(), []);
  await within(closing, "the end of the gateway");
});

test("modern front: a filter that is none is refused", async () => {
  await using bench = await startBench();
  const client = new ModernClient(bench);
  for (const params of [
    {},
    { notifications: [] },
    { notifications: { toolsListChanged: 1 } },
    { notifications: { resourceSubscriptions: "x" } },
  ]) {
    assert.equal(codeOf(await client.ask("subscriptions/listen", params)), -32602);
  }
  const answer = await client.ask("subscriptions/listen", { notifications: { taskIds: ["t"] } });
  assert.deepEqual([answer.status, codeOf(answer)], [400, -32021]);
});

test("modern front: what was promised before the backends were up is an empty list later", async () => {
  await using bench = await startBench({ backends: { late: "http://127.0.0.1:9/mcp" } });
  const client = new ModernClient(bench);
  const { capabilities } = record((await client.ask("server/discover")).json["result"]);
  assert.deepEqual(Object.keys(record(capabilities)).sort(), [
    "completions",
    "logging",
    "prompts",
    "resources",
    "tools",
  ]);
  const { status, json } = await client.ask("prompts/list");
  assert.deepEqual([status, record(json["result"])["prompts"]], [200, []]);
});
