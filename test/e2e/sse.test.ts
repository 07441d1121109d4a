// The old HTTP+SSE transport on either side, and on both: what an SDK client gets through it is what it gets directly.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import { connectClient, textOf } from "../kit/client.ts";
import type { ClientOptions, SseTarget, Target, TestClient } from "../kit/client.ts";
import { runtimeCommand, startHttpServer, startSseServer } from "../kit/process.ts";
import type { HttpServerProcess } from "../kit/process.ts";
import { createStdioFront } from "../kit/servers.ts";
import type { StdioFront } from "../kit/servers.ts";
import { fixtureStdio, Gateway, recordOf, until } from "./kit.ts";
import { outcomeOf, promptSample, templateUris, toolSample, useTool } from "./samples.ts";

type Front = "HTTP" | "SSE" | "stdio";
type Link = "child" | "web" | "old";

interface Peers extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly web: HttpServerProcess;
  readonly old: HttpServerProcess;
  readonly stdioFront: StdioFront;
  readonly direct: Readonly<Record<Link, TestClient>>;
}

const limits = { timeout: 120_000 };
/** Every pair of which at least one is of the old transport. */
const cells: readonly (readonly [Front, Link])[] = [
  ["SSE", "child"],
  ["SSE", "web"],
  ["SSE", "old"],
  ["HTTP", "old"],
  ["stdio", "old"],
];
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const [web, old] = await Promise.all([startHttpServer(), startSseServer()]);
  const timeouts = { list: "20s" };
  const backends = { child: fixtureStdio(), web: { url: web.url }, old: { url: old.url } };
  const gateway = await Gateway.start({ timeouts, front: { sse: true }, backends });
  await gateway.up("child", "web", "old");
  const stdioFront = createStdioFront({ timeouts, backends: { old: { url: old.url, transport: "sse" } } });
  const child = connectClient({ command: runtimeCommand("test/kit/fixture-server.ts", "stdio") });
  const clients = await Promise.all([child, connectClient({ url: web.url }), connectClient({ sse: old.url })]);
  const direct = { child: clients[0], web: clients[1], old: clients[2] };
  const dispose = async (): Promise<void> => {
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    await Promise.all([gateway, web, old].map((each) => each[Symbol.asyncDispose]()));
    stdioFront[Symbol.dispose]();
  };
  return { gateway, web, old, stdioFront, direct, [Symbol.asyncDispose]: dispose };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => (await peers())[Symbol.asyncDispose]());

async function connect(front: Front, options: ClientOptions = {}): Promise<TestClient> {
  const { gateway, stdioFront } = await peers();
  const targets: Readonly<Record<Front, Target | SseTarget>> = {
    HTTP: { url: gateway.url() },
    SSE: { sse: gateway.url().replace(/mcp$/, "sse") },
    stdio: stdioFront.target,
  };
  return connectClient(targets[front], options);
}

/** The URI that a client sees: the first backend that has it keeps it. */
function exposed(front: Front, link: Link, uri: string): string {
  return link === "child" || front === "stdio" ? uri : `mcpctl://${link}/${encodeURIComponent(uri)}`;
}

for (const [front, link] of cells) {
  const cell = `a client over ${front}, a server over ${link === "old" ? "SSE" : link === "web" ? "HTTP" : "stdio"}`;

  test(`old transport: every tool answers, asks and tells the same: ${cell}`, limits, async () => {
    const direct = (await peers()).direct[link];
    await using through = await connect(front);
    const { tools } = await direct.client.listTools();
    assert.ok(tools.length > 40);
    for (const { name } of tools) {
      const args = toolSample("fixture", name);
      if (args === undefined) continue;
      const outcomes = [useTool(direct, name, args), useTool(through, `${link}__${name}`, args)];
      const [expected, found] = await Promise.all(outcomes);
      assert.deepEqual(found, expected, name);
    }
  });

  test(`old transport: prompts, resources, templates and completions are the same: ${cell}`, limits, async () => {
    const { client } = (await peers()).direct[link];
    await using through = await connect(front);
    for (const { name } of (await client.listPrompts()).prompts) {
      const params = { arguments: promptSample(name) };
      const expected = await outcomeOf(client.getPrompt({ name, ...params }));
      assert.deepEqual(await outcomeOf(through.client.getPrompt({ name: `${link}__${name}`, ...params })), expected);
    }
    const { resources } = await client.listResources();
    for (const uri of [...resources.map((each) => each.uri), ...templateUris("fixture")]) {
      const expected = await outcomeOf(client.readResource({ uri }));
      const found = await outcomeOf(through.client.readResource({ uri: exposed(front, link, uri) }));
      assert.deepEqual(found, expected, uri);
    }
    const argument = { name: "arg1", value: "par" };
    const ref = (name: string) => ({ type: "ref/prompt" as const, name });
    const name = "test_prompt_with_arguments";
    assert.deepEqual(
      await through.client.complete({ ref: ref(`${link}__${name}`), argument }),
      await client.complete({ ref: ref(name), argument }),
    );
  });

  test(`old transport: calls are cancelled, refusals arrive, changes are told: ${cell}`, limits, async () => {
    await using one = await connect(front, { capabilities: { sampling: {} } });
    const nonce = randomUUID();
    const abort = new AbortController();
    const started = Promise.withResolvers<void>();
    const options = { signal: abort.signal, onprogress: (): void => started.resolve() };
    const slow = { name: `${link}__slow`, arguments: { ms: 60_000, nonce } };
    const cancelled = one.client.callTool(slow, undefined, options);
    await started.promise;
    abort.abort("enough");
    await assert.rejects(cancelled);
    assert.ok((await one.callText(`${link}__cancelled`, { nonce })).includes(nonce));
    const failed: unknown = await one
      .call(`${link}__fail`, { code: -5, message: "m", data: [1] })
      .catch((error) => error);
    assert.ok(failed instanceof McpError);
    assert.deepEqual([failed.code, failed.data], [-5, [1]]);
    const { error } = recordOf(JSON.parse(await one.callText(`${link}__ask-roots`)));
    assert.match(String(recordOf(error)["message"]), /did not declare roots/);
    const uri = exposed(front, link, "test://watched-resource");
    await one.client.subscribeResource({ uri });
    await one.call(`${link}__touch`);
    await one.notified("notifications/resources/updated", (params) => params["uri"] === uri);
    await one.client.unsubscribeResource({ uri });
    // The listing is known, so that a change is one.
    const before = (await one.client.listTools()).tools.length;
    const tool = `grown-${front}-${link}`;
    await one.call(`${link}__grow`, { name: tool });
    await one.notified("notifications/tools/list_changed");
    await until(async () => (await one.client.listTools()).tools.length === before + 1, "the new tool");
    await one.call(`${link}__shrink`, { name: tool });
    await until(async () => (await one.client.listTools()).tools.length === before, "the end of the new tool");
  });
}

test(
  "old transport: who asked is known where each session has a stream of its own, and refused else",
  limits,
  async () => {
    const { old } = await peers();
    const backends = { shared: { url: old.url }, own: { url: old.url, isolation: "session" } };
    await using gateway = await Gateway.start({ backends });
    await gateway.up("shared", "own");
    const names = ["ada", "bob"];
    const clients = await Promise.all(names.map((modelText) => connectClient({ url: gateway.url() }, { modelText })));
    const [ada, bob] = clients;
    assert.ok(ada && bob);
    const both = (tool: string): Promise<string[]> => Promise.all(clients.map((each) => each.callText(tool)));
    for (const [at, text] of (await both("own__ask-sampling")).entries())
      assert.match(text, new RegExp(names[at] ?? "-"));
    // While bob's call is in flight, nothing on the stream says whose request it is.
    const started = Promise.withResolvers<void>();
    const abort = new AbortController();
    const options = { signal: abort.signal, onprogress: () => started.resolve() };
    const slow = bob.client.callTool({ name: "shared__slow", arguments: { ms: 60_000 } }, undefined, options);
    await started.promise;
    assert.match(await ada.callText("shared__ask-sampling"), /set isolation: session/);
    abort.abort();
    await assert.rejects(slow);
    assert.match(await ada.callText("shared__ask-sampling"), /ada/);
    await Promise.all(clients.map((each) => each[Symbol.asyncDispose]()));
  },
);

test("old transport: a gateway in front of a gateway", limits, async () => {
  const { gateway } = await peers();
  await using outer = await Gateway.start({ backends: { inner: { url: gateway.url().replace(/mcp$/, "sse/old") } } });
  await outer.up("inner");
  await using one = await connectClient({ url: outer.url() });
  assert.equal(await one.callText("inner__echo", { a: 1 }), '{"a":1}');
  assert.match(await one.callText("inner__ask-sampling"), /An answer of the test model/);
});

test("old transport: a client that is gone takes its calls along", limits, async () => {
  const nonce = randomUUID();
  const one = await connect("SSE");
  const calls = (["child", "web", "old"] as const).map((link) => {
    const started = Promise.withResolvers<void>();
    const slow = { name: `${link}__slow`, arguments: { ms: 60_000, nonce: `${link}${nonce}` } };
    const result = one.client.callTool(slow, undefined, { onprogress: () => started.resolve() });
    return { started: started.promise, result };
  });
  await Promise.all(calls.map(({ started }) => started));
  await one[Symbol.asyncDispose]();
  for (const outcome of await Promise.allSettled(calls.map(({ result }) => result)))
    assert.equal(outcome.status, "rejected");
  await using other = await connect("HTTP");
  for (const link of ["child", "web", "old"]) {
    const name = `${link}__cancelled`;
    assert.ok((await other.callText(name, { nonce: `${link}${nonce}` })).includes(nonce), link);
  }
});

test("old transport: a server that comes back is found again, and its lost call was not repeated", limits, async () => {
  const first = await startSseServer();
  const { port } = new URL(first.url);
  await using gateway = await Gateway.start({ backends: { old: { url: first.url } } });
  await gateway.up("old");
  await using one = await connectClient({ url: gateway.url() });
  const started = Promise.withResolvers<void>();
  const options = { onprogress: (): void => started.resolve() };
  const slow = one.client.callTool({ name: "old__slow", arguments: { ms: 60_000 } }, undefined, options);
  const lost = slow.catch((error: unknown) => error);
  await started.promise;
  await first[Symbol.asyncDispose]();
  const failure = await lost;
  assert.ok(failure instanceof McpError);
  assert.equal(recordOf(failure.data)["code"], "E4105");
  await using second = await startSseServer(port);
  assert.equal(second.url, first.url);
  await until(async () => (await gateway.health()).backends["old"]?.state === "up", "the server to be up again");
  assert.equal(textOf(await one.call("old__echo", { a: 1 })), '{"a":1}');
});
