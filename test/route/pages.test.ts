// Walks through listings on real links: over gateways that share their keys, while servers and sessions come and go.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { defaultPlan, type Plan } from "../../lib/config/plan.ts";
import { Scope } from "../../lib/core/scope.ts";
import { planOf, type TestClient, TestNet } from "./kit.ts";
import { type McpPeer, servePeer } from "./peer.ts";

/** A server whose tools the test changes; it tells of no changes, so that each listing reads it again. */
interface Store extends AsyncDisposable {
  readonly name: string;
  readonly peer: McpPeer;
  tools: readonly string[];
}

async function startStore(name: string, tools: readonly string[]): Promise<Store> {
  const store = { name, tools };
  const peer = await servePeer(
    { tools: {}, prompts: {} },
    {
      // Three to a page, so that a listing of the gateway is made of many.
      "tools/list": (exchange) => {
        const from = Number(exchange.params["cursor"] ?? 0);
        const next = from + 3 < store.tools.length ? { nextCursor: String(from + 3) } : {};
        exchange.reply({ tools: store.tools.slice(from, from + 3).map((tool) => ({ name: tool })), ...next });
      },
      "prompts/list": (exchange) => exchange.reply({ prompts: store.tools.map((prompt) => ({ name: prompt })) }),
    },
  );
  return Object.assign(store, { peer, [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() });
}

const sealKeys = ["0123456789abcdef"];
const planFor = (stores: readonly Store[], pageSize: Plan["pagination"]["pageSize"] = 4): Plan => ({
  ...defaultPlan(stores.map(({ name, peer }) => planOf(name, peer.url))),
  sealKeys,
  pagination: { pageSize, maxPageSize: 6 },
});

interface PageSeen {
  readonly names: readonly string[];
  readonly next: string | undefined;
}

async function pageOf(client: TestClient, cursor: string | undefined, query: string): Promise<PageSeen> {
  const { tools, nextCursor } = await client.result("tools/list", cursor === undefined ? {} : { cursor }, query);
  const names = (tools as { readonly name: string }[]).map(({ name }) => name);
  return { names, next: typeof nextCursor === "string" ? nextCursor : undefined };
}

async function reasonOf(client: TestClient, method: string, cursor: unknown): Promise<unknown> {
  const reply = await client.request(method, { cursor });
  const error = reply?.error as { code: number; data?: Record<string, unknown> } | undefined;
  return [error?.code, error?.data?.["reason"]];
}

test("pages: a walk sees all that stays exactly once, whatever comes and goes, wherever it goes on", async () => {
  const kept = ["k1", "k5", "k9", "m2"];
  const more = fc.uniqueArray(fc.stringMatching(/^[k-n][0-9]$/), { maxLength: 8 });
  const step = fc.record({
    gateway: fc.nat(1),
    changed: fc.nat(2),
    tools: more,
    order: fc.shuffledSubarray([0, 1, 2], { minLength: 2 }),
    size: fc.integer({ min: 1, max: 9 }),
    isNewSession: fc.boolean(),
  });
  const stores = await Promise.all(["a", "b", "c"].map((name) => startStore(name, kept)));
  const nets = [
    new TestNet(planFor(stores).backends, planFor(stores)),
    new TestNet(planFor(stores).backends, planFor(stores)),
  ];
  const clients = nets.map((net) => net.client());
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      const stays = new Set(["a", "b", "c"].flatMap((name) => kept.map((tool) => `${name}__${tool}`)));
      const seen: string[] = [];
      let cursor: string | undefined;
      for (let page = 0; page === 0 || cursor !== undefined; page += 1) {
        assert.ok(page < 200, "the walk ends");
        const { gateway, changed, tools, order, size, isNewSession } = steps[page % steps.length] ?? fail();
        const store = stores[changed] ?? fail();
        store.tools = [...new Set([...kept, ...tools])].toSorted().toReversed();
        const net = nets[gateway] ?? fail();
        // One backend may be away for a while, and what it lists has not stayed.
        const present = page % 3 === 2 ? order : [...new Set([...order, 0, 1, 2])];
        for (const [at, { name }] of stores.entries())
          if (!present.includes(at)) for (const tool of kept) stays.delete(`${name}__${tool}`);
        const plan = planFor(present.map((at) => stores[at] ?? fail()));
        net.apply(plan);
        let client = clients[gateway] ?? fail();
        if (isNewSession) {
          net.hub.sessions.end(client.session);
          clients[gateway] = client = net.client();
        }
        const { names, next } = await pageOf(client, cursor, `pageSize=${size}`);
        seen.push(...names);
        cursor = next;
      }
      for (const name of stays) assert.equal(seen.filter((each) => each === name).length, 1, name);
    }),
    { numRuns: 25 },
  );
  for (const net of nets) await net[Symbol.asyncDispose]();
  for (const store of stores) await store[Symbol.asyncDispose]();
});

function fail(): never {
  throw new Error("nothing there");
}

test("pages: a client says how many items it wants, and gets no more than it may", async () => {
  await using store = await startStore(
    "a",
    Array.from({ length: 20 }, (_, at) => `t${String(at).padStart(2, "0")}`),
  );
  const plan = planFor([store]);
  await using net = new TestNet(plan.backends, plan);
  const client = net.client();
  for (const [query, count] of [
    ["", 4],
    ["pageSize=3", 3],
    ["pageSize=99", 6],
    ["pageSize=off", 20],
    ["pagination=off", 20],
    ["pagination=on&x=1", 4],
  ] as const) {
    const { names, next } = await pageOf(client, undefined, query);
    assert.deepEqual([names.length, next !== undefined], [count, count < 20], query);
  }
  for (const query of ["pageSize=0", "pageSize=-1", "pageSize=x", "pageSize="])
    await assert.rejects(pageOf(client, undefined, query), /-32602/, query);
});

test("pages: a cursor is good for its kind and endpoint, on any gateway with its keys, and for nothing else", async () => {
  await using store = await startStore("a", ["1", "2", "3", "4", "5", "6", "7"]);
  const plan = planFor([store]);
  await using net = new TestNet(plan.backends, plan);
  await using same = new TestNet(plan.backends, plan);
  await using other = new TestNet(plan.backends, { ...plan, sealKeys: ["another key, as long"] });
  const { next } = await pageOf(net.client(), undefined, "");
  assert.ok(next !== undefined);
  const rest = { names: ["a__5", "a__6", "a__7"], next: undefined };
  assert.deepEqual(await pageOf(same.client(), next, ""), rest);
  assert.deepEqual(await pageOf(net.client(), next, ""), rest);
  assert.deepEqual(await reasonOf(net.client(), "prompts/list", next), [-32_602, "otherKind"]);
  assert.deepEqual(await reasonOf(net.client({}, "a"), "tools/list", next), [-32_602, "otherView"]);
  assert.deepEqual(await reasonOf(other.client(), "tools/list", next), [-32_602, "unknown"]);
  for (const wrong of ["", "1", next.slice(0, -1), 5, {}])
    assert.deepEqual(await reasonOf(net.client(), "tools/list", wrong), [-32_602, "unknown"]);
  // Some clients write what they leave out.
  assert.equal((await net.client().request("tools/list", { cursor: null }))?.error, undefined);
  const someone = net.client({}, "", "someone else");
  assert.deepEqual(await reasonOf(someone, "tools/list", next), [-32_602, "otherPrincipal"]);
});

test("pages: a page behind the first asks no backend again", async () => {
  await using store = await startStore("a", ["1", "2", "3", "4", "5", "6", "7"]);
  const plan = planFor([store], 2);
  await using net = new TestNet(plan.backends, plan);
  const client = net.client();
  let { next } = await pageOf(client, undefined, "");
  const asked = store.peer.count("tools/list");
  while (next !== undefined) ({ next } = await pageOf(client, next, ""));
  assert.equal(store.peer.count("tools/list"), asked);
});

test("pages: principals that see the same share the memory of it", async () => {
  await using store = await startStore("a", ["1", "2"]);
  const plan = planFor([store]);
  await using net = new TestNet(plan.backends, plan);
  const [one, two] = [net.client({}, "", "one"), net.client({}, "", "two")];
  await pageOf(one, undefined, "");
  await pageOf(two, undefined, "");
  const { listings } = net.router;
  using scope = new Scope();
  const [first, second] = [
    await listings.merged(one.session, "tools", scope),
    await listings.merged(two.session, "tools", scope),
  ];
  assert.equal(first.index, second.index);
});
