// The form of an answer, its streams, and what becomes of a call whose client goes away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Events, progressOf, read, resultText, startBench } from "./kit.ts";
import { record } from "./peer.ts";

test("answer: is plain JSON where there is nothing to stream", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const head = client.call("a");
  (await bench.peer.call()).reply("done");
  const answer = await read(await head);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(resultText(answer.json), "done");
  assert.equal(answer.json["id"], "a");
});

test("answer: is a primed stream once progress comes first, for 2025-11-25", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const head = client.call("a");
  const call = await bench.peer.call();
  call.progress(1);
  const events = new Events(await head);
  const primed = await events.next();
  assert.equal(primed?.text, "");
  assert.ok(primed?.id && primed.retryMs);
  assert.equal(progressOf(await events.message()), 1);
  call.progress(2);
  call.reply("done");
  const rest = await events.rest();
  assert.deepEqual([progressOf(rest[0]?.message ?? {}), resultText(rest[1]?.message ?? {})], [2, "done"]);
  assert.equal(new Set([primed, ...rest].map((event) => event.id)).size, 3);
  assert.equal(events.response.headers.get("cache-control"), "no-cache, no-transform");
});

test("answer: an older revision gets no event without data", async () => {
  await using bench = await startBench();
  for (const version of ["2025-06-18", "2025-03-26"]) {
    const client = await bench.client(version);
    const head = client.call("a");
    const call = await bench.peer.call();
    call.progress(1);
    call.reply("done");
    const events = new Events(await head);
    assert.ok(
      (await events.rest()).every(({ message }) => message !== undefined),
      events.raw,
    );
    assert.equal((await client.listen()).raw, "");
  }
});

test("answer: a silent call becomes a stream after keepAlive, and gets comments", async () => {
  await using bench = await startBench({ timeouts: { keepAliveMs: 40 } });
  const client = await bench.client();
  const startedAt = Date.now();
  const head = client.call("a");
  const call = await bench.peer.call();
  const events = new Events(await head);
  const tookMs = Date.now() - startedAt;
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
  while (!events.raw.includes(": keep-alive\n\n")) assert.ok(await events.pull());
  call.reply("done");
  assert.equal(resultText(await events.message()), "done");
  assert.deepEqual(await events.rest(), []);
});

test("answer: the GET stream gets comments too, and is primed for 2025-11-25", async () => {
  await using bench = await startBench({ timeouts: { keepAliveMs: 40 } });
  const client = await bench.client();
  const events = await client.listen();
  const primed = await events.next();
  assert.deepEqual([primed?.text, typeof primed?.id, typeof primed?.retryMs], ["", "string", "number"]);
  while (!events.raw.includes(": keep-alive\n\n")) assert.ok(await events.pull());
});

test("cancel: by a notification ends the answer of the POST without a reply, plain or streamed", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const plain = client.call("plain");
  const first = await bench.peer.call();
  await client.notify("notifications/cancelled", { requestId: "plain", reason: "enough" });
  await first.dropped();
  assert.equal((await read(await plain)).text, "");
  const streamed = client.call("streamed");
  const second = await bench.peer.call();
  second.progress(1);
  const events = new Events(await streamed);
  await client.notify("notifications/cancelled", { requestId: "streamed" });
  await second.dropped();
  const messages = await events.messages();
  assert.deepEqual(messages.map(progressOf), [1]);
});

test("cancel: a client that leaves before the head of its answer cancels the call at once", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const leave = new AbortController();
  client.call("a", leave.signal).catch(() => {});
  const call = await bench.peer.call();
  leave.abort();
  await call.dropped();
});

test("cancel: a client that has left before its body was read starts nothing that goes on", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const leave = new AbortController();
  leave.abort();
  // The runtimes differ in whether the body can still be read.
  const response = await client.call("a", leave.signal);
  assert.ok([400, 499].includes(response.status), String(response.status));
});

test("cancel: a streamed call whose client left goes on for resume, and not longer", async () => {
  await using bench = await startBench({ timeouts: { resumeMs: 50 } });
  const client = await bench.client();
  const head = client.call("a");
  const call = await bench.peer.call();
  call.progress(1);
  const events = new Events(await head);
  const primed = await events.next();
  await events.drop();
  await call.dropped();
  const answer = await read(await client.send("GET", undefined, { "last-event-id": primed?.id }));
  assert.equal(answer.status, 400, "the stream went with the call");
});

test("cancel: a client that resumed and left again is waited for again, and not for ever", async () => {
  await using bench = await startBench({ timeouts: { resumeMs: 50 } });
  const client = await bench.client();
  const head = client.call("a");
  const call = await bench.peer.call();
  call.progress(1);
  const events = new Events(await head);
  const primed = await events.next();
  await events.drop();
  const resumed = await client.listen(primed?.id);
  assert.equal(progressOf(await resumed.message()), 1);
  await resumed.drop();
  await call.dropped();
});

test("close: ends open streams, answers calls in flight with an error, and takes no new ones", async () => {
  await using bench = await startBench({ timeouts: { drainMs: 50 } });
  const client = await bench.client();
  const events = await client.listen();
  const plain = client.call("plain");
  await bench.peer.call();
  const streamed = client.call("streamed");
  (await bench.peer.call()).progress(1);
  const stream = new Events(await streamed);
  const closed = bench.gateway.close();
  const refused = await client.post({ jsonrpc: "2.0", id: 9, method: "ping" });
  assert.deepEqual([refused.status, refused.json["id"], refused.headers.get("retry-after")], [503, 9, "1"]);
  assert.equal((await client.notify("notifications/progress", { progressToken: 1, progress: 1 })).status, 202);
  const answer = await read(await plain);
  assert.equal(answer.json["id"], "plain");
  assert.equal(record(answer.json["error"])["code"], -32000);
  const last = (await stream.rest()).at(-1)?.message ?? {};
  assert.deepEqual([last["id"], record(last["error"])["code"]], ["streamed", -32000]);
  await events.rest();
  await closed;
  assert.equal((await client.send("GET")).status, 503);
});

test("close: lets a call in flight end, with the answer that it needs from its client", async () => {
  await using bench = await startBench({ timeouts: { drainMs: 5_000 } });
  const client = await bench.client();
  const head = client.call("a");
  const call = await bench.peer.call();
  const closed = bench.gateway.close();
  call.reply("in time");
  assert.equal(resultText((await read(await head)).json), "in time");
  await closed;
});
