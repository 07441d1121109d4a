// Two clients without an SDK: the same ids and tokens on purpose, results byte for byte, and `/mcp/<backend>`.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { connectClient } from "../kit/client.ts";
import { RawClient } from "../kit/raw-client.ts";
import type { RawStream } from "../kit/raw-client.ts";
import { serverNames, startServers } from "../kit/servers.ts";
import type { Servers } from "../kit/servers.ts";
import { call, Gateway, recordOf } from "./kit.ts";
import { eventWith, outcomeOf, toolSample, useTool } from "./samples.ts";

interface Peers {
  readonly servers: Servers;
  readonly gateway: Gateway;
  /** Clients that have done the same, and so would choose the same ids. */
  readonly ada: RawClient;
  readonly bob: RawClient;
}

const limits = { timeout: 120_000 };
const links = ["fixture", "fixture-http", "own", "own-http"] as const;
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const servers = await startServers();
  const config = servers.config();
  const { fixture, "fixture-http": web } = servers.all;
  const own = { ...fixture.backend, isolation: "session" };
  const ownHttp = { ...web.backend, isolation: "session" };
  const gateway = await Gateway.start({ ...config, backends: { ...config.backends, own, "own-http": ownHttp } });
  await gateway.up(...serverNames, "own", "own-http");
  return { servers, gateway, ada: await gateway.client(), bob: await gateway.client() };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => {
  const { servers, gateway } = await peers();
  await Promise.all([gateway[Symbol.asyncDispose](), servers[Symbol.asyncDispose]()]);
});

function message(method: string, params: object, id: string | number): object {
  return { jsonrpc: "2.0", id, method, params };
}

function toolCall(name: string, args: object, id: string | number, token?: string | number): object {
  return message(
    "tools/call",
    { name, arguments: args, ...(token !== undefined && { _meta: { progressToken: token } }) },
    id,
  );
}

/** The messages of a stream up to its end. */
async function readAll(stream: RawStream): Promise<Readonly<Record<string, unknown>>[]> {
  const messages: Readonly<Record<string, unknown>>[] = [];
  for (let event = await stream.next(); event !== undefined; event = await stream.next()) {
    if (event.data !== "") messages.push(recordOf(JSON.parse(event.data)));
  }
  return messages;
}

for (const link of links) {
  test(`wire: results of equal ids go to their own clients, ids as numbers and as texts, ${link}`, limits, async () => {
    const { ada, bob } = await peers();
    const ids = [
      ...Array.from({ length: 10 }, (_, id) => id),
      ...Array.from({ length: 10 }, (_, id) => String(id)),
      "",
      -1,
    ];
    await Promise.all(
      [ada, bob].flatMap((client, who) =>
        ids.map(async (id) => {
          const { messages } = await client.post(toolCall(`${link}__echo`, { who, id }, id));
          assert.equal(messages.length, 1);
          const reply = recordOf(JSON.parse(messages[0] ?? ""));
          assert.deepEqual(reply["id"], id);
          assert.deepEqual(recordOf(reply["result"])["structuredContent"], { who, id });
        }),
      ),
    );
  });

  test(`wire: progress of equal ids and tokens stays on the stream of its call, ${link}`, limits, async () => {
    const { ada, bob } = await peers();
    const run = async (client: RawClient, ms: number): Promise<unknown> => {
      await using stream = await client.postStream(toolCall(`${link}__slow`, { ms }, 7, 7));
      const messages = await readAll(stream);
      const last = messages.pop();
      assert.equal(last?.["id"], 7);
      assert.match(JSON.stringify(last), new RegExp(`done after ${ms} ms`));
      return messages.map(({ method, params }) => [
        method,
        recordOf(params)["progressToken"],
        recordOf(params)["total"],
      ]);
    };
    const expected = (total: number) => Array.from({ length: total / 50 }, () => ["notifications/progress", 7, total]);
    assert.deepEqual(await Promise.all([run(ada, 150), run(bob, 200)]), [expected(150), expected(200)]);
  });

  test(`wire: a cancellation of an id that both clients use ends one call, ${link}`, limits, async () => {
    const { ada, bob } = await peers();
    const [hers, his] = [randomUUID(), randomUUID()];
    const start = async (client: RawClient, nonce: string): Promise<RawStream> => {
      const stream = await client.postStream(toolCall(`${link}__slow`, { ms: 60_000, nonce }, 9, "t"));
      await eventWith(stream, "notifications/progress");
      return stream;
    };
    const cancel = (client: RawClient): Promise<unknown> =>
      client.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 9 } });
    await using adas = await start(ada, hers);
    await using bobs = await start(bob, his);
    await cancel(ada);
    const seen = JSON.stringify(await call(ada, `${link}__cancelled`, { nonce: hers }));
    assert.ok(seen.includes(hers) && !seen.includes(his), seen);
    // A call that was taken back has no reply; its stream ends without one.
    assert.ok((await readAll(adas)).every(({ method }) => method === "notifications/progress"));
    await cancel(bob);
    assert.ok(JSON.stringify(await call(bob, `${link}__cancelled`, { nonce: his })).includes(his));
    await bobs.close();
  });

  test(`wire: results and errors are the bytes of the server, ${link}`, limits, async () => {
    const { servers, ada } = await peers();
    const direct = servers.all["fixture-http"].direct;
    assert.ok("url" in direct);
    const server = new RawClient(direct.url);
    await server.initialize();
    const same = async (method: string, params: object, exposed: object = params): Promise<string> => {
      const expected = await server.request(method, params, "an-id");
      assert.equal(await ada.request(method, exposed, "an-id"), expected);
      return expected;
    };
    const tool = (name: string, args: object): Promise<string> =>
      same("tools/call", { name, arguments: args }, { name: `${link}__${name}`, arguments: args });
    // An unknown content type, unknown fields, `_meta` and integers that no double holds.
    assert.match(
      await tool("raw", {}),
      /"x-before".*9007199254740993.*x-vendor\/blob.*9007199254740993.*_meta.*9007199254740993/,
    );
    await tool("echo", { nested: { "\u2028": [1e3, -0.5, "\u{1F600}"] } });
    await tool("fail", { code: -32_099, message: 'as "it" is', data: { nested: [null, { deep: true }] } });
    await tool("no-such-tool", {});
    await same("resources/read", { uri: "test://static-binary" });
    await same("resources/read", { uri: "test://template/x/data" });
    const prompt = { arguments: { arg1: "a", arg2: "b" } };
    const name = "test_prompt_with_arguments";
    await same("prompts/get", { name, ...prompt }, { name: `${link}__${name}`, ...prompt });
  });
}

for (const name of serverNames) {
  test(`wire: /mcp/${name} is the server by its own names`, limits, async () => {
    const { servers, gateway } = await peers();
    // The same program; the one over HTTP is running.
    const running = name.startsWith("fixture") ? "fixture-http" : "everything-http";
    await using direct = await connectClient(servers.all[running].direct);
    await using one = await connectClient({ url: gateway.url(name) });
    const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
    const { tools } = await one.client.listTools();
    assert.deepEqual(tools.sort(byName), (await direct.client.listTools()).tools.sort(byName));
    const { resources } = await one.client.listResources();
    assert.deepEqual(resources.sort(byName), (await direct.client.listResources()).resources.sort(byName));
    const { resourceTemplates } = await one.client.listResourceTemplates();
    assert.deepEqual(
      resourceTemplates.sort(byName),
      (await direct.client.listResourceTemplates()).resourceTemplates.sort(byName),
    );
    const uri = resources[0]?.uri ?? "";
    const read = [direct, one].map(({ client }) => outcomeOf(client.readResource({ uri })));
    assert.deepEqual(await read[1], await read[0]);
    assert.equal(one.client.getInstructions(), direct.client.getInstructions()?.trim());
    const asking = name.startsWith("fixture") ? "ask-sampling" : "trigger-sampling-request";
    for (const tool of ["echo", asking]) {
      const args = toolSample(name, tool) ?? {};
      assert.deepEqual(await useTool(one, tool, args), await useTool(direct, tool, args));
    }
    const prefixed = await outcomeOf(one.call(`${name}__echo`, { message: "x" }));
    assert.match(JSON.stringify(prefixed), new RegExp(`${name}__echo`));
  });
}

test("wire: a session of one endpoint is none of another, and an unknown backend is not found", limits, async () => {
  const { gateway } = await peers();
  const client = await gateway.client("fixture");
  const other = new RawClient(gateway.url("fixture-http"));
  other.sessionId = client.sessionId;
  assert.equal((await other.post(message("tools/list", {}, 1))).status, 404);
  assert.equal((await client.post(message("tools/list", {}, 1))).status, 200);
  assert.equal((await new RawClient(gateway.url("nobody")).post(message("ping", {}, 1))).status, 404);
});
