// How often and how much: requests of a principal, calls that fit a rule, connections; others are served meanwhile.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { GatewayError } from "../../lib/core/errors.ts";
import { listen } from "../../lib/listen.ts";
import { Rates } from "../../lib/resilience/rates.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { clientWith, keyOf, startLocked } from "./auth-kit.ts";
import { type Answer, codeOf, startBench } from "./kit.ts";
import { record } from "./peer.ts";
import { Bench as StraightBench, call as straightCall, json, result, wentStraight } from "./straight-kit.ts";
import { openWire } from "./wire.ts";

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
    assert.match(await response.text(), /work/);
    assert.equal((await client.post(ping)).status, 200);
  }
  assert.equal(bench.peer.calls.size, 0);
});

test("limits: one connection too many is closed, and the others go on", async () => {
  await using bench = await startBench();
  const handle = bench.gateway.handle.bind(bench.gateway);
  const listener = await listen({ host: "127.0.0.1", port: 0, handle, maxConnections: 3 });
  try {
    const port = Number(listener.url.port);
    const wires = await Promise.all([1, 2, 3].map(() => openWire(port)));
    const [first] = wires;
    for (const wire of wires) {
      wire.socket.write("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await wire.until(/ok\n$/);
    }
    const extra = await openWire(port);
    await extra.closed();
    assert.equal(extra.text, "");
    first?.socket.destroy();
    await first?.closed();
    for (let status = ""; status === "";) {
      const next = await openWire(port);
      next.socket.write("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await next.when("an answer or the end", () => next.text !== "" || next.isClosed);
      status = next.text;
      next.socket.destroy();
    }
    for (const wire of wires) wire.socket.destroy();
  } finally {
    await listener.close(true);
  }
});
