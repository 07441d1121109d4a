// Several workers on one port, under one supervisor: found by all clients, replaced when they die, exchanged without a loss.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { callText, Gateway, gone, until } from "../e2e/kit.ts";
import { isAlive, runtimeCommand, startHttpServer, startProcess } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";
import { Crowd } from "./crowd.ts";
import { childrenOf, nodesAt } from "./kit.ts";
import { exchangeWorkers, reloadConfigs } from "./rolling.ts";

const limits = { timeout: 120_000 };
const size = { sessions: 10, subscriptions: 10, callsPerSecond: 50 };

test(
  "workers: a session goes on at each of them, and what they need of each other needs no engine",
  limits,
  async () => {
    await using server = await startHttpServer();
    await using gateway = await Gateway.start({ backends: { b: { url: server.url } } }, "--workers", "3");
    await until(async () => (await nodesAt(gateway.url())).processes === 3, "all of them are there");
    assert.equal((await nodesAt(gateway.url())).nodes.size, 3);
    const client = await gateway.client();
    for (let left = 20; left > 0; left -= 1) {
      const answer = await client.post({ jsonrpc: "2.0", id: 1, method: "ping" }, { connection: "close" });
      assert.equal(answer.status, 200);
    }
    await client.delete();
    for (let left = 20; left > 0; left -= 1) {
      const answer = await client.post({ jsonrpc: "2.0", id: 1, method: "ping" }, { connection: "close" });
      assert.equal(answer.status, 404);
    }
    const workers = childrenOf(gateway.proc.pid);
    for (const pid of workers) {
      const [cmdline = "", environ = ""] = ["cmdline", "environ"].map((name) =>
        readFileSync(`/proc/${pid}/${name}`, "utf8"),
      );
      assert.doesNotMatch(`${cmdline}${environ}`, /seal/i);
    }
    await gateway.proc.stop();
    await gone(...workers);
  },
);

test("workers: one that is killed is started again, and no session is lost with it", limits, async () => {
  await using server = await startHttpServer();
  await using gateway = await Gateway.start({ backends: { b: { url: server.url } } }, "--workers", "2");
  await until(async () => (await nodesAt(gateway.url())).processes === 2, "both are there");
  {
    await using crowd = await Crowd.gather({ url: gateway.url(), ...size });
    for (let round = 0; round < 2; round += 1) {
      const [, victim = 0] = childrenOf(gateway.proc.pid);
      process.kill(victim, "SIGKILL");
      await gone(victim);
      await until(() => childrenOf(gateway.proc.pid).length === 2, "another one is started");
      await until(async () => (await nodesAt(gateway.url())).processes === 2, "both are there");
      await crowd.check();
      await crowd.touch();
    }
    assert.deepEqual(crowd.failures, []);
  }
});

test("workers: on SIGUSR2 they are exchanged one by one, and no call fails and nothing is missed", limits, async () => {
  assert.deepEqual((await exchangeWorkers(size, 1)).failures, []);
});

test(
  "workers: a config that changes loses no call, no session and no notification, and is told of",
  limits,
  async () => {
    const { failures, logged } = await reloadConfigs(size, 4);
    assert.deepEqual(failures, []);
    assert.equal(logged, 8, "each of two workers says what each of four configs changes of the topology");
  },
);

test("workers: a port that is taken is refused, also where others share it", limits, async () => {
  await using gateway = await Gateway.start({ backends: {} }, "--workers", "1");
  const { port } = new URL(gateway.url());
  await assert.rejects(Gateway.start({ backends: {} }, "--workers", "2", "--port", port), /given twice|is in use/);
  const client = new RawClient(gateway.url());
  await client.initialize();
});

test("workers: --upgrade exchanges them all, and says why it cannot", limits, async () => {
  await using server = await startHttpServer();
  const config = { backends: { b: { url: server.url } } };
  await using gateway = await Gateway.start(config, "--workers", "2");
  await until(async () => (await nodesAt(gateway.url())).processes === 2, "both are there");
  const { port } = new URL(gateway.url());
  const upgrade = async (
    file: string,
    at: string = port,
  ): Promise<{ readonly code: number | null; stderr: string }> => {
    const args = ["serve", "-c", file, "--port", at, "--upgrade"];
    await using proc = startProcess(...runtimeCommand("cli/main.ts", ...args), { cwd: gateway.folder });
    const { code } = await proc.exited;
    return { code, stderr: proc.stderr };
  };
  const before = childrenOf(gateway.proc.pid);
  const client = await gateway.client();
  const done = await upgrade(gateway.file);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stderr, /2 workers of http:\/\/127\.0\.0\.1:\d+ are new after .*: mcpctl \d/);
  assert.ok(!before.some(isAlive));
  assert.match(await callText(client, "b__echo", { text: "hi" }), /hi/);
  // What is wrong with the config is found before anything is exchanged.
  const after = childrenOf(gateway.proc.pid);
  const broken = gateway.path("broken.json");
  writeFileSync(broken, "{");
  assert.equal((await upgrade(broken)).code, 3);
  assert.deepEqual(childrenOf(gateway.proc.pid), after);
  await using alone = await Gateway.start({ backends: {} });
  const refused = await upgrade(alone.file, new URL(alone.url()).port);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /no workers to exchange/);
});
