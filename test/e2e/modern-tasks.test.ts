// Tasks of two modern backends behind one endpoint: each id leads back to its backend, over HTTP and stdio.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { recordOf } from "../kit/fixture-world.ts";
import { allCapabilities, answersTo, ModernPeer } from "../kit/modern-peer.ts";
import type { ModernAnswer } from "../kit/modern-peer.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { runtimeCommand, startHttpServer } from "../kit/process.ts";
import type { HttpServerProcess } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";
import { tasksExtension } from "../kit/modern-tasks.ts";
import { fixtureStdio, Gateway, until } from "./kit.ts";

interface Peers {
  readonly server: HttpServerProcess;
  readonly gateway: Gateway;
}

const script = "test/kit/modern-server.ts";
const links = ["http", "stdio"] as const;
const limits = { timeout: 120_000 };
const capabilities = { ...allCapabilities, extensions: { [tasksExtension]: {} } };
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const server = await startHttpServer(script);
  const [command, args] = runtimeCommand(script, "stdio");
  const backends = { http: { url: server.url }, stdio: { command, args }, legacy: fixtureStdio() };
  const gateway = await Gateway.start({ backends });
  await gateway.up(...links, "legacy");
  return { server, gateway };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => {
  const { server, gateway } = await peers();
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function connect(): Promise<ModernPeer> {
  return new ModernPeer((await peers()).gateway.url(), { capabilities });
}

function taskOf({ result }: ModernAnswer): string {
  assert.equal(result["resultType"], "task");
  return String(result["taskId"]);
}

/** Asks for a task until it is in this state. */
async function reached(peer: ModernPeer, taskId: string, status: string): Promise<ModernAnswer> {
  let answer = await peer.request("tasks/get", { taskId });
  await until(async () => {
    answer = await peer.request("tasks/get", { taskId });
    return answer.result["status"] === status;
  }, `the task is ${status}`);
  return answer;
}

for (const link of links) {
  test(`tasks: get, update and cancel find the backend of a task, over ${link}`, limits, async () => {
    const peer = await connect();
    const done = taskOf(await peer.call(`${link}__slow_compute`, { seconds: 0, label: link }));
    assert.ok(done.startsWith(`${link}__`));
    const completed = await reached(peer, done, "completed");
    assert.equal(completed.result["taskId"], done);
    assert.match(JSON.stringify(completed.result["result"]), new RegExp(`Computed ${link}`));

    const asking = taskOf(await peer.call(`${link}__confirm_delete`, { filename: "a.txt" }));
    const { result } = await reached(peer, asking, "input_required");
    const requests = recordOf(result["inputRequests"]);
    const asked = Object.fromEntries(Object.entries(requests).map(([key, value]) => [key, recordOf(value)]));
    const updated = await peer.request("tasks/update", { taskId: asking, inputResponses: answersTo(asked) });
    assert.equal(updated.result["resultType"], "complete");
    await reached(peer, asking, "completed");

    const slow = taskOf(await peer.call(`${link}__slow_compute`, { seconds: 30 }));
    assert.equal((await peer.request("tasks/cancel", { taskId: slow })).result["resultType"], "complete");
    await reached(peer, slow, "cancelled");
  });
}

test("tasks: an id that leads nowhere is refused, and so is a client without the extension", limits, async () => {
  const peer = await connect();
  for (const taskId of ["nobody", "http__unknown", "legacy__some", "__", ""]) {
    assert.equal((await peer.request("tasks/get", { taskId })).error["code"], -32602);
  }
  const plain = new ModernPeer((await peers()).gateway.url());
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
    const { status, error } = await plain.request(method, { taskId: "http__x" });
    assert.deepEqual([status, error["code"]], [400, -32021]);
    assert.deepEqual(recordOf(error["data"])["requiredCapabilities"], { extensions: { [tasksExtension]: {} } });
  }
  for (const method of ["tasks/list", "tasks/result"])
    assert.deepEqual((await peer.request(method)).error["code"], -32601);
});

test("tasks: changes of tasks of several backends come on one listen stream", limits, async () => {
  const peer = await connect();
  const ids = await Promise.all(
    links.map(async (link) => taskOf(await peer.call(`${link}__confirm_delete`, { filename: "b.txt" }))),
  );
  for (const id of ids) await reached(peer, id, "input_required");
  const client = new RawClient((await peers()).gateway.url());
  const notifications = { taskIds: [...ids, "http__unknown"], toolsListChanged: true };
  const { body, headers } = modernRequest("subscriptions/listen", { notifications }, { id: "t", capabilities });
  await using stream = await client.postStream(body, headers);
  const next = async (): Promise<Readonly<Record<string, unknown>>> =>
    recordOf(JSON.parse((await stream.next())?.data ?? ""));
  const opened = recordOf((await next())["params"]);
  assert.deepEqual(opened["notifications"], { toolsListChanged: true, taskIds: ids });
  for (const taskId of ids) {
    const { result } = await peer.request("tasks/get", { taskId });
    const asked = Object.keys(recordOf(result["inputRequests"]));
    const inputResponses = Object.fromEntries(
      asked.map((key) => [key, { action: "accept", content: { confirm: true } }]),
    );
    await peer.request("tasks/update", { taskId, inputResponses });
    for (let status: unknown; status !== "completed";) {
      const { method, params } = await next();
      assert.equal(method, "notifications/tasks");
      const told = recordOf(params);
      assert.deepEqual(
        [told["taskId"], recordOf(told["_meta"])["io.modelcontextprotocol/subscriptionId"]],
        [taskId, "t"],
      );
      status = told["status"];
    }
  }
});
