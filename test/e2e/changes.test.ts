// What servers say of changes: updates of resources to subscribers alone, changed listings to everybody, once.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connectClient } from "../kit/client.ts";
import type { TestClient } from "../kit/client.ts";
import { createStdioFront, startServers } from "../kit/servers.ts";
import type { Servers } from "../kit/servers.ts";
import { Gateway, until } from "./kit.ts";

interface Peers {
  readonly servers: Servers;
  readonly gateway: Gateway;
}

const limits = { timeout: 120_000 };
const names = ["fixture", "fixture-http"] as const;
const updated = "notifications/resources/updated";
const changed = "notifications/tools/list_changed";
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const servers = await startServers();
  const gateway = await Gateway.start(servers.config(names));
  await gateway.up(...names);
  // The first listing is over before any client could hear of it as a change.
  const first = await gateway.client();
  await first.request("tools/list");
  await first.delete();
  return { servers, gateway };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => {
  const { servers, gateway } = await peers();
  await Promise.all([gateway[Symbol.asyncDispose](), servers[Symbol.asyncDispose]()]);
});

async function connect(): Promise<TestClient> {
  const { gateway } = await peers();
  return connectClient({ url: gateway.url() });
}

const count = (one: TestClient, method: string): number =>
  one.notifications.filter((notification) => notification.method === method).length;

/** The URI of a resource that both servers have, as the gateway shows it. */
function exposed(name: (typeof names)[number], uri: string): string {
  return name === "fixture" ? uri : `mcpctl://${name}/${encodeURIComponent(uri)}`;
}

for (const name of names) {
  const uri = exposed(name, "test://watched-resource");

  test(`changes: an update reaches the subscriber by its own URI and nobody else, ${name}`, limits, async () => {
    await using subscriber = await connect();
    await using other = await connect();
    await subscriber.client.subscribeResource({ uri });
    await other.client.subscribeResource({ uri: exposed(name, "test://static-text") });
    assert.match(await other.callText(`${name}__touch`), /"notified":1/);
    await subscriber.notified(updated, (params) => params["uri"] === uri);
    await subscriber.client.unsubscribeResource({ uri });
    assert.match(await other.callText(`${name}__touch`), /"notified":0/);
    // What comes to one client comes in order: had it been sent the first update, it would have two.
    await other.client.subscribeResource({ uri });
    await subscriber.callText(`${name}__touch`);
    await other.notified(updated);
    assert.deepEqual([count(subscriber, updated), count(other, updated)], [1, 1]);
  });

  test(`changes: a subscription ends with its last subscriber, ${name}`, limits, async () => {
    await using one = await connect();
    await using two = await connect();
    await one.client.subscribeResource({ uri });
    await two.client.subscribeResource({ uri });
    // One link, so the server knows of one subscriber; the gateway knows of two.
    assert.match(await one.callText(`${name}__touch`), /"notified":1/);
    await Promise.all([one.notified(updated), two.notified(updated)]);
    await one.client.unsubscribeResource({ uri });
    assert.match(await one.callText(`${name}__touch`), /"notified":1/);
    await two.notified(updated, () => count(two, updated) === 2);
    assert.equal(count(one, updated), 1);
    await two[Symbol.asyncDispose]();
    await one.callText(`${name}__echo`);
    assert.match(await one.callText(`${name}__touch`), /"notified":0/);
  });

  test(
    `changes: a new tool is announced once to every client, and a burst of them not each, ${name}`,
    limits,
    async () => {
      await using one = await connect();
      await using two = await connect();
      const tools = async (): Promise<string[]> => (await one.client.listTools()).tools.map((tool) => tool.name);
      const before = await tools();
      await one.call(`${name}__grow`, { name: "x0" });
      await Promise.all([one.notified(changed), two.notified(changed)]);
      assert.deepEqual((await tools()).sort(), [...before, `${name}__x0`].sort());
      assert.equal(await two.callText(`${name}__x0`), "x0");
      assert.deepEqual([count(one, changed), count(two, changed)], [1, 1]);
      const burst = ["x1", "x2", "x3", "x4", "x5", "x6"];
      for (const tool of burst) await one.call(`${name}__grow`, { name: tool });
      await until(async () => (await tools()).length === before.length + 1 + burst.length, "the new tools are listed");
      for (let left = burst.length + 1; left > 0; left -= 1) await two.call(`${name}__shrink`);
      await until(async () => (await tools()).length === before.length, "the old tools are listed");
      // Changes close together are one to a client.
      await Promise.all([one, two].map((client) => client.notified(changed, () => count(client, changed) > 1)));
      for (const client of [one, two])
        assert.ok(count(client, changed) <= burst.length, String(count(client, changed)));
      assert.deepEqual(await tools(), before);
      await assert.rejects(one.call(`${name}__x3`), { code: -32_602, message: /Unknown tool: x3/ });
    },
  );
}

test("changes: a client on stdin and stdout hears of updates and new tools", limits, async () => {
  const { servers } = await peers();
  using front = createStdioFront(servers.config(["fixture"]));
  await using one = await connectClient(front.target);
  await one.client.listTools();
  await one.client.subscribeResource({ uri: "test://watched-resource" });
  await one.callText("fixture__touch");
  await one.notified(updated, (params) => params["uri"] === "test://watched-resource");
  await one.callText("fixture__grow", { name: "fresh" });
  const listed = async (): Promise<boolean> =>
    (await one.client.listTools()).tools.some((tool) => tool.name === "fixture__fresh");
  while (!(await listed())) await one.notified(changed);
  assert.equal(await one.callText("fixture__fresh"), "fresh");
});
