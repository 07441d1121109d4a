// The streams of clients of the first revision while nothing is said, while nobody reads, and at the end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { callMessage } from "./kit.ts";
import { record, within } from "./peer.ts";
import { SseTestClient, startSseBench } from "./sse-kit.ts";
import { openWire, type Wire } from "./wire.ts";

const limits = { timeout: 120_000 };

test("sse life: a silent stream gets comments", limits, async () => {
  await using bench = await startSseBench({ timeouts: { keepAliveMs: 40 } });
  const client = await bench.open();
  const comments = (): number => client.raw.split(": keep-alive\n\n").length - 1;
  while (comments() < 3) assert.ok(await client.pull());
  await client.initialize();
  client.drop();
});

test("sse life: a gateway that stops answers the calls in flight, takes no new ones, and ends the streams", async () => {
  await using bench = await startSseBench({ timeouts: { drainMs: 300 } });
  const client = await bench.client();
  await client.post(callMessage("a"));
  const call = await bench.peer.call();
  await client.post(callMessage("b"));
  const hanging = await bench.peer.call();
  const closed = bench.gateway.close();
  const refused = await fetch(bench.url());
  assert.equal(refused.status, 503);
  await refused.text();
  assert.equal((await client.post(callMessage("late"))).status, 202);
  const late = await client.message();
  assert.deepEqual([late["id"], record(record(late["error"])["data"])["code"]], ["late", "E4108"]);
  call.reply("done");
  assert.equal((await client.message())["id"], "a");
  const cut = await client.message();
  assert.deepEqual([cut["id"], record(record(cut["error"])["data"])["code"]], ["b", "E4108"]);
  assert.deepEqual(await client.rest(), []);
  await hanging.dropped();
  await within(closed, "the end of the gateway");
});

/** Opens a stream whose client reads no further than the endpoint. */
async function openDeaf(port: number): Promise<{ wire: Wire; endpoint: string }> {
  const wire = await openWire(port);
  wire.socket.write("GET /sse HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
  await wire.until(/data: \S+\n\n/);
  const [, endpoint = ""] = /data: (\S+)\n/.exec(wire.text) ?? [];
  return { wire, endpoint };
}

test("sse life: a client that does not read holds up its own call and no other one", limits, async () => {
  await using bench = await startSseBench();
  const { wire, endpoint } = await openDeaf(bench.port);
  const other = await bench.client();
  const params = { protocolVersion: "2024-11-05", capabilities: {}, clientInfo: { name: "deaf", version: "1" } };
  await other.post({ jsonrpc: "2.0", id: 1, method: "initialize", params }, {}, endpoint);
  await wire.until(/serverInfo/);
  wire.socket.pause();
  await other.post(callMessage("a"), {}, endpoint);
  const call = await bench.peer.call();
  // A megabyte at a time, until neither the client nor the gateway takes more.
  let taken = 0;
  let isStuck = false;
  while (!isStuck && taken < 200) {
    const offered = call.offer({
      method: "notifications/message",
      params: { level: "info", data: "x".repeat(2 ** 20) },
    });
    const outcome = await Promise.race([
      offered,
      new Promise<false>((resolve) => setTimeout(() => resolve(false), 500)),
    ]);
    isStuck = !outcome;
    taken += 1;
  }
  assert.ok(isStuck, `${taken} MiB were taken`);
  assert.ok(taken < 60, `${taken} MiB were taken`);
  assert.deepEqual((await other.request("ping"))["result"], {});
  await other.post(callMessage("b"));
  (await bench.peer.call()).reply("done");
  assert.equal((await other.message())["id"], "b");
  // It was not given up: once it reads, it gets all of it.
  call.reply("at last");
  wire.socket.resume();
  await wire.when("the answer", () => wire.text.slice(-1_000).includes("at last") || wire.isClosed);
  assert.ok(!wire.isClosed);
  wire.socket.destroy();
  other.drop();
});

test("sse life: a client that asks for much and reads nothing is cut before it costs much memory", limits, async () => {
  await using bench = await startSseBench();
  const { wire, endpoint } = await openDeaf(bench.port);
  wire.socket.pause();
  const helper = await SseTestClient.open(bench.url());
  // Its own pings come back to it, each with an id of 100 KB.
  const ping = (id: number): string =>
    JSON.stringify({ jsonrpc: "2.0", id: `${id}${"x".repeat(100_000)}`, method: "ping" });
  let status = 202;
  for (let sent = 0; status === 202 && sent < 1_000; sent += 1)
    ({ status } = await helper.post(ping(sent), {}, endpoint));
  assert.equal(status, 404);
  wire.socket.destroy();
  helper.drop();
});
