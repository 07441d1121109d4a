// A modern backend knows one client, the gateway: what it gives to one principal must be of no use to another one.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import type { PolicyPlan } from "../../lib/config/rules-policy.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { clientWith, keyOf, startLocked } from "./auth-kit.ts";
import { type Answer, FrontClient, startBench } from "./kit.ts";
import { type Message, record } from "./peer.ts";

interface ModernPeer extends AsyncDisposable {
  readonly url: string;
  /** Params of the calls that it got. */
  readonly calls: readonly Message[];
}

const tasks = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const state = 'of "the" backend \u0001';

function resultOf({ method, params }: Message): Message {
  const cached = { resultType: "complete", ttlMs: 60_000, cacheScope: "public" };
  switch (method) {
    case "server/discover":
      return { ...cached, supportedVersions: ["2026-07-28"], capabilities: { tools: {}, ...tasks } };
    case "tools/list":
      return { ...cached, tools: ["ask", "begin"].map((name) => ({ name, inputSchema: { type: "object" } })) };
    case "tasks/get":
      return { resultType: "complete", taskId: record(params)["taskId"], status: "working" };
    default:
      if (record(params)["name"] === "begin") return { resultType: "task", taskId: "t.1", status: "working" };
      return record(params)["requestState"] === undefined
        ? { resultType: "input_required", requestState: state }
        : { resultType: "complete", content: [] };
  }
}

/** Asks each call for its state. */
async function startModern(): Promise<ModernPeer> {
  const calls: Message[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Uint8Array) => void (text += Buffer.from(chunk).toString()));
    request.on("end", () => {
      const message = record(text === "" ? {} : JSON.parse(text));
      if (message["method"] === "tools/call") calls.push(record(message["params"]));
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id: message["id"], result: resultOf(message) }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`,
    calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function ask(client: FrontClient, args: Message, requestState?: unknown): Promise<Answer> {
  const params = { name: "peer__ask", arguments: args, ...(requestState === undefined ? {} : { requestState }) };
  const { body, headers } = modernRequest("tools/call", params);
  return client.post(body, headers);
}

function reasonOf({ json }: Answer): unknown {
  return record(record(json["error"])["data"])["reason"];
}

test("modern principals: a backend's state is for the principal who got it, and for the same call", async () => {
  await using peer = await startModern();
  const [ann, bob] = [keyOf("ann"), keyOf("bob")];
  await using bench = await startLocked({ keys: [ann, bob] }, { backends: { peer: peer.url } });
  const own = clientWith(bench, ann.key);
  const { requestState } = record((await ask(own, { a: 1 })).json["result"]);
  assert.notEqual(requestState, state);
  assert.equal(reasonOf(await ask(clientWith(bench, bob.key), { a: 1 }, requestState)), "principal");
  assert.equal(reasonOf(await ask(own, { a: 2 }, requestState)), "params");
  const forged = await ask(own, { a: 1 }, state);
  assert.equal(record(forged.json["error"])["code"], -32602);
  assert.equal(peer.calls.length, 1);
  const done = await ask(own, { a: 1 }, requestState);
  assert.equal(record(done.json["result"])["resultType"], "complete");
  assert.equal(peer.calls[1]?.["requestState"], state);
});

test("modern principals: where nobody signs in, a state comes and goes as it is", async () => {
  await using peer = await startModern();
  await using bench = await startBench({ backends: { peer: peer.url } });
  const client = new FrontClient(bench.gateway);
  const { requestState } = record((await ask(client, {})).json["result"]);
  assert.equal(requestState, state);
  await ask(client, {}, requestState);
  assert.equal(peer.calls[1]?.["requestState"], state);
});

function request(client: FrontClient, method: string, params: Message): Promise<Answer> {
  const { body, headers } = modernRequest(method, params, { capabilities: tasks });
  return client.post(body, headers);
}

test("modern principals: a task is its principal's, by a name that stays the same", async () => {
  await using peer = await startModern();
  const [ann, bob] = [keyOf("ann"), keyOf("bob")];
  await using bench = await startLocked({ keys: [ann, bob] }, { backends: { peer: peer.url } });
  const own = clientWith(bench, ann.key);
  const begun = await request(own, "tools/call", { name: "peer__begin", arguments: {} });
  const { taskId } = record(begun.json["result"]);
  const known = await request(own, "tasks/get", { taskId });
  assert.deepEqual(record(known.json["result"]), { resultType: "complete", taskId, status: "working" });
  for (const [client, id] of [
    [clientWith(bench, bob.key), taskId],
    [own, "peer__t.1"],
    [own, "t.1"],
  ] as const) {
    const { json } = await request(client, "tasks/get", { taskId: id });
    assert.equal(record(json["error"])["code"], -32602);
  }
});

test("modern principals: a task is found at a view of the config", async () => {
  await using peer = await startModern();
  const view = { name: "some", backends: ["peer"] };
  await using bench = await startBench({ backends: { peer: peer.url }, plan: { views: [view] } });
  const client = new FrontClient(bench.gateway);
  client.path = "/mcp/some";
  const { json } = await request(client, "tools/call", { name: "peer__begin", arguments: {} });
  const { taskId } = record(json["result"]);
  assert.equal(taskId, "peer__t.1");
  const found = await request(client, "tasks/get", { taskId });
  assert.equal(record(found.json["result"])["taskId"], taskId);
});

test("modern principals: a listing that a policy has cut is for its principal alone", async () => {
  await using peer = await startModern();
  const ann = keyOf("ann");
  const policy: PolicyPlan = {
    default: "deny",
    roles: {},
    rules: [{ effect: "allow", backends: ["peer"], tools: ["ask"] }],
  };
  for (const [plan, names, scope] of [
    [{}, ["peer__ask", "peer__begin"], "public"],
    [{ policy }, ["peer__ask"], "private"],
  ] as const) {
    await using bench = await startLocked({ keys: [ann] }, { backends: { peer: peer.url }, plan });
    const { tools, cacheScope } = record((await request(clientWith(bench, ann.key), "tools/list", {})).json["result"]);
    const listed = Array.isArray(tools) ? tools.map((tool: unknown) => record(tool)["name"]) : [];
    assert.deepEqual([listed, cacheScope], [names, scope]);
  }
});
