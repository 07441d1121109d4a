// What one principal has is of no use to another, over real sockets: sessions, streams, cursors, states, tasks and records.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { recordOf } from "../e2e/kit.ts";
import { runtimeCommand, startHttpServer } from "../kit/process.ts";
import { servePeer } from "../route/peer.ts";
import { type House, type Json, type KeyClient, refusalOf, startHouse } from "./kit.ts";

const limits = { timeout: 120_000 };
const tasks = { capabilities: { extensions: { "io.modelcontextprotocol/tasks": {} }, elicitation: { form: {} } } };
const watched = "test://watched-resource";

interface World {
  readonly house: House;
  readonly close: () => Promise<void>;
}

/** A legacy server, a modern one, and one that keeps tasks for whoever asks. */
async function start(): Promise<World> {
  const modern = await startHttpServer("test/kit/modern-server.ts", ["--scope", "private"]);
  const made: string[] = [];
  const keeper = await servePeer(
    { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
    {
      "tools/list": (exchange) => exchange.reply({ tools: [{ name: "begin", inputSchema: { type: "object" } }] }),
      "tools/call": (exchange) =>
        exchange.reply({ task: { taskId: `t-${made.push("t")}`, status: "working", ttl: null } }),
      "tasks/get": (to) => to.reply({ taskId: to.params["taskId"], status: "completed" }),
      "tasks/result": (to) => to.reply({ content: [{ type: "text", text: "of ada" }] }),
      "tasks/cancel": (to) => to.reply({ taskId: to.params["taskId"], status: "cancelled" }),
      "tasks/list": (to) =>
        to.reply({ tasks: made.map((_, at) => ({ taskId: `t-${at + 1}`, status: "working", ttl: null })) }),
    },
  );
  const [command, args] = runtimeCommand("test/kit/fixture-server.ts", "stdio");
  const house = await startHouse(
    {
      legacy: { command, args },
      modern: { url: modern.url, cache: {} },
      keeper: { url: keeper.url },
    },
    { pagination: { pageSize: 2 }, front: { sse: true } },
  );
  const close = async (): Promise<void> => {
    await house[Symbol.asyncDispose]();
    await modern[Symbol.asyncDispose]();
    await keeper[Symbol.asyncDispose]();
  };
  return { house, close };
}

const state: { world?: Promise<World> } = {};

async function house(): Promise<House> {
  return (await (state.world ??= start())).house;
}

after(async () => await (await state.world)?.close());

/** Eve, with what Ada's client sends beside its key. */
async function thiefOf(victim: KeyClient): Promise<KeyClient> {
  const thief = (await house()).client("eve");
  thief.sessionId = victim.sessionId;
  thief.protocolVersion = victim.protocolVersion;
  return thief;
}

const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
const call = (name: string, args: object = {}, id: string | number = 1, more: object = {}): Json => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args, ...more },
});

test("theft: a session is answered like one that never was, and goes on for its owner", limits, async () => {
  const ada = await (await house()).session("ada");
  const eve = await thiefOf(ada);
  const invented = (await house()).client("eve");
  invented.protocolVersion = ada.protocolVersion;
  const made = { "mcp-session-id": "x" };
  for (const body of [ping, call("legacy__echo"), { jsonrpc: "2.0", method: "notifications/initialized" }]) {
    const [stolen, unknown] = [await eve.post(body), await invented.post(body, made)];
    assert.deepEqual([stolen.status, stolen.text], [404, unknown.text]);
  }
  const stream = await eve.send("GET", undefined, { accept: "text/event-stream", "content-type": undefined });
  assert.equal(stream.status, 404);
  await stream.text();
  const ended = await eve.delete();
  assert.deepEqual([ended.status, ended.text], [404, (await invented.delete(made)).text]);
  assert.deepEqual((await ada.ask("ping"))["result"], {});
});

test("theft: a stream is not resumed by another, with its session or with an own one", limits, async () => {
  const ada = await (await house()).session("ada");
  const stream = await ada.postStream(call("legacy__slow", { ms: 1_000 }, 7, { _meta: { progressToken: 1 } }));
  const first = await stream.next();
  assert.ok(first?.id);
  const resume = { accept: "text/event-stream", "content-type": undefined, "last-event-id": first.id };
  const own = await (await house()).session("eve");
  for (const thief of [await thiefOf(ada), own]) {
    const answer = await thief.send("GET", undefined, resume);
    assert.ok(answer.status === 404 || answer.status === 400, String(answer.status));
    assert.doesNotMatch(await answer.text(), /progress|done after/);
  }
  await stream.close();
  const resumed = await ada.get({ "last-event-id": first.id });
  let last = "";
  for (let event = await resumed.next(); event && !/done after/.test(last); event = await resumed.next())
    last = event.data;
  assert.match(last, /done after/);
  await resumed.close();
});

test("theft: nobody takes back, or answers for, the call of another", limits, async () => {
  const ada = (await house()).client("ada");
  await ada.initialize("2025-11-25", { elicitation: {} });
  const eve = await (await house()).session("eve");
  const stream = await ada.postStream(call("legacy__ask-elicitation", {}, "mine"));
  let question: Json = {};
  while (question["method"] !== "elicitation/create")
    question = recordOf(JSON.parse((await stream.next())?.data || "{}"));
  const { id } = question;
  const answer = (name: string): object => ({ jsonrpc: "2.0", id, result: { action: "accept", content: { name } } });
  for (const thief of [eve, await thiefOf(ada)]) {
    await thief.post(answer("eve"));
    await thief.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "mine" } });
  }
  await ada.post(answer("ada"));
  const result = (await stream.next())?.data ?? "";
  assert.match(result, /ada/);
  assert.doesNotMatch(result, /eve/);
  await stream.close();
});

test("theft: a stream of HTTP+SSE takes no message of another", limits, async () => {
  const all = await house();
  const at = (path: string): string => new URL(path, all.gateway.url()).href;
  const ada = all.client("ada");
  const abort = new AbortController();
  const shown = { authorization: `Bearer ${ada.key}` };
  const response = await fetch(at("/sse"), { headers: shown, signal: abort.signal });
  const { value } = (await response.body?.getReader().read()) ?? {};
  const [, path = ""] = /data: (\S+)/.exec(new TextDecoder().decode(value)) ?? [];
  const post = async (key: string | undefined): Promise<number> => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const answer = await fetch(at(path), { method: "POST", headers, body: JSON.stringify(ping) });
    await answer.text();
    return answer.status;
  };
  assert.deepEqual([await post(all.client("eve").key), await post(ada.key)], [404, 202]);
  abort.abort();
});

test("theft: a cursor is refused to another, in either era", limits, async () => {
  const [ada, eve] = [await (await house()).session("ada"), await (await house()).session("eve")];
  const { nextCursor: cursor } = recordOf((await ada.ask("tools/list"))["result"]);
  assert.equal(typeof cursor, "string");
  assert.equal(refusalOf(await eve.ask("tools/list", { cursor })).code, -32602);
  assert.equal(refusalOf(await eve.askModern("tools/list", { cursor })).code, -32602);
  assert.ok((await ada.ask("tools/list", { cursor }))["result"]);
});

test("theft: a requestState of a legacy or a modern backend is refused to another", limits, async () => {
  const [ada, eve] = [(await house()).client("ada"), (await house()).client("eve")];
  for (const name of ["legacy__ask-elicitation", "modern__survey"]) {
    const asked = { name, arguments: {} };
    const { requestState, inputRequests } = recordOf((await ada.askModern("tools/call", asked, tasks))["result"]);
    const [key = ""] = Object.keys(recordOf(inputRequests));
    const inputResponses = { [key]: { action: "accept", content: { name: "eve" } } };
    assert.equal(typeof requestState, "string", name);
    const again = { ...asked, requestState, inputResponses };
    const refused = refusalOf(await eve.askModern("tools/call", again, tasks));
    assert.deepEqual([refused.code, refused.data["reason"]], [-32602, "principal"], name);
  }
});

test("theft: a task of a modern backend is not there for another", limits, async () => {
  const [ada, eve] = [(await house()).client("ada"), (await house()).client("eve")];
  const begun = await ada.askModern("tools/call", { name: "modern__slow_compute", arguments: { seconds: 20 } }, tasks);
  const { taskId } = recordOf(begun["result"]);
  assert.equal(typeof taskId, "string", JSON.stringify(begun));
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
    const more = method === "tasks/update" ? { inputResponses: {} } : {};
    const stolen = refusalOf(await eve.askModern(method, { taskId, ...more }, tasks));
    const invented = refusalOf(await eve.askModern(method, { taskId: "modern__x", ...more }, tasks));
    assert.equal(stolen.code, -32602, method);
    assert.equal(stolen.message.replace(String(taskId), "X"), invented.message.replace("modern__x", "X"));
  }
  assert.equal(recordOf((await ada.askModern("tasks/get", { taskId }, tasks))["result"])["taskId"], taskId);
  await ada.askModern("tasks/cancel", { taskId }, tasks);
});

test("theft: a task of a legacy backend is not there for another, nor in its list", limits, async () => {
  const [ada, eve] = [await (await house()).session("ada"), await (await house()).session("eve")];
  const begun = await ada.post(call("keeper__begin", {}, 1, { task: {} }));
  const { task } = recordOf(recordOf(JSON.parse(begun.messages.at(-1) ?? "{}"))["result"]);
  const { taskId } = recordOf(task);
  for (const method of ["tasks/get", "tasks/result", "tasks/cancel"])
    assert.equal(refusalOf(await eve.ask(method, { taskId })).code, -32602, method);
  assert.doesNotMatch(JSON.stringify(await eve.ask("tasks/list")), /"t-1"/);
  assert.match(JSON.stringify(await ada.ask("tasks/list")), /"t-1"/);
  const again = await (await house()).session("ada");
  assert.equal(recordOf((await again.ask("tasks/get", { taskId }))["result"])["status"], "completed");
  // Who made it is known beyond the session in which it was made.
  await ada.delete();
  assert.equal(refusalOf(await eve.ask("tasks/result", { taskId })).code, -32602);
});

test("theft: a subscription of one tells another nothing, and is not ended by it", limits, async () => {
  const [ada, eve] = [await (await house()).session("ada", "legacy"), await (await house()).session("eve", "legacy")];
  await ada.ask("resources/subscribe", { uri: watched });
  const [hears, listens] = [await ada.get(), await eve.get()];
  await eve.ask("resources/unsubscribe", { uri: watched });
  const eves: string[] = [];
  const reading = (async () => {
    for (let event = await listens.next(); event; event = await listens.next()) eves.push(event.data);
  })().catch(() => {});
  await ada.ask("tools/call", { name: "touch", arguments: { uri: watched } });
  let heard = "";
  while (!heard.includes("resources/updated")) heard = (await hears.next())?.data ?? "resources/updated is missing";
  assert.match(heard, /notifications\/resources\/updated"/);
  await eve.ask("ping");
  await Promise.all([hears.close(), listens.close()]);
  await reading;
  assert.deepEqual(
    eves.filter((text) => text.includes("updated")),
    [],
  );
});

test("theft: a kept answer that is for one is asked for again by another", limits, async () => {
  const [ada, eve] = [(await house()).client("ada", "modern"), (await house()).client("eve", "modern")];
  const counts = async (): Promise<Json> => {
    const { json } = await ada.look("/health");
    return recordOf(recordOf(recordOf(json["backends"])["modern"])["cache"]);
  };
  const uri = "test://static-text";
  for (const client of [ada, ada]) assert.ok((await client.askModern("resources/read", { uri }))["result"]);
  const before = await counts();
  assert.ok((await eve.askModern("resources/read", { uri }))["result"]);
  const behind = await counts();
  assert.equal(behind["hits"], before["hits"]);
  assert.equal(Number(behind["misses"]), Number(before["misses"]) + 1);
});

test("theft: the record of a call is its caller's", limits, async () => {
  const [ada, eve] = [await (await house()).session("ada"), await (await house()).session("eve")];
  await ada.ask("tools/call", { name: "legacy__echo", arguments: { text: "secret" } }, "of-ada");
  await eve.ask("tools/call", { name: "legacy__add", arguments: { a: 1, b: 2 } }, "of-eve");
  assert.match((await ada.look("/why/of-ada")).text, /legacy__echo/);
  assert.equal((await eve.look("/why/of-ada")).text, (await eve.look("/why/never-was")).text);
  const seen = (await eve.look("/why")).text;
  assert.match(seen, /legacy__add/);
  assert.doesNotMatch(seen, /legacy__echo|of-ada/);
});
