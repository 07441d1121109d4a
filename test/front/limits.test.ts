// How often and how much: requests of a principal, calls that fit a rule, connections; others are served meanwhile.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { GatewayError } from "../../lib/core/errors.ts";
import { listen } from "../../lib/listen.ts";
import { Rates } from "../../lib/resilience/rates.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { clientWith, keyOf, startLocked } from "./auth-kit.ts";
import { type Answer, callMessage, codeOf, startBench } from "./kit.ts";
import { record } from "./peer.ts";
import { Bench as StraightBench, call as straightCall, json, result, wentStraight } from "./straight-kit.ts";
import { openWire, type Wire } from "./wire.ts";

const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
const [ada, eve] = [keyOf("ada"), keyOf("eve")];
const limited = (calls: number): object => ({ limits: { rate: { calls, perMs: 60_000 } } });

function assertLimited(answer: Answer, calls: number, seconds: number): void {
  assert.equal(answer.status, 429, answer.text);
  assert.equal(codeOf(answer), -32000);
  const { headers } = answer;
  assert.deepEqual(
    ["retry-after", "ratelimit-policy", "ratelimit"].map((name) => headers.get(name)),
    [String(seconds), `"calls";q=${calls};w=60`, `"calls";r=0;t=${seconds}`],
  );
}

test("rates: a bucket is full at first, fills up as time passes, and never over its brim", () => {
  const rates = new Rates({ calls: 2, perMs: 1000 });
  const takes = (now: number): boolean => {
    try {
      rates.take("a", "a", now);
      return true;
    } catch (error) {
      assert.ok(error instanceof GatewayError && error.code === "rateLimited");
      return false;
    }
  };
  assert.deepEqual([0, 0, 0, 499, 500, 500, 1e9, 1e9, 1e9].map(takes), [
    true,
    true,
    false,
    false,
    true,
    false,
    true,
    true,
    false,
  ]);
  assert.equal(rates.allows("b", 0), true);
  // A clock that is put back does not fill it.
  assert.equal(takes(0), false);
});

test("limits: who asks too often is told when to come back, and others are served", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await using bench = await startLocked({ keys: [ada, eve] }, limited(3));
    const [own, other] = [clientWith(bench, ada.key), clientWith(bench, eve.key)];
    await own.initialize();
    for (let at = 0; at < 3; at += 1) assert.equal((await own.post(ping)).status, 200);
    assertLimited(await own.post(ping), 3, 20);
    const { body, headers } = modernRequest("tools/list", {});
    assertLimited(await own.post(body, { ...headers, "mcp-session-id": undefined }), 3, 20);
    await other.initialize();
    assert.equal((await other.post(ping)).status, 200);
    mock.timers.setTime(Date.now() + 20_000);
    assert.equal((await own.post(ping)).status, 200);
    assertLimited(await own.post(ping), 3, 20);
  } finally {
    mock.timers.reset();
  }
});

test("limits: each request of a batch counts", async () => {
  await using bench = await startLocked({ keys: [ada] }, limited(3));
  const client = clientWith(bench, ada.key);
  await client.initialize("2025-03-26");
  const answer = await client.post(JSON.stringify([1, 2, 3, 4, 5].map((id) => ({ ...ping, id }))));
  const replies: unknown = JSON.parse(answer.text);
  assert.ok(Array.isArray(replies));
  assert.equal(replies.filter((reply) => record(reply)["error"] !== undefined).length, 2);
});

test("limits: calls that go straight count too", async () => {
  await using bench = await StraightBench.start(limited(3));
  const wire = await bench.warm();
  const before = wentStraight();
  for (const id of ["no 1", "no 2"]) {
    bench.post(wire, straightCall(id));
    const heard = await bench.backend.calls.next("the call");
    heard.socket.write(json(result(heard.id)));
    await wire.until(new RegExp(`"${id}"`));
  }
  bench.post(wire, straightCall("no 3"));
  await wire.until(/HTTP\/1\.1 429 Too Many Requests[^]*"no 3"/);
  assert.deepEqual([wentStraight() - before, bench.backend.calls.size], [2, 0]);
});

test("limits: a rule has a rate of its own, for each principal", async () => {
  const rules = [{ effect: "allow", tools: ["work"], rate: "1/m" }, { effect: "allow" }] as const;
  await using bench = await startLocked(
    { keys: [ada, eve] },
    { plan: { policy: { default: "deny", roles: {}, rules } } },
  );
  for (const { key } of [ada, eve]) {
    const client = clientWith(bench, key);
    await client.initialize();
    const good = client.call();
    (await bench.peer.call()).reply("done");
    assert.match(await (await good).text(), /done/);
    const response = await client.call();
    assert.equal(response.status, 429);
    assert.ok((await response.text()).includes("work"));
    assert.equal((await client.post(ping)).status, 200);
  }
  assert.equal(bench.peer.calls.size, 0);
});

test("limits: one connection too many takes the place of one that asks nothing, and of no other", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const handle = bench.gateway.handle.bind(bench.gateway);
  const listener = await listen({ host: "127.0.0.1", port: 0, handle, maxConnections: 3 });
  const port = Number(listener.url.port);
  const ask = (wire: Wire): unknown => wire.socket.write("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n");
  try {
    const busy = await openWire(port);
    busy.request("POST", client, JSON.stringify(callMessage(1)));
    const call = await bench.peer.call();
    const used = await openWire(port);
    ask(used);
    await used.until(/ok\n$/);
    // Thirty times as many as there may be: each takes the place of the one before.
    let held = await openWire(port);
    for (let at = 0; at < 90; at += 1) {
      const next = await openWire(port);
      await held.closed();
      held = next;
    }
    ask(used);
    await used.until(/ok\n[^]*ok\n$/);
    const late = await openWire(port);
    ask(late);
    await late.until(/ok\n$/);
    await held.closed();
    // Now there are those that have asked: the one that did first goes.
    const other = await openWire(port);
    await used.closed();
    ask(other);
    await other.until(/ok\n$/);
    call.reply("done");
    await busy.until(/done/);
  } finally {
    await listener.close(true);
  }
});

test("limits: where every connection is busy, one more is closed at once", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handle: bench.gateway.handle.bind(bench.gateway),
    maxConnections: 1,
  });
  try {
    const busy = await openWire(Number(listener.url.port));
    busy.request("POST", client, JSON.stringify(callMessage(1)));
    const call = await bench.peer.call();
    const extra = await openWire(Number(listener.url.port));
    await extra.closed();
    assert.equal(extra.text, "");
    call.reply("done");
    await busy.until(/done/);
  } finally {
    await listener.close(true);
  }
});

test("limits: a head over limits.header is 431, and nesting over limits.nesting is 400", async () => {
  await using bench = await startBench({ limits: { maxDepth: 40 } });
  const client = await bench.client();
  const nested = (levels: number): string =>
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${"[".repeat(levels)}${"]".repeat(levels)}}}`;
  assert.equal((await client.post(nested(38))).status, 200);
  const refused = await client.post(nested(39));
  assert.deepEqual([refused.status, codeOf(refused)], [400, -32700]);
  const handle = bench.gateway.handle.bind(bench.gateway);
  const listener = await listen({ host: "127.0.0.1", port: 0, handle, maxHeadBytes: 2048 });
  try {
    for (const [size, status] of [
      [1500, 200],
      [2500, 431],
    ] as const) {
      const wire = await openWire(Number(listener.url.port));
      wire.socket.write(`GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(size)}\r\n\r\n`);
      await wire.until(new RegExp(`^HTTP/1.1 ${status} `));
      wire.socket.destroy();
    }
  } finally {
    await listener.close(true);
  }
});
