// Which backend a call goes to, and what it is asked there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../../lib/core/scope.ts";
import { exposeName } from "../../lib/merge/names.ts";
import { planOf, TestNet } from "./kit.ts";
import { type Answers, type Exchange, type McpPeer, servePeer } from "./peer.ts";

const tools = (name: string, names: readonly string[], more: Answers = {}): Promise<McpPeer> =>
  servePeer(
    { tools: { listChanged: true } },
    {
      "tools/list": (exchange) =>
        exchange.reply({ tools: names.map((each) => ({ name: each, inputSchema: { type: "object" } })) }),
      "tools/call": (exchange) => exchange.reply({ by: name, name: exchange.params["name"] }),
      ...more,
    },
  );
const resources = (
  uris: readonly string[],
  templates: readonly string[],
  read: (exchange: Exchange) => void,
): Promise<McpPeer> =>
  servePeer(
    { resources: { listChanged: true } },
    {
      "resources/list": (exchange) => exchange.reply({ resources: uris.map((uri) => ({ uri, name: uri })) }),
      "resources/templates/list": (exchange) =>
        exchange.reply({ resourceTemplates: templates.map((uriTemplate) => ({ uriTemplate, name: "t" })) }),
      "resources/read": read,
    },
  );

test("routes: a shortened name reaches the tool that it was made of, and so does a name that only looks like one", async () => {
  const long = "x".repeat(80);
  await using peer = await tools("a", [long, "a b", "job_deadbeef", "plain"]);
  await using other = await tools("b", []);
  await using net = new TestNet([planOf("a", peer.url), planOf("b", other.url)]);
  const client = net.client();
  for (const local of [long, "a b", "job_deadbeef", "plain", "unlisted_deadbeef"]) {
    const name = exposeName(client.session.facts.view, "a", local);
    assert.deepEqual(await client.result("tools/call", { name, arguments: {} }), { by: "a", name: local });
  }
});

test("routes: without naming, priority decides, and a call does not list again what is known", async () => {
  await using a = await tools("a", ["read", "only_a"]);
  await using b = await tools("b", ["read"]);
  const plans = [planOf("a", a.url), planOf("b", b.url)];
  await using net = new TestNet(plans, { naming: "none", priority: plans.map(({ name }) => name).toReversed() });
  const client = net.client();
  await client.result("tools/list");
  const listed = a.count("tools/list") + b.count("tools/list");
  assert.equal((await client.result("tools/call", { name: "read" }))["by"], "b");
  assert.equal((await client.result("tools/call", { name: "only_a" }))["by"], "a");
  assert.equal(a.count("tools/list") + b.count("tools/list"), listed);
  assert.match((await client.request("tools/call", { name: "none" }))?.error?.message ?? "", /unknown tool "none"/);
});

test("routes: cancelling one request of a batch leaves the others", async () => {
  const held: Exchange[] = [];
  await using peer = await tools("a", [], { "tools/call": (exchange) => void held.push(exchange) });
  await using net = new TestNet([planOf("a", peer.url)]);
  const client = net.client();
  using batch = new Scope();
  const replies = [1, 2].map((id) => client.request("tools/call", { name: "a__t" }, batch, id));
  await peer.until(() => held.length === 2);
  client.say({ method: "notifications/cancelled", params: { requestId: 1 } });
  assert.equal(await replies[0], undefined);
  for (const exchange of held) exchange.reply({ done: true });
  assert.deepEqual((await replies[1])?.result, { done: true });
});

test("routes: a resource that no listing shows is looked for at every backend, whatever code the others refuse it with", async () => {
  const refuse = (exchange: Exchange): void => exchange.fail(-32602, "unknown resource");
  await using a = await resources([], [], refuse);
  await using b = await resources([], ["x://{+any}"], refuse);
  await using c = await resources([], [], (exchange) => {
    if (exchange.params["uri"] === "x://hidden") exchange.reply({ contents: [] });
    else exchange.fail(-32002, "not here");
  });
  await using net = new TestNet([planOf("a", a.url), planOf("b", b.url), planOf("c", c.url)]);
  const client = net.client();
  assert.deepEqual(await client.result("resources/read", { uri: "x://hidden" }), { contents: [] });
  assert.equal((await client.request("resources/read", { uri: "x://none" }))?.error?.code, -32602);
  assert.equal((await client.request("resources/read", { uri: "y://none" }))?.error?.code, -32002);
});

test("routes: a backend that fails does not hide a resource of another", async () => {
  await using broken = await resources([], ["x://{+any}"], (exchange) => exchange.drop());
  await using good = await resources([], ["x://{id}"], (exchange) => exchange.reply({ contents: [] }));
  await using net = new TestNet([planOf("broken", broken.url), planOf("good", good.url)]);
  assert.deepEqual(await net.client().result("resources/read", { uri: "x://1" }), { contents: [] });
});

test("routes: a listed resource is asked of its owner alone", async () => {
  await using a = await resources([], ["x://{+any}"], (exchange) => exchange.reply({ contents: ["a"] }));
  await using b = await resources(["x://1"], [], (exchange) => exchange.fail(-32603, "disk"));
  await using net = new TestNet([planOf("a", a.url), planOf("b", b.url)]);
  const reply = await net.client().request("resources/read", { uri: "x://1" });
  assert.deepEqual([reply?.error?.message, a.count("resources/read")], ["disk", 0]);
});

test("routes: a method that nobody knows goes to the one backend of a view, and to none of several", async () => {
  const own: Answers = { "vendor/do": (exchange) => exchange.reply({ did: exchange.params["x"] }) };
  await using a = await tools("a", [], own);
  await using b = await tools("b", [], own);
  await using net = new TestNet([planOf("a", a.url), planOf("b", b.url)]);
  assert.deepEqual(await net.client({}, "a").result("vendor/do", { x: 1 }), { did: 1 });
  assert.equal((await net.client().request("vendor/do", { x: 1 }))?.error?.code, -32601);
  assert.equal(b.count("vendor/do"), 0);
});

test("routes: a method that nobody knows goes to the one of several that has extensions, or by its URI", async () => {
  const own = (name: string): Answers => ({
    "skills/list": (exchange) => exchange.reply({ by: name }),
    "skills/get": (exchange) => exchange.reply({ by: name, uri: exchange.params["uri"] }),
    "resources/list": (exchange) => exchange.reply({ resources: [{ uri: `skill://${name}`, name }] }),
  });
  const able = { resources: {}, extensions: { "x.example/skills": {} } };
  await using a = await servePeer({ extensions: { "io.modelcontextprotocol/ui": {} } }, own("a"));
  await using b = await servePeer(able, own("b"));
  await using c = await servePeer(able, own("c"));
  const plans = [planOf("a", a.url), planOf("b", b.url), planOf("c", c.url)];
  await using two = new TestNet(plans.slice(0, 2));
  const client = two.client();
  await client.result("resources/list");
  assert.deepEqual(await client.result("skills/list"), { by: "b" });
  assert.deepEqual(await client.result("skills/get", { uri: "mcpctl://b/skill%3A%2F%2Fx" }), {
    by: "b",
    uri: "skill://x",
  });
  await using three = new TestNet(plans);
  const other = three.client();
  await other.result("resources/list");
  assert.deepEqual(await other.result("skills/get", { uri: "skill://c" }), { by: "c", uri: "skill://c" });
  const { error } = (await other.request("skills/list")) ?? {};
  assert.match(`${error?.code} ${error?.message}`, /-32601 .*one of b, c/);
  assert.equal(a.count("skills/list"), 0);
});

test("routes: a lost session is opened again under a call and under a listing, and nobody sees it", async () => {
  await using peer = await tools("a", ["t"]);
  await using net = new TestNet([planOf("a", peer.url)]);
  const client = net.client();
  await client.result("tools/list");
  for (let time = 0; time < 3; time += 1) {
    peer.forget();
    assert.equal((await client.result("tools/call", { name: "a__t" }))["by"], "a");
  }
  peer.forget();
  const { tools: listed, _meta } = await client.result("tools/list");
  assert.deepEqual([(listed as unknown[]).length, _meta], [1, undefined]);
});
