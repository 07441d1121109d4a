// Streams that a client comes back for, and what waits for a client that listens later.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Events, progressOf, resultText, startBench } from "./kit.ts";
import { record } from "./peer.ts";

test("resume: exactly the missed messages and the reply, none of another stream", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const head = client.call("a");
  const call = await bench.peer.call();
  const otherHead = client.call("b");
  const other = await bench.peer.call();
  call.progress(1);
  const events = new Events(await head);
  await events.next();
  const seen = await events.next();
  assert.equal(progressOf(seen?.message ?? {}), 1);
  await events.drop();
  call.progress(2);
  other.progress(100);
  other.progress(101);
  call.progress(3);
  const resumed = await client.listen(seen?.id);
  assert.equal(progressOf(await resumed.message()), 2);
  assert.equal(progressOf(await resumed.message()), 3);
  call.progress(4);
  call.reply("done");
  const rest = await resumed.messages();
  assert.deepEqual(rest.map(progressOf), [4, undefined]);
  assert.equal(resultText(rest[1] ?? {}), "done");
  other.reply("other");
  const others = await new Events(await otherHead).messages();
  assert.deepEqual(others.map(progressOf), [100, 101, undefined]);
});

test("resume: a client that came back in time is not given up later", async () => {
  await using bench = await startBench({ timeouts: { resumeMs: 50, keepAliveMs: 200 } });
  const client = await bench.client();
  const head = client.call("a");
  const call = await bench.peer.call();
  call.progress(1);
  const events = new Events(await head);
  const primed = await events.next();
  await events.drop();
  const resumed = await client.listen(primed?.id);
  // The comment comes after resume has passed.
  while (!resumed.raw.includes(": keep-alive")) assert.ok(await resumed.pull());
  call.reply("done");
  assert.equal(resultText((await resumed.messages()).at(-1) ?? {}), "done");
});

test("resume: a reply that was sent while the client was away is there when it comes back, and again", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const head = client.call("a");
  const call = await bench.peer.call();
  call.progress(1);
  const events = new Events(await head);
  const primed = await events.next();
  await events.drop();
  call.reply("done");
  // The answer to another call shows that the reply has been through.
  const next = client.call("b");
  (await bench.peer.call()).reply("second");
  await (await next).text();
  for (let time = 0; time < 2; time += 1) {
    const messages = await (await client.listen(primed?.id)).messages();
    assert.deepEqual(messages.map(progressOf), [1, undefined]);
    assert.equal(resultText(messages[1] ?? {}), "done");
  }
});

test("resume: an event id that names no stream of a call opens the standalone stream", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  for (const id of ["nonsense", "1-2", "-", "00000000-0-17", "0".repeat(500)]) {
    const events = await client.listen(id);
    await bench.peer.notify("notifications/vendor/note", { id });
    assert.equal(record((await events.message())["params"])["id"], id);
    await events.drop();
  }
});

test("resume: an event id of a call's stream that is gone, or another session's, is 400", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const head = client.call("a");
  const call = await bench.peer.call();
  call.progress(1);
  const events = new Events(await head);
  const primed = await events.next();
  const stranger = await bench.client();
  assert.equal((await stranger.send("GET", undefined, { "last-event-id": primed?.id })).status, 400);
  const unknown = primed?.id?.replace(/-\d+-/, "-999-");
  assert.equal((await client.send("GET", undefined, { "last-event-id": unknown })).status, 400);
});

test("standalone: what is said while nobody listens waits for who does", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  for (let n = 0; n < 3; n += 1) await bench.peer.notify("notifications/vendor/note", { n: n % 2 });
  const events = await client.listen();
  const notes: unknown[] = [];
  while (notes.length < 3) notes.push(record((await events.message())["params"])["n"]);
  assert.deepEqual(notes, [0, 1, 0]);
});

test("standalone: of two GET streams each message comes on one alone, and on the older one when the newer is gone", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const older = await client.listen();
  const newer = await client.listen();
  const note = (n: number): Promise<void> => bench.peer.notify("notifications/vendor/note", { n });
  await note(1);
  assert.equal(record((await newer.message())["params"])["n"], 1);
  await newer.drop();
  await note(2);
  assert.equal(record((await older.message())["params"])["n"], 2, "and not 1");
});

test("standalone: a client that resumes gets what it missed, once", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const note = (n: number): Promise<void> => bench.peer.notify("notifications/vendor/note", { n });
  const first = await client.listen();
  await note(1);
  let event = await first.next();
  while (!event?.message) event = await first.next();
  await note(2);
  assert.equal(record((await first.message())["params"])["n"], 2);
  await first.drop();
  const second = await client.listen(event.id);
  assert.equal(record((await second.message())["params"])["n"], 2);
  await note(3);
  assert.equal(record((await second.message())["params"])["n"], 3);
});
