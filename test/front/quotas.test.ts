// How much at a time and in a day: of a principal, of a backend and of a tool; and how long streams may listen.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { BackendLimits } from "../../lib/config/limits.ts";
import { backendDefaults, type BackendPlan } from "../../lib/config/plan.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { Quota } from "../../lib/resilience/quota.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { type McpPeer, servePeer } from "../route/peer.ts";
import { authPlan, clientWith, keyOf, startLocked } from "./auth-kit.ts";
import { type Answer, type Bench, callMessage, codeOf, type FrontClient, read, type Settings } from "./kit.ts";
import { record, within } from "./peer.ts";
import { Bench as StraightBench, call as straightCall, json, result, wentStraight } from "./straight-kit.ts";

const [ada, eve] = [keyOf("ada"), keyOf("eve")];
const midnight = Date.UTC(2030, 5, 2);

function assertRefused(answer: Answer, headers: Readonly<Record<string, string | null>>, data: object = {}): void {
  assert.deepEqual([answer.status, codeOf(answer)], [429, -32000], answer.text);
  for (const [name, value] of Object.entries(headers)) assert.equal(answer.headers.get(name), value, name);
  const said = record(record(answer.json["error"])["data"]);
  for (const [name, value] of Object.entries(data)) assert.equal(said[name], value, name);
}

/** A backend of tools that answer at once. */
async function startTools(
  limits: BackendLimits | undefined,
  settings: Settings = {},
): Promise<Bench & { peer2: McpPeer }> {
  const peer2 = await servePeer(
    { tools: {} },
    {
      "tools/list": (exchange) =>
        exchange.reply({ tools: ["cheap", "dear", "free"].map((name) => ({ name, inputSchema: { type: "object" } })) }),
      "tools/call": (exchange) =>
        exchange.reply({ content: [{ type: "text", text: `did ${String(exchange.params["name"])}` }] }),
    },
  );
  const backend: BackendPlan = {
    ...backendDefaults,
    name: "peer" as BackendName,
    replicas: [{ kind: "http", url: peer2.url, headers: {} }],
    ...(limits && { limits }),
  };
  const bench = await startLocked({ keys: [ada, eve] }, { ...settings, plan: { backends: [backend] } });
  return {
    ...bench,
    peer2,
    [Symbol.asyncDispose]: async () => {
      await bench[Symbol.asyncDispose]();
      await peer2[Symbol.asyncDispose]();
    },
  };
}

async function sessionOf(bench: Bench, { key }: { readonly key: string }): Promise<FrontClient> {
  const client = clientWith(bench, key);
  await client.initialize();
  return client;
}

const tool = (name: string): object => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: `peer__${name}`, arguments: {} },
});

test("quota: is of one day, of one name, and what does not fit takes nothing", () => {
  const quota = new Quota(10);
  const takes = (key: string, cost: number, now: number): number | undefined => {
    try {
      quota.require(key, cost, key, now);
      quota.take(key, cost, now);
      return undefined;
    } catch (error) {
      assert.ok(error instanceof GatewayError && error.code === "quotaSpent");
      return Number(error.data["retryAfterMs"]);
    }
  };
  assert.deepEqual(
    [
      takes("a", 4, midnight - 5_000),
      takes("a", 7, midnight - 4_000),
      takes("a", 6, midnight - 4_000),
      takes("a", 0, midnight - 3_000),
      takes("a", 1, midnight - 3_000),
      takes("b", 10, midnight - 1),
      takes("a", 10, midnight),
      // A clock that is put back does not begin the day again.
      takes("a", 1, midnight - 1),
    ],
    [undefined, 4_000, undefined, undefined, 3_000, undefined, undefined, 86_400_001],
  );
});

test("quota: calls cost what the config says, and the next day begins at midnight UTC", async () => {
  mock.timers.enable({ apis: ["Date"], now: midnight - 60_000 });
  try {
    const tools = [
      { tools: "dear", cost: 5 },
      { tools: "free*", cost: 0 },
    ];
    await using bench = await startTools({ tools }, { limits: { quota: 7 } });
    const [own, other] = [await sessionOf(bench, ada), await sessionOf(bench, eve)];
    assert.match((await own.post(tool("dear"))).text, /did dear/);
    assertRefused(
      await own.post(tool("dear")),
      { "retry-after": "60", "ratelimit-policy": '"day";q=7;w=86400', ratelimit: '"day";r=2;t=60' },
      { remaining: 2, cost: 5 },
    );
    for (const name of ["cheap", "free", "cheap", "free"]) assert.equal((await own.post(tool(name))).status, 200, name);
    assertRefused(await own.post(tool("cheap")), { ratelimit: '"day";r=0;t=60' });
    // Nothing else is counted, and others have their own.
    assert.equal((await own.post({ jsonrpc: "2.0", id: 2, method: "tools/list" })).status, 200);
    const { body, headers } = modernRequest("tools/call", { name: "peer__dear", arguments: {} });
    const changes = { ...headers, "mcp-session-id": undefined };
    assert.equal((await other.post(body, changes)).status, 200);
    assertRefused(await other.post(body, changes), { ratelimit: '"day";r=2;t=60' });
    assert.equal(bench.peer2.count("tools/call"), 6);
    // A reload keeps what was counted.
    const { gateway } = bench;
    await gateway.apply({ ...gateway.plan, limits: { ...gateway.plan.limits, quota: 8 } });
    assert.equal((await own.post(tool("cheap"))).status, 200);
    assertRefused(await own.post(tool("cheap")), { "ratelimit-policy": '"day";q=8;w=86400' });
    mock.timers.setTime(midnight);
    assert.equal((await own.post(tool("dear"))).status, 200);
  } finally {
    mock.timers.reset();
  }
});

test("limits: of a backend and of a tool are those of all principals together", async () => {
  mock.timers.enable({ apis: ["Date"], now: midnight });
  try {
    const tools = [{ tools: "dear", rate: { calls: 1, perMs: 60_000 } }];
    await using bench = await startTools({ rate: { calls: 3, perMs: 60_000 }, quota: 100, tools });
    const [own, other] = [await sessionOf(bench, ada), await sessionOf(bench, eve)];
    assert.equal((await own.post(tool("dear"))).status, 200);
    assertRefused(await other.post(tool("dear")), { "retry-after": "60", "ratelimit-policy": '"calls";q=1;w=60' });
    assert.equal((await other.post(tool("cheap"))).status, 200);
    assertRefused(await own.post(tool("cheap")), { "retry-after": "20", "ratelimit-policy": '"calls";q=3;w=60' });
    mock.timers.setTime(midnight + 20_000);
    assert.equal((await own.post(tool("cheap"))).status, 200);
    assert.equal(bench.peer2.count("tools/call"), 3);
  } finally {
    mock.timers.reset();
  }
});

test("limits: one call too many at a time is told so, and there is room again when one has ended", async () => {
  await using bench = await startLocked({ keys: [ada, eve] }, { limits: { concurrency: 2 } });
  const [own, other] = [await sessionOf(bench, ada), await sessionOf(bench, eve)];
  const begun = [own.call("a"), own.call("b")];
  const calls = [await bench.peer.call(), await bench.peer.call()];
  const headers = { "retry-after": "1", "ratelimit-policy": '"concurrency";q=2;qu="concurrent-requests"' };
  assertRefused(await own.post(callMessage("c")), headers);
  const { body, headers: more } = modernRequest("tools/list", {});
  assertRefused(await own.post(body, { ...more, "mcp-session-id": undefined }), headers);
  const theirs = other.call("d");
  (await bench.peer.call()).reply("theirs");
  assert.match(await (await theirs).text(), /theirs/);
  calls[0]?.reply("done");
  await Promise.race(begun.map(async (each) => (await each).text()));
  const again = own.call("e");
  (await bench.peer.call()).reply("again");
  assert.match(await (await again).text(), /again/);
  // One that its client gives up gives its place back too.
  await own.notify("notifications/cancelled", { requestId: "b" });
  const last = [own.call("f"), own.call("g")];
  for (const each of [await bench.peer.call(), await bench.peer.call()]) each.reply("last");
  for (const each of last) assert.match(await (await each).text(), /last/);
  for (const each of calls) each?.reply("late");
});

test("limits: calls of one tool at a time, of all principals, in both eras", async () => {
  const tools = [{ tools: "work", concurrency: 1 }];
  await using bench = await startLocked({ keys: [ada, eve] });
  const { gateway } = bench;
  const backends = gateway.plan.backends.map((backend) => ({ ...backend, limits: { tools } }));
  await gateway.apply({ ...gateway.plan, backends });
  await gateway.settled(5_000);
  const own = await sessionOf(bench, ada);
  const { body, headers } = modernRequest("tools/call", { name: "peer__work", arguments: {} });
  const theirs = clientWith(bench, eve.key);
  for (let round = 0; round < 2; round += 1) {
    const first = own.call(`a${round}`);
    const call = await bench.peer.call();
    assertRefused(await theirs.post(body, headers), { "retry-after": "1" });
    call.reply("done");
    assert.match(await (await first).text(), /done/);
    const second = theirs.post(body, headers);
    const other = await bench.peer.call();
    assertRefused(await own.post(callMessage(`b${round}`)), { "retry-after": "1" });
    other.reply("theirs");
    assert.match((await second).text, /theirs/);
  }
});

test("limits: what is counted goes straight as before, until it is too much", async () => {
  await using bench = await StraightBench.start({ limits: { quota: 2, concurrency: 3 } });
  const wire = await bench.warm();
  const before = wentStraight();
  // The first call was made to open the way.
  bench.post(wire, straightCall("one"));
  const heard = await bench.backend.calls.next("the call");
  heard.socket.write(json(result(heard.id)));
  await wire.until(/"one"/);
  bench.post(wire, straightCall("two"));
  await wire.until(/HTTP\/1\.1 429 Too Many Requests[^]*"two"/);
  assert.equal(wentStraight() - before, 1);
});

test("limits: a full queue of a backend is answered with 503 and Retry-After", async () => {
  await using bench = await startLocked({ keys: [ada] });
  const { gateway } = bench;
  const { resilienceDefaults } = await import("../../lib/config/resilience.ts");
  const concurrency = { inFlight: 1, queued: 0, inFlightEach: 1, queuedEach: 0 };
  const backends = gateway.plan.backends.map((each) => ({
    ...each,
    resilience: { ...resilienceDefaults, concurrency },
  }));
  await gateway.apply({ ...gateway.plan, backends });
  await gateway.settled(5_000);
  const own = await sessionOf(bench, ada);
  const first = own.call("a");
  const call = await bench.peer.call();
  const refused = await own.post(callMessage("b"));
  assert.equal(refused.status, 503, refused.text);
  assert.match(refused.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
  call.reply("done");
  assert.match(await (await first).text(), /done/);
});

test("streams: one principal holds no more than it may, and others theirs", async () => {
  await using bench = await startLocked({ keys: [ada, eve] }, { limits: { streams: 2 } });
  const [own, other] = [await sessionOf(bench, ada), await sessionOf(bench, eve)];
  const held = [await own.listen(), await own.listen()];
  const refused = await read(await own.send("GET", undefined, { accept: "text/event-stream" }));
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"], refused.text);
  const theirs = await other.listen();
  await held[0]?.drop();
  const next = await own.listen();
  for (const each of [held[1], theirs, next]) await each?.drop();
  const { body, headers } = modernRequest("subscriptions/listen", { notifications: { toolsListChanged: true } });
  const listen = async (): Promise<Response> => clientWith(bench, ada.key).send("POST", body, headers);
  const streams = [await listen(), await listen()];
  assert.deepEqual(
    streams.map(({ status }) => status),
    [200, 200],
  );
  assert.equal((await listen()).status, 429);
  for (const each of streams) await each.body?.cancel();
});

/** False where this machine was so slow that the key was over before all of it had begun. */
async function outlivesNothing(lifeMs: number): Promise<boolean> {
  const brief = keyOf("brief");
  await using bench = await startLocked({ keys: [brief, ada] }, { plan: { front: { sse: true } } });
  const [own, other] = [await sessionOf(bench, brief), await sessionOf(bench, ada)];
  const stays = await other.listen();
  const until = Date.now() + lifeMs;
  const { gateway } = bench;
  await gateway.apply({ ...gateway.plan, auth: authPlan({ keys: [{ ...brief, expiresAt: until }, ada] }) });
  const { body, headers } = modernRequest("subscriptions/listen", { notifications: { toolsListChanged: true } });
  const modern = await clientWith(bench, brief.key).send("POST", body, headers);
  const old = clientWith(bench, brief.key);
  old.path = "/sse";
  const sse = await old.send("GET", undefined, { accept: "text/event-stream" });
  const late = own.call("late");
  const stream = await own.send("GET", undefined, { accept: "text/event-stream" });
  if (stream.status === 401) return false;
  const call = await bench.peer.call();
  await within(Promise.all([stream, sse, modern].map((each) => each.text())), "the end of the streams");
  assert.ok(Date.now() >= until - 5, `${until - Date.now()} ms too early`);
  call.reply("in time");
  assert.match(await (await late).text(), /in time/);
  assert.equal((await own.post(callMessage("refused"))).status, 401);
  await stays.drop();
  return true;
}

test(
  "streams: none outlives the key that opened it, and calls in flight are answered",
  { timeout: 120_000 },
  async () => {
    for (let lifeMs = 500; !(await outlivesNothing(lifeMs)); lifeMs *= 2) assert.ok(lifeMs < 60_000);
  },
);
