// resources/read through the cache: for a modern server that says how long its answers hold.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, recordOf, until } from "../e2e/kit.ts";
import { ModernPeer } from "../kit/modern-peer.ts";
import { response, serveRaw } from "../backend/raw-server.ts";

interface Server {
  readonly url: string;
  reads: number;
  ttlMs: number;
  scope: string;
  isGone: boolean;
}

/** A modern server with one resource, whose text says how often it was read. */
async function startServer(): Promise<Server & AsyncDisposable> {
  const state = { reads: 0, ttlMs: 60_000, scope: "private", isGone: false };
  const server = await serveRaw(({ body }, socket) => {
    const { id, method } = recordOf(JSON.parse(body.toString("utf8") || "{}"));
    if (id === undefined || method === "subscriptions/listen")
      return void socket.write("HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n");
    if (method === "resources/read" && state.isGone) return void socket.destroy();
    if (method === "resources/read") state.reads += 1;
    const complete = { resultType: "complete", ttlMs: state.ttlMs, cacheScope: state.scope };
    const results: Readonly<Record<string, object>> = {
      "server/discover": { supportedVersions: ["2026-07-28"], capabilities: { resources: {} }, ...complete },
      "resources/list": { resources: [{ uri: "a:b", name: "b" }], ...complete },
      "resources/templates/list": { resourceTemplates: [], ...complete },
      "resources/read": { contents: [{ uri: "a:b", text: `read ${state.reads}` }], ...complete },
    };
    const reply = JSON.stringify({ jsonrpc: "2.0", id, result: results[String(method)] ?? { resultType: "complete" } });
    socket.write(response(reply, "content-type: application/json"));
  });
  return Object.assign(state, {
    url: new URL("/mcp", server.origin).href,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  });
}

async function read(
  peer: ModernPeer,
): Promise<{ readonly text: unknown; readonly ttlMs: number; readonly error: unknown }> {
  const { result, error } = await peer.request("resources/read", { uri: "a:b" });
  const contents = Array.isArray(result["contents"]) ? recordOf(result["contents"][0]) : {};
  return { text: contents["text"], ttlMs: Number(result["ttlMs"]), error: error["code"] };
}

test("reads: an answer is given again while it holds, with what is left of its time", async () => {
  await using server = await startServer();
  await using gateway = await Gateway.start({
    backends: {
      b: { url: server.url, protocol: "modern", cache: { stale: "1m" }, retry: { attempts: 1, wait: "0s" } },
    },
  });
  await gateway.up("b");
  const peer = new ModernPeer(gateway.url("b"));
  assert.deepEqual(await read(peer), { text: "read 1", ttlMs: 60_000, error: undefined });
  const again = await read(peer);
  assert.equal(again.text, "read 1");
  assert.ok(again.ttlMs > 30_000 && again.ttlMs <= 60_000);
  const many = await Promise.all(Array.from({ length: 20 }, () => read(peer)));
  assert.ok(many.every(({ text }) => text === "read 1"));
  assert.equal(server.reads, 1);
  const health = recordOf(await (await fetch(new URL("/health", gateway.url()))).json());
  const { hits, misses } = recordOf(recordOf(recordOf(health["backends"])["b"])["cache"]);
  assert.deepEqual([hits, misses], [21, 1]);
});

test("reads: without a time every read is asked for; with a short one an old answer stands in for one that is lost", async () => {
  await using server = await startServer();
  await using gateway = await Gateway.start({
    backends: {
      b: { url: server.url, protocol: "modern", cache: { stale: "1m" }, retry: { attempts: 1, wait: "0s" } },
    },
  });
  await gateway.up("b");
  const peer = new ModernPeer(gateway.url("b"));
  server.ttlMs = 0;
  assert.deepEqual([(await read(peer)).text, (await read(peer)).text], ["read 1", "read 2"]);
  server.ttlMs = 1;
  assert.equal((await read(peer)).text, "read 3");
  server.isGone = true;
  await until(async () => (await read(peer)).ttlMs === 0, "its time is over");
  assert.deepEqual(await read(peer), { text: "read 3", ttlMs: 0, error: undefined });
});

test("reads: clients of the legacy era have their share, and see nothing of it", async () => {
  await using server = await startServer();
  await using gateway = await Gateway.start({
    backends: {
      b: { url: server.url, protocol: "modern", cache: { stale: "1m" }, retry: { attempts: 1, wait: "0s" } },
    },
  });
  await gateway.up("b");
  const client = await gateway.client();
  const expected = (id: number, read: number): string =>
    `{"jsonrpc":"2.0","id":${id},"result":{"contents":[{"uri":"a:b","text":"read ${read}"}]}}`;
  for (let id = 1; id < 4; id += 1)
    assert.equal(await client.request("resources/read", { uri: "a:b" }, id), expected(id, 1));
  assert.equal(server.reads, 1);
  // A read with more than its name is nobody else's.
  assert.equal(await client.request("resources/read", { uri: "a:b", more: 1 }, 4), expected(4, 2));
  const health = recordOf(await (await fetch(new URL("/health", gateway.url()))).json());
  const { hits, misses } = recordOf(recordOf(recordOf(health["backends"])["b"])["cache"]);
  assert.deepEqual([hits, misses], [2, 1]);
});

test("reads: without cache in the config nothing is kept", async () => {
  await using server = await startServer();
  await using gateway = await Gateway.start({ backends: { b: { url: server.url, protocol: "modern" } } });
  await gateway.up("b");
  const peer = new ModernPeer(gateway.url("b"));
  assert.deepEqual([(await read(peer)).text, (await read(peer)).text], ["read 1", "read 2"]);
});
