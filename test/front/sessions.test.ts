// Sessions over HTTP: their sealed ids, their ends, and how many there may be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { exchange } from "./exchange.ts";
import { codeOf, createGateway, Events, FrontClient, startBench } from "./kit.ts";

const ping = { jsonrpc: "2.0", id: 1, method: "ping" };

test("session: ids are visible ASCII, fit a header, and never repeat", async () => {
  await using bench = await startBench();
  const ids = new Set<string>();
  for (let n = 0; n < 20; n += 1) {
    const { sessionId } = await bench.client();
    assert.ok(sessionId);
    assert.match(sessionId, /^[\x21-\x7e]{20,3000}$/);
    ids.add(sessionId);
  }
  assert.equal(ids.size, 20);
});

test("session: declarations of any size leave the id small enough for a header", async () => {
  await using bench = await startBench();
  const client = new FrontClient(bench.gateway);
  await client.initialize("2025-11-25", { sampling: {}, experimental: { text: "x".repeat(50_000) } });
  assert.ok((client.sessionId?.length ?? 0) < 6000);
  assert.equal((await client.post(ping)).status, 200);
});

test("session: a request without an id is 400, with one that was tampered with 404", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const id = client.sessionId ?? "";
  for (const method of ["GET", "DELETE"])
    assert.equal((await client.send(method, undefined, { "mcp-session-id": undefined })).status, 400, method);
  assert.equal((await client.post(ping, { "mcp-session-id": undefined })).status, 400);
  const flipped = id.slice(0, -5) + (id.at(-5) === "A" ? "B" : "A") + id.slice(-4);
  for (const wrong of [flipped, id.slice(1), `${id}A`, "x", "", id.toLowerCase()]) {
    const answer = await client.post(ping, { "mcp-session-id": wrong });
    assert.equal(answer.status, 404, wrong);
    for (const method of ["GET", "DELETE"])
      assert.equal((await client.send(method, undefined, { "mcp-session-id": wrong })).status, 404, method);
  }
  assert.equal((await client.post(ping)).status, 200);
});

test("session: an id of one endpoint is 404 at another", async () => {
  await using bench = await startBench();
  const whole = await bench.client();
  const single = new FrontClient(bench.gateway);
  single.path = "/mcp/peer";
  await single.initialize();
  assert.equal((await whole.post(ping)).status, 200);
  assert.equal((await single.post(ping)).status, 200);
  [whole.path, single.path] = ["/mcp/peer", "/mcp"];
  assert.equal((await whole.post(ping)).status, 404);
  assert.equal((await single.post(ping)).status, 404);
});

test("session: DELETE ends it for good, its streams and its calls too", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const events = await client.listen();
  const call = client.call("last");
  const upstream = await bench.peer.call();
  assert.equal((await client.delete()).status, 200);
  await upstream.dropped();
  assert.equal(await (await call).text(), "");
  await events.rest();
  for (const method of ["GET", "DELETE"]) assert.equal((await client.send(method)).status, 404, method);
  const answer = await client.post(ping);
  assert.equal(answer.status, 404);
  assert.equal(codeOf(answer), -32001);
});

test("session: goes on at another gateway with the same keys, and at none with others", async () => {
  const plan = { sealKeys: ["first key", "second key"] };
  await using bench = await startBench({ plan });
  const client = await bench.client("2025-03-26");
  const others = {
    rotated: await createGateway({ plan: { sealKeys: ["new key", "first key"] } }, { peer: bench.peer.url }),
    strange: await createGateway({}, { peer: bench.peer.url }),
  };
  try {
    const moved = new FrontClient(others.rotated);
    moved.sessionId = client.sessionId;
    const answer = await moved.post([ping]);
    assert.equal(answer.status, 200, "the revision went along: this one has batches");
    moved.sessionId = client.sessionId;
    const lost = new FrontClient(others.strange);
    lost.sessionId = client.sessionId;
    assert.equal((await lost.post(ping)).status, 404);
  } finally {
    await Promise.all(Object.values(others).map((gateway) => gateway.close()));
  }
});

test("session: an event id of another gateway replays nothing that belongs to another stream", async () => {
  const plan = { sealKeys: ["the key"] };
  await using bench = await startBench({ plan });
  const client = await bench.client();
  const head = client.call("a");
  const call = await bench.peer.call();
  call.progress(1);
  await head;
  const other = await createGateway({ plan }, { peer: bench.peer.url });
  try {
    await other.settled(5000);
    const moved = new FrontClient(other);
    moved.sessionId = client.sessionId;
    const second = moved.call("b");
    const upstream = await bench.peer.call();
    upstream.progress(1);
    const first = await new Events(await second).next();
    assert.match(first?.id ?? "", /-1-0$/, "the first stream of its gateway, as the other one is of its own");
    assert.equal((await client.send("GET", undefined, { "last-event-id": first?.id })).status, 400);
  } finally {
    await other.close();
  }
});

test("session: where there is no room, the one unused for the longest time makes it, and can come back", async () => {
  await using bench = await startBench({ limits: { sessions: 3 } });
  const clients = [await bench.client(), await bench.client(), await bench.client()];
  const request = (): Request => new Request("http://127.0.0.1/health");
  const health = async (): Promise<unknown> =>
    (await exchange((incoming) => bench.gateway.handle(incoming), request())).json();
  await bench.client();
  const { sessions } = (await health()) as { sessions: number };
  assert.equal(sessions, 3);
  assert.equal((await clients[0]?.post(ping))?.status, 200);
});

test("session: where every session is in use, there is no room for another one", async () => {
  await using bench = await startBench({ limits: { sessions: 2 } });
  const clients = [await bench.client(), await bench.client()];
  const streams = [];
  for (const client of clients) streams.push(await client.listen());
  const late = new FrontClient(bench.gateway);
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "late", version: "1" } };
  const answer = await late.post({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get("retry-after"), "1");
  await streams[0]?.drop();
  await late.initialize();
});

test("session: five hundred at once, each gets its own answers", async () => {
  await using bench = await startBench();
  const clients = await Promise.all(Array.from({ length: 500 }, () => bench.client()));
  const answers = await Promise.all(clients.map((client, n) => client.post({ jsonrpc: "2.0", id: n, method: "ping" })));
  assert.deepEqual(
    answers.map(({ json }) => json["id"]),
    clients.map((_, n) => n),
  );
  assert.equal(new Set(clients.map(({ sessionId }) => sessionId)).size, 500);
});
