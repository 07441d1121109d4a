// What a backend says on its own while its stream is not open: looked for afterwards, and by whoever asks meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../e2e/kit.ts";
import { CountingServer } from "../kit/counting-server.ts";
import { planOf, type TestClient, TestNet } from "./kit.ts";
import { type Exchange, type McpPeer, servePeer } from "./peer.ts";

const limits = { timeout: 60_000 };
const uri = "note://1";
const told = (member: string): string => `notifications/${member}/list_changed`;
const updated = "notifications/resources/updated";

/** A backend whose listings are what the test says. */
interface World {
  readonly peer: McpPeer;
  tools: readonly string[];
  prompts: readonly string[];
}

const items = (names: readonly string[]): object[] => names.map((name) => ({ name }));

async function serveWorld(): Promise<World> {
  const world = { tools: ["a"], prompts: ["p"] };
  const declared = { listChanged: true };
  const capabilities = { tools: declared, prompts: declared, resources: { subscribe: true } };
  const peer = await servePeer(capabilities, {
    "tools/list": (exchange) => exchange.reply({ tools: items(world.tools) }),
    "prompts/list": (exchange) => exchange.reply({ prompts: items(world.prompts) }),
    "resources/list": (exchange) => exchange.reply({ resources: [{ uri, name: "one" }] }),
    "resources/templates/list": (exchange) => exchange.reply({ resourceTemplates: [] }),
    "resources/subscribe": (exchange: Exchange) => exchange.reply({}),
  });
  return Object.assign(world, { peer });
}

const heard = ({ heard: all }: TestClient, method: string): number =>
  all.filter((message) => message.method === method).length;

async function namesOf(client: TestClient): Promise<string[]> {
  const { tools } = await client.result("tools/list");
  return (tools as readonly { readonly name: string }[]).map(({ name }) => name);
}

/** Once the first listings are read, and told of. */
async function listed(client: TestClient, peer: McpPeer): Promise<void> {
  assert.deepEqual(await namesOf(client), ["w__a"]);
  await until(() => [told("tools"), told("prompts")].every((method) => heard(client, method) === 1), "the first word");
  await peer.until(() => peer.asked.length === 1);
}

/** Resolves when a change of the prompts is told: whatever was to be told before has been. */
async function passMarker(client: TestClient, world: World): Promise<void> {
  const before = heard(client, told("prompts"));
  world.prompts = [...world.prompts, `p${before}`];
  world.peer.push({ jsonrpc: "2.0", method: told("prompts") });
  await until(() => heard(client, told("prompts")) > before, "the marker is told");
}

/** With a stream that is open, and listings that are read. */
async function play(run: (world: World, client: TestClient, net: TestNet) => Promise<void>): Promise<void> {
  const world = await serveWorld();
  await using peer = world.peer;
  await using net = new TestNet([planOf("w", peer.url)]);
  const client = net.client();
  await listed(client, peer);
  await run(world, client, net);
}

test("gap: what changed while the stream was cut is read when it is open again, and told once", limits, () =>
  play(async (world, client) => {
    const { peer } = world;
    const before = peer.count("tools/list");
    world.tools = ["a", "b"];
    peer.cut();
    await until(() => heard(client, told("tools")) === 2, "the change is told");
    assert.deepEqual(await namesOf(client), ["w__a", "w__b"]);
    await passMarker(client, world);
    assert.deepEqual([heard(client, told("tools")), peer.count("tools/list")], [2, before + 1]);
    assert.deepEqual(peer.asked, [undefined, undefined]);
  }),
);

test("gap: where nothing changed nobody hears of it, but subscribers are told to look", limits, () =>
  play(async (world, client, net) => {
    const { peer } = world;
    await client.result("resources/subscribe", { uri });
    const other = net.client();
    const before = peer.count("tools/list");
    peer.cut();
    await until(() => heard(client, updated) === 1, "the subscriber is told");
    await peer.until(() => peer.count("tools/list") === before + 1);
    await passMarker(client, world);
    assert.deepEqual([heard(client, told("tools")), heard(client, updated), heard(other, updated)], [1, 1, 0]);
    assert.equal(peer.count("resources/subscribe"), 1);
  }),
);

test("gap: a stream that is resumed behind an event has no gap", limits, () =>
  play(async (world, client) => {
    const { peer } = world;
    await client.result("resources/subscribe", { uri });
    peer.push({ jsonrpc: "2.0", method: told("tools") }, "e1");
    await until(() => heard(client, told("tools")) === 2, "the event is told");
    const before = peer.count("tools/list");
    peer.cut();
    await peer.until(() => peer.asked.length === 2);
    await passMarker(client, world);
    await namesOf(client);
    assert.deepEqual(peer.asked, [undefined, "e1"]);
    assert.deepEqual([peer.count("tools/list"), heard(client, told("tools")), heard(client, updated)], [before, 2, 0]);
  }),
);

test("gap: a server that does not know the event any more is asked for the stream without it", limits, () =>
  play(async (world, client) => {
    const { peer } = world;
    peer.push({ jsonrpc: "2.0", method: told("tools") }, "e1");
    await until(() => heard(client, told("tools")) === 2, "the event is told");
    peer.refusal = 400;
    world.tools = ["b"];
    peer.cut();
    await peer.until(() => peer.asked.length === 2);
    peer.refusal = undefined;
    await until(() => heard(client, told("tools")) === 3, "the change is told");
    assert.deepEqual(peer.asked, [undefined, "e1", undefined]);
  }),
);

test("gap: a first stream that comes late is one that may have missed something", limits, async () => {
  const world = await serveWorld();
  await using peer = world.peer;
  peer.refusal = 503;
  await using net = new TestNet([planOf("w", peer.url)]);
  const client = net.client();
  await listed(client, peer);
  world.tools = ["b"];
  peer.refusal = undefined;
  await until(() => heard(client, told("tools")) === 2, "the change is told");
});

for (const [what, more] of [
  ["plain", {}],
  ["guarded", { guard: { bytes: 10_000, mask: [] } }],
  ["with headers of clients", "forward"],
] as const)
  test(`gap: a backend that has no stream is asked by whoever asks, ${what}`, limits, async () => {
    const world = await serveWorld();
    await using peer = world.peer;
    peer.refusal = 405;
    const plan = planOf("w", peer.url, more === "forward" ? {} : more);
    const replica = { kind: "http" as const, url: peer.url, headers: {}, forward: ["x-tenant"] };
    await using net = new TestNet([more === "forward" ? { ...plan, replicas: [replica] } : plan]);
    const client = net.client();
    await listed(client, peer);
    world.tools = ["b"];
    await until(async () => (await namesOf(client)).join() === "w__b", "the change is listed");
    await until(() => heard(client, told("tools")) === 2, "and told");
  });

test("gap: a backend whose stream is open is asked once", limits, () =>
  play(async ({ peer }, client) => {
    for (let more = 0; more < 3; more += 1) await namesOf(client);
    assert.equal(peer.count("tools/list"), 1);
  }),
);

test(
  "gap: a modern backend whose listen stream broke is read again quietly, and subscribers look",
  limits,
  async () => {
    await using server = await CountingServer.start("modern", [uri]);
    await using net = new TestNet([planOf("w", server.url)]);
    const client = net.client();
    await client.result("resources/subscribe", { uri });
    await until(() => server.streams === 1 && heard(client, told("resources")) === 1, "the first word");
    const before = server.listed;
    server.cut();
    await until(() => heard(client, updated) === 1 && server.listed === before + 1, "it is looked at again");
    server.names = [uri, "note://2"];
    server.cut();
    await until(() => heard(client, told("resources")) > 1, "the change is told");
    await until(() => heard(client, updated) === 2, "and may be one of the resource");
    assert.equal(heard(client, told("resources")), 2);
  },
);

test("gap: a modern backend that does not listen is asked by whoever asks", limits, async () => {
  await using server = await CountingServer.start("modern", [uri]);
  server.refusesListen = true;
  await using net = new TestNet([planOf("w", server.url)]);
  const client = net.client();
  const count = async (): Promise<number> =>
    ((await client.result("resources/list"))["resources"] as readonly unknown[]).length;
  assert.equal(await count(), 1);
  server.names = [uri, "note://2"];
  await until(async () => (await count()) === 2, "the change is listed");
});
