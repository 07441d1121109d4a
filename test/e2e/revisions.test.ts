// Clients of older revisions: what was negotiated holds, batches where they exist, and streams that they can read.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { RawClient } from "../kit/raw-client.ts";
import type { RawResponse } from "../kit/raw-client.ts";
import { startHttpServer } from "../kit/process.ts";
import type { HttpServerProcess } from "../kit/process.ts";
import { callText, fixtureStdio, Gateway, recordOf } from "./kit.ts";

interface Peers {
  readonly server: HttpServerProcess;
  readonly gateway: Gateway;
}

const limits = { timeout: 120_000 };
const links = ["child", "web"] as const;
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const server = await startHttpServer();
  const gateway = await Gateway.start({ backends: { child: fixtureStdio(), web: { url: server.url } } });
  await gateway.up(...links);
  return { server, gateway };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => {
  const { server, gateway } = await peers();
  await Promise.all([gateway[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
});

async function connect(version: string, capabilities: object = {}): Promise<RawClient> {
  const { gateway } = await peers();
  const client = new RawClient(gateway.url());
  const reply = recordOf(JSON.parse(await client.initialize(version, capabilities)));
  assert.equal(recordOf(reply["result"])["protocolVersion"], version);
  return client;
}

const toolCall = (id: number, name: string, args: object, token?: string): object => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args, ...(token !== undefined && { _meta: { progressToken: token } }) },
});

/** The messages of an answer, those of an array one by one. */
function messagesOf({ messages }: RawResponse): Readonly<Record<string, unknown>>[] {
  return messages.flatMap((text) => {
    const parsed: unknown = JSON.parse(text);
    return (Array.isArray(parsed) ? parsed : [parsed]).map(recordOf);
  });
}

for (const version of ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]) {
  test(`revisions: a client of ${version} lists, calls and is asked`, limits, async () => {
    const client = await connect(version, { sampling: {} });
    assert.match(await client.request("tools/list"), /"child__echo".*"web__echo"/);
    for (const link of links) {
      assert.equal(await callText(client, `${link}__echo`, { a: 1 }), '{"a":1}');
      await using stream = await client.postStream(toolCall(5, `${link}__ask-sampling`, { prompt: version }));
      let event = await stream.next();
      // Only a client of the last revision takes an event without data.
      if (version === "2025-11-25" && event?.data === "") event = await stream.next();
      const request = recordOf(JSON.parse(event?.data ?? ""));
      assert.equal(request["method"], "sampling/createMessage");
      const content = { type: "text", text: "as asked" };
      const answer = { jsonrpc: "2.0", id: request["id"], result: { role: "assistant", model: "m", content } };
      // A batch may be of answers alone.
      assert.equal((await client.post(version === "2025-03-26" ? [answer] : answer)).status, 202);
      const result = recordOf(JSON.parse((await stream.next())?.data ?? ""));
      assert.match(JSON.stringify(result), /as asked/);
      assert.equal(result["id"], 5);
    }
  });
}

test("revisions: a batch of 2025-03-26 is answered as one, over all links", limits, async () => {
  const client = await connect("2025-03-26");
  const response = await client.post([
    toolCall(1, "child__echo", { n: 1 }),
    { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 99 } },
    toolCall(2, "web__echo", { n: 2 }),
    { jsonrpc: "2.0", id: 3, method: "ping" },
    { jsonrpc: "2.0", id: 4, method: "no/such-method" },
    { jsonrpc: "2.0", id: "5", method: "tools/list" },
  ]);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  assert.equal(response.messages[0]?.[0], "[");
  const replies = new Map(messagesOf(response).map((reply) => [reply["id"], reply]));
  assert.deepEqual([...replies.keys()].map(String).sort(), ["1", "2", "3", "4", "5"]);
  for (const id of [1, 2]) assert.deepEqual(recordOf(replies.get(id)?.["result"])["structuredContent"], { n: id });
  assert.deepEqual(replies.get(3)?.["result"], {});
  assert.equal(recordOf(replies.get(4)?.["error"])["code"], -32_601);
  assert.ok(replies.has("5"));
});

test("revisions: a batch with progress becomes one stream with all replies", limits, async () => {
  const client = await connect("2025-03-26");
  const calls = links.map((link, at) => toolCall(at, `${link}__slow`, { ms: 100 + 50 * at }, `token of ${link}`));
  const response = await client.post(calls);
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  const messages = messagesOf(response);
  for (const [at, link] of links.entries()) {
    const progress = messages.filter(({ params }) => recordOf(params)["progressToken"] === `token of ${link}`);
    assert.deepEqual(
      progress.map(({ params }) => recordOf(params)["progress"]),
      [0, 50, 100].slice(0, 2 + at),
    );
    assert.equal(messages.filter(({ id }) => id === at).length, 1);
  }
});

test("revisions: a call of a batch is cancelled alone", limits, async () => {
  const client = await connect("2025-03-26");
  const nonce = `batch-${Date.now()}`;
  const calls = [toolCall(1, "child__slow", { ms: 60_000, nonce }, "p"), toolCall(2, "child__slow", { ms: 300 })];
  await using stream = await client.postStream(calls);
  assert.match((await stream.next())?.data ?? "", /notifications\/progress/);
  await client.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
  assert.ok((await callText(client, "child__cancelled", { nonce })).includes(nonce));
  let last = "";
  for (let event = await stream.next(); event !== undefined; event = await stream.next()) last = event.data;
  assert.match(last, /"id":2.*|done after 300 ms/);
});

test("revisions: other revisions have no batches, and 2025-03-26 needs no version header", limits, async () => {
  for (const version of ["2025-11-25", "2025-06-18"]) {
    const client = await connect(version);
    const { status, messages } = await client.post([toolCall(1, "child__echo", {})]);
    assert.equal(status, 400);
    assert.match(messages[0] ?? "", /-32600/);
  }
  const old = await connect("2025-03-26");
  old.protocolVersion = undefined;
  assert.equal(await callText(old, "web__echo", {}), "{}");
});

test("revisions: an unknown revision is answered with the newest, and its header is refused", limits, async () => {
  const { gateway } = await peers();
  const client = new RawClient(gateway.url());
  assert.match(await client.initialize("2199-01-01"), /"protocolVersion":"2025-11-25"/);
  client.protocolVersion = "2199-01-01";
  assert.equal((await client.post({ jsonrpc: "2.0", id: 1, method: "ping" })).status, 400);
});
