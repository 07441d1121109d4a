// Modern clients whose calls a legacy backend interrupts with questions: what holds of each request that goes on with one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { modernRequest } from "../kit/modern-raw.ts";
import type { ModernRequestOptions } from "../kit/modern-raw.ts";
import { type Answer, Events, FrontClient, read, startBench } from "./kit.ts";
import type { Bench } from "./kit.ts";
import { type Message, type PeerCall, record } from "./peer.ts";

const call: Message = { name: "peer__work", arguments: {} };
const question: Message = { id: "q", method: "elicitation/create", params: { message: "?", requestedSchema: {} } };

function open({ gateway }: Bench, params: Message, options: ModernRequestOptions): Promise<Response> {
  const { body, headers } = modernRequest("tools/call", params, { capabilities: { elicitation: {} }, ...options });
  return new FrontClient(gateway).send("POST", body, headers);
}

/** The params of a request that goes on with one that was answered like this. */
function retryOf(result: unknown): Message {
  const { requestState, inputRequests } = record(result);
  const answers = Object.keys(record(inputRequests)).map((key): [string, Message] => [key, { action: "decline" }]);
  return { ...call, requestState, inputResponses: Object.fromEntries(answers) };
}

/** What the backend hears in answer to the question of this id. */
async function answerTo({ peer }: Bench, id: string): Promise<Message> {
  for (;;) {
    const message = await peer.heard.next(`the answer to ${id}`);
    if (message["id"] === id) return message;
  }
}

/** Progress and a log message, of which the client may hear as much as it asked for. */
async function tell(upstream: PeerCall, progress: number): Promise<void> {
  upstream.progress(progress);
  await upstream.offer({ method: "notifications/message", params: { level: "debug", data: progress } });
}

async function rest(response: Promise<Response>): Promise<readonly Message[]> {
  const events = new Events(await response);
  const messages: Message[] = [];
  for (let last: unknown; last === undefined;) {
    const message = await events.message();
    messages.push(message);
    last = message["id"];
  }
  return messages;
}

test("modern rounds: progress and log messages are those that the latest request asked for", async () => {
  await using bench = await startBench();
  const first = open(bench, call, { id: 1, progressToken: "one", logLevel: "debug" });
  const upstream = await bench.peer.call();
  await tell(upstream, 1);
  upstream.send(question);
  const [progress, log, asked] = await rest(first);
  assert.deepEqual(record(progress?.["params"]), { progressToken: "one", progress: 1 });
  assert.equal(log?.["method"], "notifications/message");

  const second = open(bench, retryOf(asked?.["result"]), { id: 2, progressToken: 2 });
  await answerTo(bench, "q");
  await tell(upstream, 2);
  upstream.send({ ...question, id: "again" });
  const [renamed, again, ...others] = await rest(second);
  // 2026-07-28, Progress: only tokens of an active request; Logging: nothing where the request names no level.
  assert.deepEqual(record(renamed?.["params"]), { progressToken: 2, progress: 2 });
  assert.equal(record(again?.["result"])["resultType"], "input_required");
  assert.deepEqual(others, []);

  const third = open(bench, retryOf(again?.["result"]), { id: 3 });
  await answerTo(bench, "again");
  await tell(upstream, 3);
  upstream.reply("done");
  const { json } = await read(await third);
  assert.deepEqual([json["id"], record(json["result"])["resultType"]], [3, "complete"]);
});

test("modern rounds: what the latest request does not declare is not asked for", async () => {
  await using bench = await startBench();
  const first = open(bench, call, { id: 1, capabilities: { elicitation: {}, roots: {} } });
  const upstream = await bench.peer.call();
  upstream.send(question);
  const { json } = await read(await first);
  const second = open(bench, retryOf(json["result"]), { id: 2, capabilities: { elicitation: {} } });
  await answerTo(bench, "q");
  upstream.send({ id: "r", method: "roots/list" });
  assert.ok((await answerTo(bench, "r"))["error"]);
  upstream.send({ id: upstream.message["id"], error: { code: -32603, message: "cannot" } });
  const answer: Answer = await read(await second);
  assert.deepEqual([answer.status, record(answer.json["error"])["code"]], [400, -32021]);
});

test("modern rounds: answers without a state are checked, and go no further, like a wish for a task", async () => {
  await using bench = await startBench();
  for (const inputResponses of [null, [], { q: 12_345 }]) {
    const { json } = await read(await open(bench, { ...call, inputResponses }, {}));
    assert.equal(record(json["error"])["code"], -32602);
  }
  const answering = open(bench, { ...call, inputResponses: { q: {} }, task: { ttl: 1 } }, {});
  const upstream = await bench.peer.call();
  assert.deepEqual(Object.keys(upstream.params), ["name", "arguments"]);
  upstream.reply("done");
  assert.equal((await answering).status, 200);
});
