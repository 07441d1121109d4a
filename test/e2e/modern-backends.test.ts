// Legacy clients use servers that speak 2026-07-28 alone, over HTTP and stdio, with everything that both eras have.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { CreateMessageRequestSchema, McpError } from "@modelcontextprotocol/sdk/types.js";
import { connectClient } from "../kit/client.ts";
import type { ClientOptions, TestClient } from "../kit/client.ts";
import { askingPrompt } from "../kit/fixture-asks.ts";
import { runtimeCommand, startHttpServer } from "../kit/process.ts";
import type { HttpServerProcess } from "../kit/process.ts";
import { Gateway, until } from "./kit.ts";

const script = "test/kit/modern-server.ts";
const links = ["http", "stdio"] as const;
type LinkName = (typeof links)[number];
const limits = { timeout: 120_000 };
const watched = "test://watched-resource";
const notFoundCode = -32002;

interface Peers {
  readonly server: HttpServerProcess;
  readonly gateway: Gateway;
}

const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const server = await startHttpServer(script, ["--bad-header"]);
  const [command, args] = runtimeCommand(script, "stdio", "--bad-header");
  const gateway = await Gateway.start({ backends: { http: { url: server.url }, stdio: { command, args } } });
  await gateway.up(...links);
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

async function connect(link: LinkName, options?: ClientOptions): Promise<TestClient> {
  const { gateway } = await peers();
  return connectClient({ url: gateway.url(link) }, options);
}

for (const link of links) {
  test(`modern backends: tools, results and errors, over ${link}`, limits, async () => {
    await using one = await connect(link);
    const result = await one.call("echo", { a: [1, { b: null }] });
    assert.deepEqual(result["structuredContent"], { a: [1, { b: null }] });
    assert.equal(result["resultType"], undefined);
    assert.equal(result["_meta"], undefined);
    for (const [type, value] of Object.entries({ array: [1, 2, 3], string: "plain", number: 1.5, null: null })) {
      // The SDK checks it against the schema of the listing.
      const called = await one.client.callTool({ name: `structured-${type}` });
      assert.deepEqual(called.structuredContent, { result: value });
    }
    assert.match(JSON.stringify(await one.call("raw")), /"x-vendor\/blob"/);
    const failed: unknown = await one
      .call("fail", { code: -32_077, message: "exactly this", data: { why: 1 } })
      .catch((error: unknown) => error);
    assert.ok(failed instanceof McpError);
    assert.deepEqual([failed.code, failed.data], [-32_077, { why: 1 }]);
    const params = { region: "Zürich ", priority: 3, urgent: true, note: "free" };
    assert.deepEqual(JSON.parse(await one.callText("header-params", params)), params);
    await assert.rejects(one.call("nowhere"), { code: -32_602 });
  });

  test(
    `modern backends: listings are those of legacy servers, without what cannot be called, over ${link}`,
    limits,
    async () => {
      await using one = await connect(link);
      const { tools, ...rest } = await one.client.listTools();
      assert.ok(tools.some(({ name }) => name === "header-params"));
      assert.ok(tools.every(({ name }) => name !== "bad-header"));
      assert.ok(tools.every(({ outputSchema }) => outputSchema === undefined || outputSchema.type === "object"));
      assert.deepEqual(
        ["resultType", "ttlMs", "cacheScope"].filter((key) => key in rest),
        [],
      );
      const { gateway } = await peers();
      await gateway.proc.line(
        new RegExp(`backend ${link}: the tool "bad-header" was left out: .*not a header`),
        "stderr",
      );
      const { tasks, extensions } = one.client.getServerCapabilities() ?? {};
      assert.equal(tasks, undefined);
      assert.deepEqual(Object.keys(extensions ?? {}), ["io.modelcontextprotocol/ui"]);
    },
  );

  test(`modern backends: resources, templates, prompts and completion, over ${link}`, limits, async () => {
    await using one = await connect(link);
    const { client } = one;
    const { resources } = await client.listResources();
    assert.ok(resources.some(({ uri }) => uri === "ui://fixture/clock"));
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.equal(resourceTemplates[0]?.uriTemplate, "test://template/{id}/data");
    const { contents } = await client.readResource({ uri: "test://template/7/data" });
    assert.match(JSON.stringify(contents), /Data for ID: 7/);
    await assert.rejects(client.readResource({ uri: "test://nowhere" }), { code: notFoundCode });
    const { prompts } = await client.listPrompts();
    const arg = { arg1: "x", arg2: "y" };
    assert.ok(prompts.length > 2);
    const prompt = await client.getPrompt({ name: "test_prompt_with_arguments", arguments: arg });
    assert.match(JSON.stringify(prompt.messages), /x.*y/);
    const ref = { type: "ref/prompt", name: "test_prompt_with_arguments" } as const;
    const { completion } = await client.complete({ ref, argument: { name: "arg1", value: "p" } });
    assert.ok(Array.isArray(completion.values));
  });

  test(`modern backends: what a server needs to know is asked of the client, over ${link}`, limits, async () => {
    await using one = await connect(link);
    assert.match(await one.callText("ask-sampling"), /An answer of the test model/);
    assert.match(await one.callText("ask-elicitation"), /"content":\{"name":"Ada"\}/);
    assert.match(await one.callText("ask-elicitation-url"), /"action":"accept"/);
    assert.match(await one.callText("ask-roots"), /file:\/\/\/tmp\/root/);
    assert.deepEqual(Object.keys(JSON.parse(await one.callText("ask-all"))), ["name", "opinion", "places"]);
    const survey: unknown = JSON.parse(await one.callText("survey", { nonce: randomUUID() }));
    assert.ok(typeof survey === "object" && survey !== null && "count" in survey && "rounds" in survey);
    assert.deepEqual([survey.count, survey.rounds], [1, 4]);
    const kinds = one.asked.map(({ method }) => method);
    assert.equal(kinds.length, 10);
    assert.deepEqual(kinds.slice(-3), ["elicitation/create", "sampling/createMessage", "roots/list"]);
  });

  test(`modern backends: a prompt asks too, over ${link}`, limits, async () => {
    await using one = await connect(link);
    const { messages } = await one.client.getPrompt({ name: askingPrompt.name });
    assert.match(JSON.stringify(messages), /With the context/);
    assert.equal(one.asked.length, 1);
  });

  test(`modern backends: a client that cannot, or will not, ends the call clearly, over ${link}`, limits, async () => {
    await using bare = await connect(link, { capabilities: {} });
    await assert.rejects(bare.call("ask-sampling"), /sampling/);
    await assert.rejects(bare.call("ask-roots"), /roots/);
    assert.equal(bare.asked.length, 0);
    await using one = await connect(link);
    one.client.setRequestHandler(CreateMessageRequestSchema, () => {
      throw new McpError(-32_123, "the user says no");
    });
    await assert.rejects(one.call("ask-sampling"), /refused sampling\/createMessage: .*the user says no/);
    await assert.rejects(one.call("ask-all"), /the user says no/);
  });

  test(`modern backends: progress and log messages come before the result, over ${link}`, limits, async () => {
    await using one = await connect(link);
    const heard: unknown[] = [];
    const options = { onprogress: (progress: object): unknown => heard.push(progress) };
    await one.client.callTool({ name: "slow", arguments: { ms: 150 } }, undefined, options);
    const expected = [0, 50, 100].map((progress) => ({ progress, total: 150, message: `${progress} of 150` }));
    assert.deepEqual(heard, expected);
    const logs = (): unknown[] =>
      one.notifications
        .filter(({ method }) => method === "notifications/message")
        .map(({ params }) => params?.["data"]);
    await one.client.setLoggingLevel("error");
    await one.call("log", { level: "warning", text: "too low" });
    await one.call("log", { level: "error", text: "loud" });
    await one.client.setLoggingLevel("debug");
    await one.call("log", { level: "debug", text: "quiet" });
    assert.deepEqual(logs(), ["loud", "quiet"]);
  });

  test(`modern backends: a call that is taken back ends at the server, over ${link}`, limits, async () => {
    await using one = await connect(link);
    const nonce = randomUUID();
    const abort = new AbortController();
    const started = Promise.withResolvers<void>();
    const options = { signal: abort.signal, onprogress: (): void => started.resolve() };
    const slow = one.client.callTool({ name: "slow", arguments: { ms: 60_000, nonce } }, undefined, options);
    await started.promise;
    abort.abort("enough");
    await assert.rejects(slow);
    assert.ok((await one.callText("cancelled", { nonce })).includes(nonce));
  });

  test(
    `modern backends: a call that is taken back while the client is asked is not made again, over ${link}`,
    limits,
    async () => {
      await using one = await connect(link);
      const nonce = randomUUID();
      const abort = new AbortController();
      const asked = Promise.withResolvers<AbortSignal>();
      one.client.setRequestHandler(CreateMessageRequestSchema, async (_request, { signal }) => {
        asked.resolve(signal);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return { role: "assistant", model: "m", content: { type: "text", text: "too late" } };
      });
      const survey = one.client.callTool({ name: "survey", arguments: { nonce } }, undefined, { signal: abort.signal });
      const withdrawn = asked.promise.then(
        (signal) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
      );
      await asked.promise;
      abort.abort("enough");
      await assert.rejects(survey);
      await withdrawn;
      const counts: unknown = JSON.parse(await one.callText("counts"));
      assert.ok(typeof counts === "object" && counts !== null);
      assert.equal(Reflect.get(counts, nonce), undefined);
      assert.equal(Reflect.get(counts, `${nonce}/rounds`), 2);
    },
  );

  test(`modern backends: subscriptions and changes of lists, over ${link}`, limits, async () => {
    await using one = await connect(link);
    await using other = await connect(link);
    const lists = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
    await one.client.subscribeResource({ uri: watched });
    await other.client.subscribeResource({ uri: watched });
    const subscribed = [{ ...lists, resourceSubscriptions: [watched] }];
    assert.deepEqual(JSON.parse(await one.callText("subscriptions", { atMost: 1 })), subscribed);
    assert.match(await one.callText("touch"), /"notified":1/);
    for (const each of [one, other]) {
      const { params } = await each.notified("notifications/resources/updated", ({ uri }) => uri === watched);
      assert.deepEqual(params, { uri: watched });
    }
    await one.client.unsubscribeResource({ uri: watched });
    await other.client.unsubscribeResource({ uri: watched });
    assert.deepEqual(JSON.parse(await one.callText("subscriptions", { atMost: 1 })), [lists]);
    const name = `grown-${link}`;
    await one.call("grow", { name });
    await other.notified("notifications/tools/list_changed");
    assert.ok((await other.client.listTools()).tools.some((tool) => tool.name === name));
    await one.call("shrink");
  });
}

test("modern backends: one that is restarted is found again, with its subscriptions", limits, async () => {
  const first = await startHttpServer(script);
  const { port } = new URL(first.url);
  await using gateway = await Gateway.start({ backends: { web: { url: first.url, timeouts: { health: "200ms" } } } });
  await gateway.up("web");
  await using one = await connectClient({ url: gateway.url() });
  await one.client.subscribeResource({ uri: watched });
  await first[Symbol.asyncDispose]();
  await until(async () => (await gateway.health()).backends["web"]?.state !== "up", "the backend still counts as up");
  await using _second = await startHttpServer(script, [port]);
  await until(async () => (await gateway.health()).backends["web"]?.state === "up", "the backend does not come back");
  await one.notified("notifications/resources/updated", ({ uri }) => uri === watched);
  assert.match(await one.callText("web__touch"), /"notified":1/);
});

test("modern backends: one that changes its era while it runs is spoken to in the other one", limits, async () => {
  const legacy = await startHttpServer();
  const { port } = new URL(legacy.url);
  await using gateway = await Gateway.start({ backends: { web: { url: legacy.url } } });
  await gateway.proc.line(/backend web: is up \(2025-11-25\)/, "stderr");
  await using one = await connectClient({ url: gateway.url() });
  await one.callText("web__echo", { at: 1 });
  await legacy[Symbol.asyncDispose]();
  const modern = await startHttpServer(script, [port]);
  // No call fails on the way: the refusal of the other era says that nothing was executed.
  assert.match(await one.callText("web__echo", { at: 2 }), /"at":2/);
  await gateway.proc.line(/backend web: is up \(2026-07-28\)/, "stderr");
  await modern[Symbol.asyncDispose]();
  await using _again = await startHttpServer(undefined, [port]);
  assert.match(await one.callText("web__echo", { at: 3 }), /"at":3/);
});

test("modern backends: a server of both eras is spoken to in the one that the config names", limits, async () => {
  await using both = await startHttpServer(script, ["--both"]);
  const [command, args] = runtimeCommand(script, "stdio", "--both");
  const backends = {
    auto: { url: both.url },
    legacy: { url: both.url, protocol: "legacy" },
    pinned: { url: both.url, protocol: "2025-06-18" },
    modern: { command, args, protocol: "2026-07-28" },
    child: { command, args, protocol: "legacy" },
  };
  await using gateway = await Gateway.start({ backends });
  for (const [name, revision] of Object.entries({
    auto: "2026-07-28",
    legacy: "2025-11-25",
    pinned: "2025-06-18",
    modern: "2026-07-28",
    child: "2025-11-25",
  })) {
    await gateway.proc.line(new RegExp(`backend ${name}: is up \\(${revision}\\)`), "stderr");
    await using one = await connectClient({ url: gateway.url(name) });
    assert.match(await one.callText("survey", { nonce: name }), /"count":1,"rounds":4/);
  }
});

test("modern backends: a legacy server that must be modern is down, and says why", limits, async () => {
  await using server = await startHttpServer();
  const backends = { web: { url: server.url, protocol: "modern" }, odd: { url: server.url, protocol: "2031-01-01" } };
  await using gateway = await Gateway.start({ backends });
  await gateway.proc.line(/backend web: .*did not answer server\/discover/, "stderr");
  await gateway.proc.line(/backend odd: .*protocol 2031-01-01; this gateway speaks 2026-07-28, 2025-11-25/, "stderr");
});
