// What peers get wrong, third part: no process is left behind, and a dead backend is not called connected.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { call, callText, errorOf, Gateway, gone, listTools, pidsOf, rawStdio, until } from "../e2e/kit.ts";
import type { BackendConfig } from "../e2e/kit.ts";
import { isAlive, isZombie, startHttpServer } from "../kit/process.ts";
import type { RawClient } from "../kit/raw-client.ts";

const rawScript = "test/kit/raw-server.ts";

const troublesome: Readonly<Record<string, BackendConfig>> = {
  parent: rawStdio("--grandchild"),
  stubborn: rawStdio("--grandchild", "--ignore-sigterm"),
};

/** The processes of both backends, all four of them alive. */
async function troublesomePids(client: RawClient): Promise<number[]> {
  const [one, two] = [await pidsOf(client, "parent__pid"), await pidsOf(client, "stubborn__pid")];
  const pids = [one.pid, one.grandchild, two.pid, two.grandchild];
  for (const pid of pids) assert.ok(isAlive(pid), String(pid));
  return pids;
}

/** Ends what a failed test would leave. */
function killAll(pids: readonly number[]): void {
  for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL");
}

test("peers: SIGTERM to the gateway leaves no child, no grandchild and none that ignores signals", async () => {
  await using gateway = await Gateway.start({ backends: troublesome });
  const pids = await troublesomePids(await gateway.client());
  try {
    gateway.proc.kill("SIGTERM");
    assert.equal((await gateway.proc.exited).code, 0);
    for (const pid of pids) assert.ok(!isAlive(pid), `process ${pid} outlives the gateway`);
  } finally {
    killAll(pids);
  }
});

test("peers: a removed backend leaves no child, grandchild or zombie", async () => {
  const good = rawStdio();
  await using gateway = await Gateway.start({ backends: { good, ...troublesome } });
  const client = await gateway.client();
  const pids = await troublesomePids(client);
  try {
    gateway.replace({ backends: { good } });
    await gateway.applied("good");
    await gone(...pids);
    for (const pid of pids.slice(0, 1)) assert.ok(!isZombie(pid), `process ${pid} is a zombie`);
    assert.match(await callText(client, "good__echo"), /echo/);
  } finally {
    killAll(pids);
  }
});

test("peers: a child that exits by itself leaves no grandchild and no zombie", async () => {
  await using gateway = await Gateway.start({ backends: { parent: rawStdio("--grandchild") } });
  const client = await gateway.client();
  const first = await pidsOf(client, "parent__pid");
  try {
    errorOf(await call(client, "parent__reset"));
    await gone(first.pid, first.grandchild);
    const second = await pidsOf(client, "parent__pid");
    assert.notEqual(second.pid, first.pid);
    assert.ok(!isZombie(first.pid), "the first child is a zombie");
  } finally {
    killAll([first.grandchild]);
  }
});

test("peers: children of a gateway that is killed see the end of their input", async () => {
  await using gateway = await Gateway.start({ backends: { child: rawStdio() } });
  const { pid } = await pidsOf(await gateway.client(), "child__pid");
  try {
    gateway.proc.kill("SIGKILL");
    await gateway.proc.exited;
    await gone(pid);
  } finally {
    killAll([pid]);
  }
});

for (const flags of [[], ["--no-get"]]) {
  test(`peers: a dead HTTP backend is not up, and one that is back serves at once ${flags.join(" ")}`, async () => {
    const server = await startHttpServer(rawScript, flags);
    await using gateway = await Gateway.start({ backends: { http: { url: server.url }, good: rawStdio() } });
    const client = await gateway.client();
    await gateway.up("good");
    await callText(client, "http__echo");
    assert.equal((await gateway.health()).backends["http"]?.state, "up");
    await server[Symbol.asyncDispose]();
    const dead = await gateway.health();
    assert.notEqual(dead.backends["http"]?.state, "up");
    assert.deepEqual([dead.status, dead.backends["good"]?.state], ["degraded", "up"]);
    assert.match(errorOf(await call(client, "http__echo")).message, /backend "http"/);
    assert.deepEqual((await listTools(client)).missing, ["http"]);
    await using _back = await startHttpServer(rawScript, [...flags, "--port", new URL(server.url).port]);
    assert.match(await callText(client, "http__echo"), /echo/);
    assert.equal((await gateway.health()).status, "ok");
  });
}

test("peers: without a call a backend that is back is up again soon, and readyz says what calls see", async () => {
  const server = await startHttpServer(rawScript);
  await using gateway = await Gateway.start({ backends: { http: { url: server.url } } });
  await gateway.up("http");
  assert.equal(await gateway.ready(), 200);
  await server[Symbol.asyncDispose]();
  assert.equal(await gateway.ready(), 503);
  await using _back = await startHttpServer(rawScript, ["--port", new URL(server.url).port]);
  await until(async () => (await gateway.ready()) === 200, "it is ready again");
});

test("peers: a child that does not answer is not up; it is not ended for one ping, nor called hung while it works", async () => {
  await using gateway = await Gateway.start({ backends: { child: rawStdio() } });
  const client = await gateway.client();
  const { pid } = await pidsOf(client, "child__pid");
  const state = async (): Promise<string | undefined> => (await gateway.health()).backends["child"]?.state;
  process.kill(pid, "SIGSTOP");
  try {
    await until(async () => (await state()) === "reconnecting", "it has stopped");
    const busy = callText(client, "child__echo");
    await until(async () => (await state()) === "up", "a call is in flight");
    process.kill(pid, "SIGCONT");
    await busy;
    assert.equal(await state(), "up");
    assert.equal((await pidsOf(client, "child__pid")).pid, pid);
  } finally {
    process.kill(pid, "SIGCONT");
  }
});
