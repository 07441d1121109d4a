// Tasks, elicitations and the greeting: what belongs to one backend and one client stays theirs.
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { greet } from "../../lib/route/greet.ts";
import { decodeText } from "../../lib/core/text.ts";
import { planOf, TestNet } from "./kit.ts";
import { type Answers, type Exchange, type McpPeer, servePeer } from "./peer.ts";

const capabilities = { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } };

const limits = { timeout: 60_000 };

/** Takes connections and never says anything. */
async function silentServer(): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

/** A backend that makes tasks with this prefix, and lists them one a page. */
function taskPeer(prefix: string, more: Answers = {}): Promise<McpPeer> {
  const tasks: { taskId: string; big?: number }[] = [];
  const byId = (exchange: Exchange): void => {
    const id = exchange.params["taskId"];
    if (tasks.some(({ taskId }) => taskId === id)) exchange.reply({ taskId: id, by: prefix });
    else exchange.fail(-32602, "unknown task");
  };
  return servePeer(capabilities, {
    "tools/call": (exchange) => {
      const task = { taskId: `${prefix}${tasks.push({ taskId: `${prefix}${tasks.length + 1}` })}` };
      const { progressToken } = (exchange.params["_meta"] ?? {}) as { progressToken?: number };
      exchange.send({ jsonrpc: "2.0", id: exchange.message.id, result: { task } });
      if (progressToken === undefined) return exchange.end();
      exchange.send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress: 1 } });
    },
    "tasks/get": byId,
    "tasks/cancel": byId,
    "tasks/list": (exchange) => {
      const at = Number(exchange.params["cursor"] ?? 0);
      exchange.reply({
        tasks: tasks.slice(at, at + 1),
        ...(at + 1 < tasks.length ? { nextCursor: String(at + 1) } : {}),
      });
    },
    ...more,
  });
}

test("tasks: an id leads to the backend that made it, also from a session that did not", async () => {
  await using a = await taskPeer("a");
  await using b = await taskPeer("b");
  await using net = new TestNet([planOf("a", a.url), planOf("b", b.url)]);
  const client = net.client();
  await client.result("tools/call", { name: "b__t", task: {} });
  assert.equal((await client.result("tasks/get", { taskId: "b1" }))["by"], "b");
  assert.equal(a.count("tasks/get"), 0);
  assert.equal((await net.client().result("tasks/cancel", { taskId: "b1" }))["by"], "b");
  assert.equal((await client.request("tasks/get", { taskId: "none" }))?.error?.code, -32602);
});

test("tasks: one of a backend that has yet to come up is waited for, and not called unknown", async () => {
  await using a = await taskPeer("a");
  {
    await using before = new TestNet([planOf("a", a.url)]);
    await before.client().result("tools/call", { name: "a__t", task: {} });
  }
  await using net = new TestNet([planOf("a", a.url), planOf("gone", "http://127.0.0.1:1/mcp")]);
  const client = net.client();
  assert.equal((await client.result("tasks/get", { taskId: "a1" }))["by"], "a");
  const refused = (await client.request("tasks/get", { taskId: "none" }))?.error;
  assert.match(refused?.message ?? "", /"gone"/);
});

test(
  "tasks: those that have yet to come up are waited for at once, and one that is up at last is asked",
  limits,
  async () => {
    await using a = await taskPeer("a");
    {
      await using before = new TestNet([planOf("a", a.url)]);
      await before.client().result("tools/call", { name: "a__t", task: {} });
    }
    await using silent = await silentServer();
    const dead = ["dead", "silent"].map((name) => planOf(name, silent.url, { connectMs: 120_000 }));
    await using net = new TestNet([...dead, planOf("a", a.url)]);
    assert.equal((await net.client().result("tasks/get", { taskId: "a1" }))["by"], "a");
  },
);

test("tasks: when nobody who comes up has it, the failure of those that do not is the answer", limits, async () => {
  await using a = await taskPeer("a");
  await using silent = await silentServer();
  const dead = ["dead", "silent"].map((name) => planOf(name, silent.url, { connectMs: 200 }));
  await using net = new TestNet([...dead, planOf("a", a.url)]);
  const refused = (await net.client().request("tasks/get", { taskId: "none" }))?.error;
  assert.match(refused?.message ?? "", /"(?:dead|silent)"/);
  assert.equal(a.count("tasks/get"), 1);
});

test("tasks: a list has every page of every backend, and names one that failed", async () => {
  await using a = await taskPeer("a");
  await using b = await taskPeer("b");
  await using c = await taskPeer("c", { "tasks/list": (exchange) => exchange.fail(-32603, "broken") });
  await using net = new TestNet([planOf("a", a.url), planOf("b", b.url), planOf("c", c.url)]);
  const client = net.client();
  for (const name of ["a__t", "a__t", "b__t"]) await client.result("tools/call", { name, task: {} });
  const { tasks, _meta } = await client.result("tasks/list");
  assert.deepEqual(
    (tasks as { taskId: string }[]).map(({ taskId }) => taskId),
    ["a1", "a2", "b1"],
  );
  const partial = (_meta as Record<string, { backend: string }[]>)["mcpctl/partial"];
  assert.deepEqual(
    partial?.map(({ backend }) => backend),
    ["c"],
  );
});

test("tasks: one whose owner is not known is nobody's who signs in, and anybody's where nobody does", async () => {
  await using a = await taskPeer("a");
  await using b = await taskPeer("b");
  const plans = [planOf("a", a.url), planOf("b", b.url)];
  {
    await using before = new TestNet(plans);
    await before.client({}, "", "ada").result("tools/call", { name: "a__t", task: {} });
  }
  // As after a restart.
  await using net = new TestNet(plans);
  const [eve, anyone] = [net.client({}, "", "eve"), net.client()];
  for (const client of [eve, anyone]) await client.request("tools/list");
  for (const method of ["tasks/get", "tasks/cancel"])
    assert.equal((await eve.request(method, { taskId: "a1" }))?.error?.code, -32602);
  assert.deepEqual((await eve.result("tasks/list"))["tasks"], []);
  assert.deepEqual([a.count("tasks/get"), a.count("tasks/cancel")], [0, 0]);
  assert.equal((await anyone.result("tasks/get", { taskId: "a1" }))["by"], "a");
});

test("tasks: progress after the task was created comes outside of the call, with the client's token", async () => {
  await using a = await taskPeer("a");
  await using net = new TestNet([planOf("a", a.url)]);
  const client = net.client();
  const reply = client.request("tools/call", { name: "a__t", task: {}, _meta: { progressToken: "mine" } });
  await client.until(() => client.heard.some(({ method }) => method === "notifications/progress"));
  assert.deepEqual((await reply)?.result, { task: { taskId: "a1" } });
  assert.deepEqual(
    [
      client.heard.find(({ method }) => method === "notifications/progress")?.params?.["progressToken"],
      client.streamed,
    ],
    ["mine", []],
  );
});

test("tasks: a status goes to the session of the task, and one of nobody's to no client of several", async () => {
  await using a = await taskPeer("a");
  await using net = new TestNet([planOf("a", a.url)]);
  const [owner, other] = [net.client(), net.client()];
  await owner.result("tools/call", { name: "a__t", task: {} });
  await a.until(() => a.count("notifications/initialized") === 1);
  const status = (taskId: string): object => ({
    jsonrpc: "2.0",
    method: "notifications/tasks/status",
    params: { taskId, status: "working" },
  });
  for (const id of ["unknown", "a1"]) a.push(status(id));
  const heard = (client: typeof owner): unknown[] =>
    client.heard.filter(({ params }) => params?.["taskId"]).map(({ params }) => params?.["taskId"]);
  await owner.until(() => heard(owner).length > 0);
  assert.deepEqual([heard(owner), heard(other)], [["a1"], []]);
});

test("tasks: a status of a task that nobody is known to have made is for none who signs in, but on a call's stream", async () => {
  const status = (taskId: string): object => ({
    jsonrpc: "2.0",
    method: "notifications/tasks/status",
    params: { taskId, status: "working" },
  });
  await using a = await taskPeer("a", {
    "tools/call": (exchange) => {
      exchange.send(status("a1"));
      exchange.reply({ task: { taskId: "a1" } });
    },
  });
  await using net = new TestNet([planOf("a", a.url)]);
  const eve = net.client({}, "", "eve");
  const ids = (messages: typeof eve.heard): unknown[] => messages.map(({ params }) => params?.["taskId"]);
  await eve.request("tools/list");
  // One is of the link that is there for everybody.
  await a.until(() => a.asked.length === 2);
  const push = (message: object): void => [0, 1].forEach((at) => a.push(message, undefined, at));
  push(status("of another"));
  await eve.result("tools/call", { name: "a__t", task: {} });
  assert.deepEqual(ids(eve.streamed), ["a1"]);
  // By now it is known whose it is.
  push(status("a1"));
  await eve.until(() => eve.heard.length > 0);
  assert.deepEqual(ids(eve.heard), ["a1"]);
});

test("elicitation: its completion goes to the client that was sent there by that backend, once", async () => {
  const required = {
    code: -32042,
    message: "open it",
    data: { elicitations: [{ mode: "url", elicitationId: "e1", url: "https://x.example/" }] },
  };
  const peer = (): Promise<McpPeer> =>
    servePeer(
      { tools: {} },
      { "tools/call": (exchange) => exchange.send({ jsonrpc: "2.0", id: exchange.message.id, error: required }) },
    );
  await using a = await peer();
  await using b = await peer();
  await using net = new TestNet([planOf("a", a.url), planOf("b", b.url)]);
  const [sent, other] = [net.client(), net.client()];
  assert.equal((await sent.request("tools/call", { name: "a__t" }))?.error?.code, -32042);
  await sent.request("tools/call", { name: "b__t" });
  const complete = { jsonrpc: "2.0", method: "notifications/elicitation/complete", params: { elicitationId: "e1" } };
  const count = (client: typeof sent): number => client.heard.filter(({ method }) => method === complete.method).length;
  for (const backend of [a, a, b]) backend.push(complete);
  await sent.until(() => count(sent) === 2);
  assert.equal(count(other), 0);
});

test("greet: what either backend declares is declared, at any depth, and a false takes nothing away", async () => {
  await using a = await servePeer({ resources: { subscribe: true }, tasks: { requests: { tools: { call: {} } } } }, {});
  await using b = await servePeer({ resources: { subscribe: false }, tasks: { list: {}, requests: { x: {} } } }, {});
  await using net = new TestNet([planOf("a", a.url), planOf("b", b.url)]);
  const client = net.client();
  await Promise.all(["ping", "resources/list"].map((method) => client.request(method)));
  const { view } = client.session.facts;
  const result = JSON.parse(decodeText(greet(net.hub, view, "2025-11-25", { name: "g", version: "1" }))) as {
    capabilities: unknown;
  };
  assert.deepEqual(result.capabilities, {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    tasks: { list: {}, requests: { tools: { call: {} }, x: {} } },
  });
});
