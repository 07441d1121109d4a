// disclosure: search. Three tools that find, describe and call all others; the calls are what they would be without.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { defaultPlan } from "../../lib/config/plan.ts";
import { planOf, type TestClient, TestNet } from "./kit.ts";
import { type McpPeer, servePeer } from "./peer.ts";

const file = join(import.meta.dirname, "../fixtures/tools.json");
const { servers } = JSON.parse(readFileSync(file, "utf8")) as { servers: Readonly<Record<string, readonly object[]>> };

function serveTools(tools: readonly object[]): Promise<McpPeer> {
  return servePeer(
    { tools: { listChanged: true } },
    {
      "tools/list": (exchange) => exchange.reply({ tools }),
      "tools/call": (exchange) => {
        const { name, arguments: args, _meta } = exchange.params;
        const { progressToken } = (_meta ?? {}) as Record<string, unknown>;
        if (progressToken !== undefined)
          exchange.send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress: 1 } });
        if (name === "refused") exchange.fail(-32_099, "not today");
        else exchange.reply({ content: [], called: name, args });
      },
    },
  );
}

async function textOf(client: TestClient, name: string, args: object): Promise<{ text: string; isError: unknown }> {
  const { content, isError } = await client.result("tools/call", { name, arguments: args });
  return { text: (content as { text: string }[])[0]?.text ?? "", isError };
}

test("finder: the catalog is three tools, and what they save is most of it", async () => {
  const peers = new Map<string, McpPeer>();
  for (const [name, tools] of Object.entries(servers)) peers.set(name, await serveTools(tools));
  const backends = [...peers].map(([name, peer]) => planOf(name, peer.url));
  await using net = new TestNet(backends, {
    ...defaultPlan(backends),
    views: [{ name: "lean", disclosure: "search" }],
  });
  const [lean, whole] = [net.client({}, "lean"), net.client()];
  const all = await whole.result("tools/list");
  const three = await lean.result("tools/list");
  assert.deepEqual(
    (three["tools"] as { name: string }[]).map(({ name }) => name),
    ["call_tool", "describe_tool", "find_tools"],
  );
  const { text } = await textOf(lean, "find_tools", { query: "give a customer their money back", limit: 5 });
  const found = JSON.parse(text) as { name: string; description: string }[];
  assert.equal(found.length, 5);
  assert.ok(
    found.some(({ name, description }) => name === "stripe__create_refund" && description === "Creates a refund"),
  );
  const described = await textOf(lean, "describe_tool", { name: "stripe__create_refund" });
  assert.deepEqual(
    JSON.parse(described.text),
    (all["tools"] as { name: string }[]).find(({ name }) => name === "stripe__create_refund"),
  );
  // About four characters are a token.
  const tokens = (value: unknown): number => Math.round(JSON.stringify(value).length / 4);
  const spent = tokens(three) + tokens(text) + tokens(described);
  console.log(`tokens: ${tokens(all["tools"])} for all 300 tools, ${spent} with one search`);
  assert.ok(spent < tokens(all["tools"]) / 10);
  for (const peer of peers.values()) await peer[Symbol.asyncDispose]();
});

test("finder: a call in a call_tool is the call itself, with its arguments, progress and errors", async () => {
  const big = '{"x":9007199254740993}';
  await using peer = await serveTools([{ name: "echo" }, { name: "refused" }, { name: "hidden" }]);
  const backends = [planOf("fs", peer.url, { rules: { tools: { deny: ["hidden"] } } })];
  await using net = new TestNet(backends, { ...defaultPlan(backends), disclosure: "search" });
  for (const [client, prefix] of [
    [net.client(), "fs__"],
    [net.client({}, "fs"), ""],
  ] as const) {
    const call = (name: string, args: object = {}): Promise<unknown> =>
      client.request("tools/call", {
        name: "call_tool",
        arguments: { name: prefix + name, ...args },
        _meta: { progressToken: "p" },
      });
    const reply = await call("echo", { arguments: JSON.parse(big) as object });
    assert.deepEqual((reply as { result: object }).result, {
      content: [],
      called: "echo",
      args: JSON.parse(big) as object,
    });
    assert.deepEqual(client.streamed.at(-1)?.params, { progressToken: "p", progress: 1 });
    assert.deepEqual(((await call("echo")) as { result: { args: unknown } }).result.args, {});
    assert.deepEqual(((await call("refused")) as { error: { code: number } }).error.code, -32_099);
    // A client that knows a tool may call it as it is.
    assert.equal((await client.result("tools/call", { name: `${prefix}echo` }))["called"], "echo");
    const refused = JSON.stringify(((await call("nope")) as { error: object }).error);
    assert.equal(
      JSON.stringify(((await call("hidden")) as { error: object }).error),
      refused.replaceAll("nope", "hidden"),
    );
    for (const args of [{}, { name: 5 }, { name: "call_tool" }]) {
      const wrong = await client.request("tools/call", { name: "call_tool", arguments: args });
      assert.equal(wrong?.error?.code, -32_602);
    }
    assert.equal((await textOf(client, "find_tools", { query: " " })).isError, true);
    assert.equal((await textOf(client, "describe_tool", { name: `${prefix}hidden` })).isError, true);
    assert.match((await textOf(client, "find_tools", { query: "zebra" })).text, /nothing was found/);
  }
  assert.ok(!peer.got.some(({ params }) => params?.["name"] === "hidden"));
});
