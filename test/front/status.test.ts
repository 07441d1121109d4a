// What the gateway says of itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { exchange } from "./exchange.ts";
import { createGateway, startBench } from "./kit.ts";
import { type Message, record, startPeer } from "./peer.ts";
import type { Gateway } from "../../lib/gateway.ts";

async function look(
  gateway: Gateway,
  path: string,
  method: string = "GET",
): Promise<{ status: number; headers: Headers; text: string }> {
  const request = new Request(`http://127.0.0.1:7337${path}`, { method });
  const response = await exchange((incoming) => gateway.handle(incoming), request);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function healthOf(gateway: Gateway): Promise<{ status: number; health: Message; peer: Message }> {
  const { status, text } = await look(gateway, "/health");
  const health = record(JSON.parse(text));
  return { status, health, peer: record(record(health["backends"])["peer"]) };
}

test("status: all backends up is ok on all three paths", async () => {
  await using bench = await startBench();
  const { status, health, peer } = await healthOf(bench.gateway);
  assert.deepEqual([status, health["status"]], [200, "ok"]);
  assert.deepEqual(Object.keys(health).sort(), [
    "backends",
    "inFlight",
    "listeners",
    "parked",
    "sessions",
    "status",
    "uptimeSeconds",
    "version",
  ]);
  assert.deepEqual(Object.keys(peer).sort(), [
    "calls",
    "failures",
    "inFlight",
    "links",
    "replica",
    "since",
    "state",
    "transport",
  ]);
  assert.deepEqual([peer["state"], peer["transport"], peer["replica"], peer["links"]], ["up", "http", 0, 1]);
  assert.equal(new Date(String(peer["since"])).toISOString(), peer["since"]);
  assert.deepEqual(
    [(await look(bench.gateway, "/readyz")).status, (await look(bench.gateway, "/readyz")).text],
    [200, "ok\n"],
  );
  const live = await look(bench.gateway, "/livez");
  assert.deepEqual([live.status, live.text, live.headers.get("cache-control")], [200, "ok\n", "no-store"]);
});

test("status: counts sessions and calls in flight", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const head = client.call();
  const call = await bench.peer.call();
  const during = await healthOf(bench.gateway);
  assert.deepEqual([during.health["sessions"], during.health["inFlight"], during.peer["inFlight"]], [1, 1, 1]);
  call.reply("done");
  await (await head).text();
  const { health, peer } = await healthOf(bench.gateway);
  assert.deepEqual([health["inFlight"], peer["calls"], peer["failures"]], [0, 1, 0]);
});

test("status: one backend down is degraded and ready, with its error named", async () => {
  await using peer = await startPeer();
  const gone = await startPeer();
  await gone[Symbol.asyncDispose]();
  const gateway = await createGateway({}, { other: peer.url, peer: gone.url });
  try {
    await gateway.settled(5_000);
    const seen = await healthOf(gateway);
    assert.deepEqual([seen.status, seen.health["status"], seen.peer["state"]], [200, "degraded", "reconnecting"]);
    const error = record(seen.peer["error"]);
    assert.match(String(error["code"]), /^E4\d{3}$/);
    assert.equal(typeof error["message"], "string");
    assert.deepEqual((await look(gateway, "/readyz")).status, 200);
  } finally {
    await gateway.close();
  }
});

test("status: no backend up is 503 and not ready, and alive", async () => {
  const gone = await startPeer();
  await gone[Symbol.asyncDispose]();
  const gateway = await createGateway({}, { peer: gone.url });
  try {
    // Before the first attempt has ended.
    const early = await healthOf(gateway);
    assert.deepEqual([early.status, early.health["status"], early.peer["state"]], [503, "starting", "connecting"]);
    await gateway.settled(5_000);
    const { status, health } = await healthOf(gateway);
    assert.deepEqual([status, health["status"]], [503, "unavailable"]);
    assert.equal((await look(gateway, "/readyz")).status, 503);
    assert.equal((await look(gateway, "/livez")).status, 200);
  } finally {
    await gateway.close();
  }
});

test("status: a backend that died since it was last heard is not up", async () => {
  await using bench = await startBench();
  await bench.peer[Symbol.asyncDispose]();
  // The next call finds out, whatever the state says now.
  const client = await bench.client();
  const answer = await (await client.call()).text();
  assert.match(answer, /"error"/);
  const { health } = await healthOf(bench.gateway);
  assert.notEqual(health["status"], "ok");
});

test("status: while the gateway drains it is alive and not ready", async () => {
  await using bench = await startBench({ timeouts: { drainMs: 5_000 } });
  const client = await bench.client();
  const head = client.call();
  const call = await bench.peer.call();
  const closed = bench.gateway.close();
  const ready = await look(bench.gateway, "/readyz");
  assert.deepEqual([ready.status, ready.text], [503, "draining\n"]);
  assert.equal((await look(bench.gateway, "/livez")).status, 200);
  call.reply("done");
  await (await head).text();
  await closed;
});

test("status: the paths take GET and HEAD alone", async () => {
  await using bench = await startBench();
  for (const path of ["/health", "/livez", "/readyz"]) {
    assert.equal((await look(bench.gateway, path, "HEAD")).status, 200);
    const refused = await look(bench.gateway, path, "POST");
    assert.deepEqual([refused.status, refused.headers.get("allow")], [405, "GET, HEAD"]);
  }
});

test("status: names that several backends have are told, with who has them", async () => {
  await using first = await startPeer();
  await using bench = await startBench({ plan: { naming: "none" }, backends: { a: first.url, b: first.url } });
  const client = await bench.client();
  await client.post({ jsonrpc: "2.0", id: 1, method: "tools/list" });
  const { health } = await healthOf(bench.gateway);
  const [collision] = health["collisions"] as readonly unknown[];
  assert.deepEqual(record(collision), { kind: "tools", backend: "b", local: "work", owner: "a" });
});
