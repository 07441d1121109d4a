// A backend that goes away: its items stay for a while, then leave, and clients hear of it; so they do when it is back.
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { test } from "node:test";
import { defaultPlan } from "../../lib/config/plan.ts";
import { Scope } from "../../lib/core/scope.ts";
import { planOf, type TestClient, TestNet } from "./kit.ts";

const partialOf = (result: Record<string, unknown>): Record<string, unknown>[] =>
  ((result["_meta"] as Record<string, unknown> | undefined)?.["mcpctl/partial"] ?? []) as Record<string, unknown>[];

const changes = (client: TestClient): number =>
  client.heard.filter(({ method }) => method === "notifications/tools/list_changed").length;

test("grace: items of a backend that is gone are stale, then missing, then back, and each change is told", async () => {
  let isUp = true;
  const answer: RequestListener = (request, response) => {
    if (!isUp) return void request.socket.destroy();
    if (request.method !== "POST") return void response.writeHead(405).end();
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      const { id, method } = JSON.parse(text) as { id?: number; method: string };
      if (id === undefined) return void response.writeHead(202).end();
      const capabilities = { tools: { listChanged: true } };
      const opened = { protocolVersion: "2025-11-25", capabilities, serverInfo: { name: "x", version: "1" } };
      const result = method === "initialize" ? opened : method === "tools/list" ? { tools: [{ name: "t" }] } : {};
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ jsonrpc: "2.0", id, result }));
    });
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/mcp`;
  const plan = defaultPlan([planOf("fs", url, { protocol: "legacy" })]);
  const net = new TestNet(plan.backends, { ...plan, timeouts: { ...plan.timeouts, graceMs: 3_000, listMs: 10_000 } });
  const client = net.client();
  try {
    assert.deepEqual((await client.result("tools/list"))["tools"], [{ name: "fs__t" }]);
    await client.until(() => changes(client) === 1);
    isUp = false;
    server.closeAllConnections();
    const [backend] = net.hub.topology.values();
    await backend?.verify(new Scope(), 1_000);
    const stale = await client.result("tools/list");
    assert.deepEqual(stale["tools"], [{ name: "fs__t" }]);
    const [shortfall] = partialOf(stale);
    assert.deepEqual([shortfall?.["backend"], shortfall?.["state"]], ["fs", "stale"]);
    assert.ok(Date.parse(String(shortfall?.["readAt"])) <= Date.parse(String(shortfall?.["since"])));
    await client.until(() => changes(client) === 2);
    const missing = await client.result("tools/list");
    assert.deepEqual([missing["tools"], partialOf(missing)[0]?.["state"]], [[], "missing"]);
    isUp = true;
    await backend?.verify(new Scope(), 1_000);
    await client.until(() => changes(client) === 3);
    const back = await client.result("tools/list");
    assert.deepEqual([back["tools"], partialOf(back)], [[{ name: "fs__t" }], []]);
  } finally {
    await net[Symbol.asyncDispose]();
    net.router.listings.close();
    server.closeAllConnections();
    server.close();
  }
});
