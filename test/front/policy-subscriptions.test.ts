// What a policy makes of subscriptions on a link that is shared, and of what belongs to a session when its rights shrink.
import assert from "node:assert/strict";
import { test } from "node:test";
import { backendDefaults, type BackendPlan, freeze } from "../../lib/config/plan.ts";
import type { PolicyPlan, PolicyRulePlan } from "../../lib/config/rules-policy.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { type Exchange, type McpPeer, servePeer } from "../route/peer.ts";
import { clientWith, get, keyOf, startLocked, type TestKey } from "./auth-kit.ts";
import { type Bench, codeOf, Events, type FrontClient } from "./kit.ts";
import { type Message, record } from "./peer.ts";

const [ada, eve] = [keyOf("ada", { groups: ["ops"] }), keyOf("eve")];
const [secret, plain] = ["secret://x", "plain://y"];

/** Ops may use everything, others what these rules say. */
const policyOf = (...rules: readonly PolicyRulePlan[]): PolicyPlan => ({
  default: "deny",
  roles: { ops: { groups: ["ops"] } },
  rules: [{ effect: "allow", roles: ["ops"] }, ...rules],
});
const plainOnly: PolicyRulePlan = { effect: "allow", resources: ["plain://*"] };

const ok = (exchange: Exchange): void => exchange.reply({});
const servePlain = (): Promise<McpPeer> =>
  servePeer(
    { resources: { subscribe: true } },
    {
      "resources/list": (exchange) => exchange.reply({ resources: [secret, plain].map((uri) => ({ uri, name: uri })) }),
      "resources/templates/list": (exchange) => exchange.reply({ resourceTemplates: [] }),
      "resources/subscribe": ok,
      "resources/unsubscribe": ok,
    },
  );

const shared = (name: string, url: string): BackendPlan => ({
  ...backendDefaults,
  name: name as BackendName,
  replicas: [{ kind: "http", url, headers: {} }],
  isolation: "shared",
});

async function start(policy: PolicyPlan, ...backends: readonly BackendPlan[]): Promise<Bench> {
  return await startLocked({ keys: [ada, eve] }, { backends: {}, plan: { policy, backends } });
}

async function legacy(bench: Bench, { key }: TestKey): Promise<FrontClient> {
  const client = clientWith(bench, key);
  await client.initialize();
  return client;
}

const subscribe = (uri: string, id: string = uri): Message => ({
  jsonrpc: "2.0",
  id,
  method: "resources/subscribe",
  params: { uri },
});

/** A stream of a modern client that wants to hear of these, and those of which it will. */
async function listening(bench: Bench, { key }: TestKey, ...uris: readonly string[]) {
  const { body, headers } = modernRequest("subscriptions/listen", { notifications: { resourceSubscriptions: uris } });
  const events = new Events(await clientWith(bench, key).send("POST", body, headers));
  const { notifications } = record((await events.message())["params"]);
  return { events, honoured: record(notifications)["resourceSubscriptions"] };
}

/** All of these change, in this order. */
async function change(peer: McpPeer, ...uris: readonly string[]): Promise<void> {
  await peer.until(() => peer.asked.length > 0);
  for (const uri of uris) peer.push({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } });
}

/** What is heard of next. */
const heard = async (events: Events): Promise<unknown> => record((await events.message())["params"])["uri"];

test("policy: nobody joins a subscription to what is hidden from them", async () => {
  await using peer = await servePlain();
  await using bench = await start(policyOf(plainOnly), shared("b", peer.url));
  const [own, other] = [await legacy(bench, ada), await legacy(bench, eve)];
  const [ownEvents, otherEvents] = [await own.listen(), await other.listen()];
  for (const uri of [secret, plain]) assert.deepEqual((await own.post(subscribe(uri))).json["result"], {});
  const [hidden, absent] = [await other.post(subscribe(secret, "1")), await other.post(subscribe("secret://0", "1"))];
  assert.equal(hidden.text.replaceAll(secret, "secret://0"), absent.text);
  assert.equal(codeOf(hidden), -32002);
  const modern = await listening(bench, eve, secret, plain);
  assert.deepEqual(modern.honoured, [plain]);
  assert.deepEqual((await other.post(subscribe(plain))).json["result"], {});
  // The backend was asked once for both.
  assert.equal(peer.count("resources/subscribe"), 2);
  await change(peer, secret, plain);
  assert.deepEqual([await heard(ownEvents), await heard(ownEvents)], [secret, plain]);
  assert.deepEqual([await heard(otherEvents), await heard(modern.events)], [plain, plain]);
  for (const events of [ownEvents, otherEvents, modern.events]) await events.drop();
});

test("policy: who joins a subscription is asked what all are asked, and noted", async () => {
  for (const [rule, status, asked] of [
    [{ scopes: ["deep"] }, 403, ["answered", "failed"]],
    [{ rate: "1/h" }, 429, ["answered", "answered", "failed"]],
  ] as const) {
    await using peer = await servePlain();
    await using bench = await start(policyOf({ ...plainOnly, ...rule }), shared("b", peer.url));
    const [own, other] = [await legacy(bench, ada), await legacy(bench, eve)];
    assert.deepEqual((await own.post(subscribe(plain))).json["result"], {});
    if ("rate" in rule) assert.deepEqual((await other.post(subscribe(plain))).json["result"], {});
    assert.equal((await other.post(subscribe(plain))).status, status);
    assert.equal(peer.count("resources/subscribe"), 1);
    const { calls } = (await get(bench, "/why", ada.key)).json;
    assert.ok(Array.isArray(calls));
    assert.deepEqual(calls.map((each) => record(each)["outcome"]).toReversed(), asked);
  }
});

test("policy: what is hidden later is not heard of any more", async () => {
  await using peer = await servePlain();
  await using bench = await start(policyOf({ effect: "allow" }), shared("b", peer.url));
  const client = await legacy(bench, eve);
  const events = await client.listen();
  for (const uri of [secret, plain]) assert.deepEqual((await client.post(subscribe(uri))).json["result"], {});
  const modern = await listening(bench, eve, secret, plain);
  assert.deepEqual(modern.honoured, [secret, plain]);
  await change(peer, secret);
  assert.deepEqual([await heard(events), await heard(modern.events)], [secret, secret]);
  await bench.gateway.apply(freeze({ ...bench.gateway.plan, policy: policyOf(plainOnly) }));
  await change(peer, secret, `${secret}/part`, plain);
  assert.deepEqual([await heard(events), await heard(modern.events)], [plain, plain]);
  for (const each of [events, modern.events]) await each.drop();
});

test("policy: a task at a backend that is hidden later is unknown", async () => {
  const serveTasks = (): Promise<McpPeer> =>
    servePeer(
      { tools: {}, tasks: { list: {}, requests: { tools: { call: {} } } } },
      {
        "tools/list": (exchange) => exchange.reply({ tools: [{ name: "t", inputSchema: { type: "object" } }] }),
        "tools/call": (exchange) => exchange.reply({ task: { taskId: "t1" } }),
        "tasks/get": (exchange) =>
          exchange.params["taskId"] === "t1" ? exchange.reply({ taskId: "t1" }) : exchange.fail(-32602),
      },
    );
  await using peer = await serveTasks();
  await using bench = await start(policyOf({ effect: "allow" }), shared("b", peer.url));
  const client = await legacy(bench, eve);
  const made = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "b__t", task: {} } };
  assert.deepEqual((await client.post(made)).json["result"], { task: { taskId: "t1" } });
  const ask = { jsonrpc: "2.0", id: 2, method: "tasks/get", params: { taskId: "t1" } };
  assert.deepEqual((await client.post(ask)).json["result"], { taskId: "t1" });
  await bench.gateway.apply(freeze({ ...bench.gateway.plan, policy: policyOf({ effect: "allow", backends: ["c"] }) }));
  const refused = await client.post(ask);
  assert.equal(codeOf(refused), -32602, refused.text);
  assert.match(refused.text, /unknown task/);
  assert.equal(peer.count("tasks/get"), 1);
});
