// One backend's life: what it does when sessions do not last, when it is replaced, and when it is closed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { planOf, TestNet } from "../route/kit.ts";
import { type Exchange, type McpPeer, servePeer } from "../route/peer.ts";
import { until } from "./raw-server.ts";

const peer = (call: (exchange: Exchange) => void): Promise<McpPeer> => servePeer({ tools: {} }, { "tools/call": call });

test("backend: a server that forgets every session at once is not asked without a pause", async () => {
  await using server: McpPeer = await servePeer(
    { tools: {} },
    {
      "tools/list": (exchange) => {
        server.forget();
        exchange.drop();
      },
    },
  );
  await using net = new TestNet([planOf("a", server.url)]);
  const backend = net.hub.topology.get("a");
  // The first end is mended at once, the second one waits.
  await until(() => backend?.state.kind === "down", "the backend counts as down");
  assert.ok(server.count("initialize") <= 3, `${server.count("initialize")}`);
});

test("backend: nothing overtakes the end of the handshake", async () => {
  let early: number | undefined;
  await using server: McpPeer = await servePeer(
    { tools: {} },
    {
      "tools/call": (exchange) => exchange.reply({}),
      "notifications/initialized": (exchange) => {
        setTimeout(() => {
          early = server.got.length - 2;
          exchange.accept();
        }, 30);
      },
    },
  );
  await using net = new TestNet([planOf("a", server.url, { protocol: "legacy" })]);
  await net.client().result("tools/call", { name: "a__t" });
  await until(() => early !== undefined, "the handshake is complete");
  assert.equal(early, 0);
  assert.deepEqual(
    server.got.slice(0, 2).map(({ method }) => method),
    ["initialize", "notifications/initialized"],
  );
});

test("backend: closing waits for the calls in flight and for no longer, and opens no link afterwards", async () => {
  const held: Exchange[] = [];
  await using server = await peer((exchange) => void held.push(exchange));
  await using net = new TestNet([planOf("a", server.url)]);
  const client = net.client();
  const call = client.request("tools/call", { name: "a__t" });
  await server.until(() => held.length === 1);
  const backend = net.hub.topology.get("a");
  assert.ok(backend);
  let isClosed = false;
  const closing = backend.close(new Scope()).then(() => {
    isClosed = true;
  });
  assert.ok(!isClosed);
  held[0]?.reply({ done: true });
  assert.deepEqual((await call)?.result, { done: true });
  await closing;
  assert.throws(
    () => backend.uplink("principal:other"),
    (error) => error instanceof GatewayError && error.code === "draining",
  );
  assert.equal((await client.request("tools/call", { name: "a__t" }))?.error?.code, -32000);
});

test("backend: a call that waits for a link ends when the backend is closed", async () => {
  // Takes the connection and answers nothing.
  await using server = await servePeer({}, {});
  await using net = new TestNet([planOf("a", server.url.replace(/:\d+/, ":1"))]);
  const uplink = net.hub.topology.get("a")?.uplink("principal:anonymous");
  assert.ok(uplink);
  const waiting = assert.rejects(uplink.acquire(new Scope()));
  await uplink.close();
  await waiting;
});
