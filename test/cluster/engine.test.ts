// The engine where gateway processes meet goes away, hangs and comes back: calls that do not need it never notice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { callText, Gateway, recordOf, until } from "../e2e/kit.ts";
import { Engine, lacksEngine, lacksFleet } from "../kit/engine.ts";
import { Fleet, type Member } from "../kit/fleet.ts";
import { startHttpServer } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";

const limits = { timeout: 90_000 };

async function healthOf(url: string): Promise<Readonly<Record<string, unknown>>> {
  return recordOf(await (await fetch(new URL("/health", url))).json());
}

async function clusterOf({ url }: Pick<Member, "url">): Promise<Readonly<Record<string, unknown>>> {
  return recordOf((await healthOf(url))["cluster"]);
}

test(
  "engine: it is killed under load, no call fails, health says so, and it is used again",
  { ...limits, skip: lacksFleet },
  async () => {
    await using server = await startHttpServer();
    await using fleet = await Fleet.start({ backends: { b: { url: server.url } } });
    const client = new RawClient(fleet.url);
    await client.initialize();
    assert.deepEqual(
      await Promise.all(fleet.members.map(async (member) => (await clusterOf(member))["processes"])),
      [3, 3, 3],
    );
    const load = { isOn: true, calls: 0 };
    const failures: unknown[] = [];
    const work = async (): Promise<void> => {
      while (load.isOn) {
        const text = `n${(load.calls += 1)}`;
        await callText(client, "b__echo", { text }).catch((error: unknown) => failures.push(error));
      }
    };
    const workers = [work(), work(), work()];
    await fleet.engine.kill();
    for (const member of fleet.members) {
      await until(async () => (await clusterOf(member))["state"] === "away", "health says that it is away");
      assert.equal((await healthOf(member.url))["status"], "degraded");
    }
    const before = load.calls;
    await until(() => load.calls > before + 50, "calls go on");
    // A session that no other process can be asked about goes on too, and a new one begins.
    const other = new RawClient(fleet.url);
    await other.initialize();
    assert.match(await callText(other, "b__echo", { text: "hi" }), /hi/);
    await fleet.engine.start();
    for (const member of fleet.members)
      await until(async () => (await clusterOf(member))["state"] === "up", "it is used again");
    load.isOn = false;
    await Promise.all(workers);
    assert.deepEqual(failures, []);
    assert.equal((await other.delete()).status, 200);
    for (const member of fleet.members) {
      const late = new RawClient(member.url);
      late.sessionId = other.sessionId;
      assert.equal((await late.post({ jsonrpc: "2.0", id: 1, method: "ping" })).status, 404);
    }
  },
);

test("engine: one that hangs is away too, and nobody waits for it", { ...limits, skip: lacksEngine }, async () => {
  await using server = await startHttpServer();
  await using engine = await Engine.start("a password that nobody should see");
  const config = { backends: { b: { url: server.url } }, sealKeys: ["the key of the whole fleet"] };
  await using gateway = await Gateway.start({
    ...config,
    cluster: { url: engine.url.replace("redis:", "valkey:"), prefix: "x" },
  });
  await until(async () => (await clusterOf({ url: gateway.url() }))["state"] === "up", "it is up");
  const client = await gateway.client();
  engine.freeze("SIGSTOP");
  await until(async () => (await clusterOf({ url: gateway.url() }))["state"] === "away", "it is away", 15_000);
  assert.match(await callText(client, "b__echo", { text: "hi" }), /hi/);
  assert.equal((await client.delete()).status, 200);
  engine.freeze("SIGCONT");
  await until(async () => (await clusterOf({ url: gateway.url() }))["state"] === "up", "it is back");
  assert.ok(!gateway.proc.stderr.includes("password"), "the log holds the password");
});

test(
  "engine: a gateway starts without it, says why, and meets the others when it is there",
  { ...limits, skip: lacksEngine },
  async () => {
    await using server = await startHttpServer();
    await using engine = await Engine.start("secret");
    const config = { backends: { b: { url: server.url } }, sealKeys: ["the key of the whole fleet"] };
    const wrong = engine.url.replace("secret", "nonsense");
    await using gateway = await Gateway.start({ ...config, cluster: { url: wrong } });
    const client = await gateway.client();
    assert.match(await callText(client, "b__echo", { text: "hi" }), /hi/);
    const { state, error } = await clusterOf({ url: gateway.url() });
    assert.equal(state, "away");
    assert.match(String(error), /WRONGPASS|password/i);
    assert.ok(!gateway.proc.stderr.includes("nonsense"), "the log holds the password");
  },
);

test(
  "engine: a rate holds for all processes together, and each has its own while nobody counts for them",
  { ...limits, skip: lacksFleet },
  async () => {
    await using server = await startHttpServer();
    await using fleet = await Fleet.start({ backends: { b: { url: server.url } }, limits: { rate: "10/h" } });
    const clients = fleet.members.map(({ url }) => new RawClient(url));
    const [first] = clients;
    assert.ok(first);
    await first.initialize();
    const statuses: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      for (const client of clients) {
        client.sessionId = first.sessionId;
        client.protocolVersion = first.protocolVersion;
        statuses.push((await client.post({ jsonrpc: "2.0", id: 1, method: "ping" })).status);
      }
    }
    assert.equal(statuses.filter((status) => status === 200).length, 10);
    assert.equal(statuses.filter((status) => status === 429).length, 8);
  },
);
