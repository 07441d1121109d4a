// Rules, views and colliding names on real links: what is hidden cannot be used, and nothing tells it from what is not there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BackendPlan, defaultPlan, type Plan } from "../../lib/config/plan.ts";
import { planOf, type TestClient, TestNet } from "./kit.ts";
import { type McpPeer, servePeer } from "./peer.ts";

interface Store extends AsyncDisposable {
  readonly peer: McpPeer;
  tools: readonly string[];
}

/** A server with these tools, prompts of the same names and resources; it answers with what it was asked for. */
async function startStore(...tools: string[]): Promise<Store> {
  const store = { tools };
  const peer = await servePeer(
    { tools: { listChanged: true }, prompts: {}, resources: {} },
    {
      "tools/list": (exchange) => exchange.reply({ tools: store.tools.map((name) => ({ name, description: name })) }),
      "prompts/list": (exchange) => exchange.reply({ prompts: store.tools.map((name) => ({ name })) }),
      "resources/list": (exchange) =>
        exchange.reply({
          resources: [
            { uri: "file:///open", name: "o" },
            { uri: "file:///secret/1", name: "s" },
          ],
        }),
      "resources/templates/list": (exchange) =>
        exchange.reply({ resourceTemplates: [{ uriTemplate: "file:///{+path}", name: "t" }] }),
      "tools/call": (exchange) => exchange.reply({ called: exchange.params["name"] }),
      "prompts/get": (exchange) => exchange.reply({ got: exchange.params["name"] }),
      "resources/read": (exchange) => exchange.reply({ read: exchange.params["uri"] }),
    },
  );
  return Object.assign(store, { peer, [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() });
}

const netOf = (backends: readonly BackendPlan[], more: Partial<Plan> = {}): TestNet =>
  new TestNet(backends, { ...defaultPlan(backends), ...more });

async function namesOf(client: TestClient, kind = "tools"): Promise<unknown[]> {
  const result = await client.result(`${kind}/list`);
  return (result[kind] as { readonly name?: string; readonly uri?: string }[]).map(({ uri, name }) => uri ?? name);
}

const called = async (client: TestClient, name: string): Promise<unknown> =>
  (await client.result("tools/call", { name }))["called"];

async function refusal(client: TestClient, method: string, params: object): Promise<unknown> {
  const reply = await client.request(method, params);
  assert.ok(reply?.error, `${method} ${JSON.stringify(params)} was answered: ${JSON.stringify(reply)}`);
  return reply.error;
}

test("rules: a hidden tool is refused in the words of one that is not there, and is never called", async () => {
  await using store = await startStore("read", "write", "drop");
  const rules = { tools: { deny: ["drop"], rename: { write: "put" } }, prompts: { allow: ["read"] } };
  for (const [naming, prefix] of [
    ["prefix", "fs__"],
    ["none", ""],
    ["conflict", ""],
  ] as const) {
    await using net = netOf([planOf("fs", store.peer.url, { rules })], { naming });
    const clients = [[net.client(), prefix] as const, [net.client({}, "fs"), ""] as const];
    for (const [client, before] of clients) {
      assert.deepEqual(await namesOf(client), [`${before}put`, `${before}read`]);
      assert.deepEqual(
        [await called(client, `${before}read`), await called(client, `${before}put`)],
        ["read", "write"],
      );
      const nobody = JSON.stringify(await refusal(client, "tools/call", { name: `${before}nope` }));
      for (const name of ["drop", "write"]) {
        const told = JSON.stringify(await refusal(client, "tools/call", { name: before + name }));
        assert.equal(told, nobody.replaceAll("nope", name));
      }
      assert.deepEqual(await namesOf(client, "prompts"), [`${before}read`]);
      const missing = JSON.stringify(await refusal(client, "prompts/get", { name: `${before}nope` }));
      const hidden = JSON.stringify(await refusal(client, "prompts/get", { name: `${before}drop` }));
      assert.equal(hidden, missing.replaceAll("nope", "drop"));
      assert.equal((await client.result("prompts/get", { name: `${before}read` }))["got"], "read");
    }
  }
  const calls = store.peer.got.filter(({ method }) => method === "tools/call" || method === "prompts/get");
  const names = new Set(calls.map(({ params }) => params?.["name"]));
  assert.deepEqual(names, new Set(["read", "write"]));
});

test("rules: a hidden resource cannot be read, by its own address or another one, nor through a template", async () => {
  await using store = await startStore();
  const rules = { resources: { deny: ["file:///secret/*"] } };
  await using net = netOf([planOf("fs", store.peer.url, { rules }), planOf("other", store.peer.url, { rules })]);
  for (const client of [net.client(), net.client({}, "fs")]) {
    assert.ok(!JSON.stringify(await namesOf(client, "resources")).includes("secret"));
    assert.equal((await client.result("resources/read", { uri: "file:///open" }))["read"], "file:///open");
    assert.equal((await client.result("resources/read", { uri: "file:///any" }))["read"], "file:///any");
    for (const uri of ["file:///secret/1", "file:///secret/none", "mcpctl://fs/file%3A%2F%2F%2Fsecret%2F1"])
      await refusal(client, "resources/read", { uri });
  }
  assert.ok(!JSON.stringify(store.peer.got).includes("file:///secret"));
});

test("views: an endpoint of its own with a part of the tools, and nothing else can be called there", async () => {
  await using fs = await startStore("read", "write");
  await using git = await startStore("log");
  const backends = [planOf("fs", fs.peer.url, { tags: ["files"] }), planOf("git", git.peer.url)];
  const views = [
    { name: "safe", tools: ["*__read", "*__log"] },
    { name: "files", tags: ["files"] },
  ];
  await using net = netOf(backends, { views });
  const [safe, files, whole] = [net.client({}, "safe"), net.client({}, "files"), net.client()];
  assert.deepEqual(await namesOf(safe), ["fs__read", "git__log"]);
  assert.deepEqual(await namesOf(files), ["fs__read", "fs__write"]);
  assert.deepEqual(await namesOf(whole), ["fs__read", "fs__write", "git__log"]);
  assert.equal(await called(safe, "git__log"), "log");
  assert.equal(await called(files, "fs__write"), "write");
  for (const [client, name] of [
    [safe, "fs__write"],
    [files, "git__log"],
  ] as const) {
    const told = JSON.stringify(await refusal(client, "tools/call", { name }));
    const nobody = JSON.stringify(await refusal(client, "tools/call", { name: "fs__nope" }));
    assert.equal(told, nobody.replaceAll("fs__nope", name));
  }
  assert.equal(net.hub.view("none"), undefined);
});

test("views: clients hear of a change where they see it, and only there", async () => {
  await using fs = await startStore("read", "write");
  await using net = netOf([planOf("fs", fs.peer.url)], { views: [{ name: "safe", tools: ["*__read*"] }] });
  const [safe, whole] = [net.client({}, "safe"), net.client()];
  await namesOf(safe);
  await namesOf(whole);
  const changes = (client: TestClient): number =>
    client.heard.filter(({ method }) => method === "notifications/tools/list_changed").length;
  await whole.until(() => changes(whole) > 0 && changes(safe) > 0);
  const before = changes(safe);
  const change = async (...tools: string[]): Promise<void> => {
    const count = changes(whole);
    fs.tools = tools;
    fs.peer.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    await whole.until(() => changes(whole) > count);
  };
  await change("read", "write", "more");
  assert.equal(changes(safe), before);
  await change("read", "read2", "write");
  await safe.until(() => changes(safe) > before);
  assert.deepEqual([await namesOf(safe), changes(safe)], [["fs__read", "fs__read2"], before + 1]);
});

test("naming: of names that collide the prefixed ones lead to each backend, and none is plain", async () => {
  await using one = await startStore("read", "x");
  await using two = await startStore("read", "y");
  await using net = netOf([planOf("a", one.peer.url), planOf("b", two.peer.url)], { naming: "conflict" });
  const client = net.client();
  assert.deepEqual(await namesOf(client), ["a__read", "x", "b__read", "y"]);
  for (const [name, peer, local] of [
    ["a__read", one.peer, "read"],
    ["b__read", two.peer, "read"],
    ["y", two.peer, "y"],
  ] as const) {
    const before = peer.count("tools/call");
    assert.deepEqual([await called(client, name), peer.count("tools/call")], [local, before + 1]);
  }
  await refusal(client, "tools/call", { name: "read" });
});
