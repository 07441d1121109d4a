// Who gets which call: by session and by person, by zone, by order, and not one that is much slower than the others.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, until } from "../e2e/kit.ts";
import { startHouse } from "../security/kit.ts";
import type { RawClient } from "../kit/raw-client.ts";
import { callOnce, HttpReplica, Records, startGateway, whenUp } from "./kit.ts";
import { Puppet } from "./puppet.ts";

async function placesOf(client: RawClient, backend: string, calls: number): Promise<readonly (string | undefined)[]> {
  const places: (string | undefined)[] = [];
  for (let call = 0; call < calls; call += 1) places.push((await callOnce(client, `${backend}__read`)).text);
  return places;
}

test("balance: a session, and a person, stay at one replica of a server that keeps nothing", async () => {
  using records = new Records();
  await using one = await HttpReplica.start(records.file("r"), "modern");
  await using two = await HttpReplica.start(records.file("r"), "modern");
  const replicas = [{ url: one.url }, { url: two.url }];
  const backends = {
    bysession: { replicas, balance: "hash(session)", isolation: "shared" },
    byperson: { replicas, balance: "hash(principal)", isolation: "shared" },
  };
  await using house = await startHouse(backends);
  await whenUp(house.gateway, backends);
  const all = new Set<string | undefined>();
  for (let session = 0; session < 12; session += 1) {
    const places = new Set(await placesOf(await house.session("ada"), "bysession", 3));
    assert.equal(places.size, 1, [...places].join());
    for (const place of places) all.add(place);
  }
  assert.deepEqual(all, new Set([String(one.pid), String(two.pid)]));
  for (const name of ["ada", "eve"] as const) {
    const places = new Set<string | undefined>();
    for (let session = 0; session < 4; session += 1)
      for (const place of await placesOf(await house.session(name), "byperson", 2)) places.add(place);
    assert.equal(places.size, 1, `${name}: ${[...places].join()}`);
  }
});

test("balance: the zone of the gateway comes first, and the order of the config, until nobody is there", async () => {
  using records = new Records();
  const record = records.file("r");
  await using north = await HttpReplica.start(record, "modern");
  await using south = await HttpReplica.start(record, "modern");
  const backends = {
    near: {
      replicas: [
        { url: north.url, zone: "north" },
        { url: south.url, zone: "south" },
      ],
      timeouts: { down: "20ms" },
    },
    first: { replicas: [{ url: south.url }, { url: north.url }], balance: "priority", timeouts: { down: "20ms" } },
  };
  await using gateway = await Gateway.start({ zone: "south", backends });
  await whenUp(gateway, backends);
  const client = await gateway.client();
  const servedBy = async ({ pid }: HttpReplica): Promise<void> => {
    for (const backend of ["near", "first"])
      assert.deepEqual(new Set(await placesOf(client, backend, 5)), new Set([String(pid)]), backend);
  };
  await servedBy(south);
  await south.kill();
  await servedBy(north);
  await south.start();
  for (const backend of ["near", "first"])
    await until(
      async () => (await placesOf(client, backend, 1))[0] === String(south.pid),
      `${backend}: it is taken back`,
    );
  await servedBy(south);
});

test("balance: a replica that is much slower than the others is left out, and no more than its share of them", async () => {
  using records = new Records();
  const record = records.file("r");
  await using slow = await HttpReplica.start(record, "modern", 2_000);
  await using one = await HttpReplica.start(record, "modern");
  await using two = await HttpReplica.start(record, "modern");
  const replicas = [slow, one, two].map(({ url }) => ({ url }));
  const outliers = { minCalls: 3, slowness: 5, eject: "5m", share: "34%" };
  await using gateway = await startGateway({ b: { replicas, balance: "round-robin", outliers } });
  const client = await gateway.client();
  const isLeftOut = async (): Promise<boolean> => {
    await Promise.all(replicas.map(() => callOnce(client, "b__read")));
    return /replica 0 is left out for a while: it takes \d+ ms where others take \d+ ms/.test(gateway.proc.stderr);
  };
  await until(isLeftOut, "it is left out", 50_000);
  assert.ok(!(await placesOf(client, "b", 9)).includes(String(slow.pid)));
});

test("balance: one person's flood is no reason for another one to wait", async () => {
  await using server = await Puppet.start("one");
  await using house = await startHouse({ b: { url: server.url, concurrency: { inFlight: 1, queued: 30 } } });
  const [ada, eve] = [await house.session("ada"), await house.session("eve")];
  await callOnce(eve, "b__read");
  server.become("frozen");
  let answered = 0;
  const flood = Array.from({ length: 20 }, async () => {
    await callOnce(ada, "b__add");
    answered += 1;
  });
  await until(() => server.holds("add").length === 1, "the first one is there");
  const hers = callOnce(eve, "b__put");
  const isQueued = async (): Promise<boolean> => {
    const { text } = await ada.look("/metrics");
    return /^mcpctl_backend_queued_calls\{backend="b",reason="slot"\} 20$/m.test(text);
  };
  await until(isQueued, "all others wait");
  // Each answer lets the next one in.
  const answerNext = async (): Promise<string> => {
    await until(() => server.holds("add").length + server.holds("put").length === 1, "the next one is there");
    const [next] = [...server.holds("add"), ...server.holds("put")];
    server.held = server.held.filter((each) => each !== next);
    next?.answer();
    return next?.tool ?? "";
  };
  const order = [await answerNext(), await answerNext(), await answerNext()];
  assert.ok(order.includes("put"), order.join());
  assert.equal((await hers).text, "one");
  assert.ok(answered < 10, `${answered}`);
  server.become("well");
  await Promise.all(flood);
});
