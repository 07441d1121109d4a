// A policy at the front: what may not be used cannot be seen, called, completed or subscribed to, nor told from what is not.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyPlan, PolicyRulePlan } from "../../lib/config/rules-policy.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { type Answers, type McpPeer, servePeer } from "../route/peer.ts";
import { clientWith, keyOf, startLocked, type TestKey } from "./auth-kit.ts";
import { type Answer, type Bench, type FrontClient, type Settings } from "./kit.ts";
import { type Message, record } from "./peer.ts";

const capabilities = { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {}, logging: {} };
const [ada, eve] = [keyOf("ada", { groups: ["ops"] }), keyOf("eve")];

/** A server whose every answer names itself. */
function answersOf(items: readonly string[]): Answers {
  const named = (name: string): object => ({ name, inputSchema: { type: "object" }, description: `does ${name}` });
  return {
    "tools/list": (exchange) => exchange.reply({ tools: items.map(named) }),
    "prompts/list": (exchange) => exchange.reply({ prompts: items.map((name) => ({ name })) }),
    "resources/list": (exchange) =>
      exchange.reply({ resources: items.map((name) => ({ name, uri: `mem:///${name}` })) }),
    "resources/templates/list": (exchange) =>
      exchange.reply({ resourceTemplates: items.map((name) => ({ name, uriTemplate: `mem:///${name}/{id}` })) }),
    "tools/call": (exchange) =>
      exchange.reply({ content: [{ type: "text", text: `called ${String(exchange.params["name"])}` }] }),
    "prompts/get": (exchange) =>
      exchange.reply({ messages: [], description: `got ${String(exchange.params["name"])}` }),
    "resources/read": (exchange) => exchange.reply({ contents: [{ uri: exchange.params["uri"], text: "read" }] }),
    "resources/subscribe": (exchange) => exchange.reply({}),
    "completion/complete": (exchange) => exchange.reply({ completion: { values: ["completed"] } }),
    "logging/setLevel": (exchange) => exchange.reply({}),
  };
}

interface Ruled extends AsyncDisposable {
  readonly bench: Bench;
  readonly open: McpPeer;
  readonly closed: McpPeer;
}

/** Ops may use everything; others the items of `open` that are not secret, and of `closed` nothing. */
const ruled: PolicyPlan = {
  default: "deny",
  roles: { ops: { groups: ["ops"] } },
  rules: [
    { effect: "allow", roles: ["ops"] },
    { effect: "deny", tools: ["secret*"], prompts: ["secret*"], resources: ["mem:///secret*"] },
    { effect: "allow", backends: ["open"], tools: ["*"], prompts: ["*"], resources: ["mem:///plain*"] },
  ],
};

async function start(policy: PolicyPlan = ruled, more: Settings["plan"] = {}): Promise<Ruled> {
  const open = await servePeer(capabilities, answersOf(["plain", "secret"]));
  const closed = await servePeer(capabilities, answersOf(["plain", "other"]));
  const bench = await startLocked(
    { keys: [ada, eve] },
    { backends: { open: open.url, closed: closed.url }, plan: { ...more, policy } },
  );
  return {
    bench,
    open,
    closed,
    [Symbol.asyncDispose]: async () => {
      await bench[Symbol.asyncDispose]();
      await open[Symbol.asyncDispose]();
      await closed[Symbol.asyncDispose]();
    },
  };
}

type Ask = (method: string, params: Message, path?: string) => Promise<Answer>;

async function legacy(bench: Bench, { key }: TestKey): Promise<Ask> {
  const clients = new Map<string, FrontClient>();
  return async (method, params, path = "/mcp") => {
    const client = clients.get(path) ?? clientWith(bench, key);
    client.path = path;
    if (!clients.has(path)) {
      clients.set(path, client);
      const greeting = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
      const answer = await client.post({ jsonrpc: "2.0", id: 0, method: "initialize", params: greeting });
      if (answer.status !== 200) return answer;
      client.sessionId = answer.headers.get("mcp-session-id") ?? undefined;
      client.version = "2025-11-25";
    }
    return client.post({ jsonrpc: "2.0", id: 1, method, params });
  };
}

function modern(bench: Bench, { key }: TestKey): Ask {
  return async (method, params, path = "/mcp") => {
    const client = clientWith(bench, key);
    client.path = path;
    const { body, headers } = modernRequest(method, params);
    return client.post(body, headers);
  };
}

const eras: Readonly<Record<string, (bench: Bench, key: TestKey) => Ask | Promise<Ask>>> = { legacy, modern };

/** Names in a listing. */
async function listed(ask: Ask, method: string, member: string): Promise<readonly unknown[]> {
  const items = record((await ask(method, {})).json["result"])[member];
  return Array.isArray(items)
    ? items.map((item) => record(item)["uri"] ?? record(item)["uriTemplate"] ?? record(item)["name"])
    : [];
}

test("policy: listings show what may be used, to each principal its own", async () => {
  await using all = await start();
  for (const [era, connect] of Object.entries(eras)) {
    const [own, other] = [await connect(all.bench, ada), await connect(all.bench, eve)];
    assert.deepEqual(
      await listed(own, "tools/list", "tools"),
      ["open__plain", "open__secret", "closed__other", "closed__plain"],
      era,
    );
    assert.deepEqual(await listed(other, "tools/list", "tools"), ["open__plain"], era);
    assert.deepEqual(await listed(other, "prompts/list", "prompts"), ["open__plain"], era);
    assert.deepEqual(await listed(other, "resources/list", "resources"), ["mem:///plain"], era);
    assert.deepEqual(await listed(other, "resources/templates/list", "resourceTemplates"), ["mem:///plain/{id}"], era);
  }
});

test("policy: what may be used can be, whatever else is forbidden", async () => {
  await using all = await start();
  for (const [era, connect] of Object.entries(eras)) {
    const other = await connect(all.bench, eve);
    for (const times of [1, 2])
      assert.match((await other("tools/call", { name: "open__plain" })).text, /called plain/, `${era} ${times}`);
    assert.match((await other("prompts/get", { name: "open__plain" })).text, /got plain/, era);
    assert.match((await other("resources/read", { uri: "mem:///plain/7" })).text, /"read"/, era);
    const ref = { type: "ref/prompt", name: "open__plain" };
    assert.match(
      (await other("completion/complete", { ref, argument: { name: "a", value: "" } })).text,
      /completed/,
      era,
    );
    const own = await connect(all.bench, ada);
    assert.match((await own("tools/call", { name: "open__secret" })).text, /called secret/, era);
    assert.match((await own("tools/call", { name: "closed__other" })).text, /called other/, era);
  }
});

/** Pairs of requests: one about what is hidden, one about what is not there. */
const argument = { name: "a", value: "" };
const pairs: readonly (readonly [
  method: string,
  hidden: Message,
  absent: Message,
  path?: readonly [string, string],
])[] = [
  ["tools/call", { name: "open__secret" }, { name: "open__absent" }],
  ["tools/call", { name: "closed__plain" }, { name: "absent__plain" }],
  ["tools/call", { name: "closed__other", arguments: { a: 1 } }, { name: "closed__absent", arguments: { a: 1 } }],
  ["prompts/get", { name: "open__secret" }, { name: "open__absent" }],
  ["prompts/get", { name: "closed__other" }, { name: "absent__other" }],
  ["resources/read", { uri: "mem:///secret" }, { uri: "mem:///absent" }],
  ["resources/read", { uri: "mem:///secret/7" }, { uri: "mem:///secret/zz/7" }],
  ["resources/read", { uri: "mem:///plain/../secret" }, { uri: "mem:///plain/../absent" }],
  ["resources/read", { uri: "mcpctl://closed/mem%3A%2F%2F%2Fplain" }, { uri: "mcpctl://absent/mem%3A%2F%2F%2Fplain" }],
  ["resources/subscribe", { uri: "mem:///secret" }, { uri: "mem:///absent" }],
  [
    "completion/complete",
    { ref: { type: "ref/prompt", name: "open__secret" }, argument },
    { ref: { type: "ref/prompt", name: "open__absent" }, argument },
  ],
  [
    "completion/complete",
    { ref: { type: "ref/resource", uri: "mem:///secret/{id}" }, argument },
    { ref: { type: "ref/resource", uri: "mem:///absent/{id}" }, argument },
  ],
  ["secret/method", {}, { more: 1 }],
  ["tools/list", {}, {}, ["/mcp/closed", "/mcp/absent"]],
];

/** An answer without what the request itself says. */
const plain = ({ status, text }: Answer): string =>
  `${status} ${text}`.replaceAll(/closed|absent|secret\/zz|secret|other/g, "NAME");

for (const naming of ["prefix", "none"] as const) {
  test(`policy: what is hidden is answered as what is not there, with naming ${naming}`, async () => {
    await using all = await start(ruled, { naming });
    const local = (params: Message): Message =>
      naming === "prefix"
        ? params
        : (JSON.parse(JSON.stringify(params).replaceAll(/"(?:open|closed|absent)__/g, '"')) as Message);
    for (const [era, connect] of Object.entries(eras)) {
      const ask = await connect(all.bench, eve);
      for (const [method, hidden, absent, paths = ["/mcp", "/mcp"]] of pairs) {
        // Without prefixes these are names of something else, which is there.
        if (naming === "none" && /closed__plain|absent__/.test(JSON.stringify([hidden, absent]))) continue;
        const before = [all.open.got.length, all.closed.got.length];
        const [one, other] = [await ask(method, local(hidden), paths[0]), await ask(method, local(absent), paths[1])];
        assert.equal(plain(one), plain(other), `${era} ${method} ${JSON.stringify(hidden)}`);
        assert.deepEqual([...one.headers.keys()], [...other.headers.keys()]);
        assert.ok(one.status !== 200 || one.json["error"], `${era} ${method} ${one.text}`);
        const asked = [all.open, all.closed].flatMap(({ got }, at) =>
          got.slice(before[at]).map((message) => message.method),
        );
        assert.deepEqual(
          asked.filter((name) => name === method),
          [],
          `${era} ${method}`,
        );
      }
    }
  });
}

test("policy: a hidden tool takes no name from one that may be used", async () => {
  const rules: readonly PolicyRulePlan[] = [
    { effect: "allow", backends: ["closed"] },
    { effect: "allow", tools: ["secret"] },
  ];
  await using all = await start({ default: "deny", roles: {}, rules }, { naming: "none" });
  const ask = await legacy(all.bench, eve);
  assert.deepEqual(await listed(ask, "tools/list", "tools"), ["secret", "other", "plain"]);
  assert.match((await ask("tools/call", { name: "plain" })).text, /called plain/);
  assert.equal(all.closed.count("tools/call"), 1);
});

test("policy: a backend that is not there for somebody is not said to be missing either", async () => {
  await using open = await servePeer(capabilities, answersOf(["plain"]));
  const backends = { open: open.url, closed: "http://127.0.0.1:1/mcp" };
  await using bench = await startLocked({ keys: [ada, eve] }, { backends, plan: { policy: ruled } });
  const [own, other] = [await legacy(bench, ada), await legacy(bench, eve)];
  for (const [method, params] of [
    ["tools/list", {}],
    ["tools/call", { name: "absent" }],
  ] as const) {
    assert.match((await own(method, params)).text, /closed/, method);
    assert.doesNotMatch((await other(method, params)).text, /closed/, method);
  }
});

test("policy: tools that are searched for are those that may be used", async () => {
  await using all = await start(ruled, { disclosure: "search" });
  const ask = await legacy(all.bench, eve);
  const found = await ask("tools/call", { name: "find_tools", arguments: { query: "secret plain other" } });
  assert.match(found.text, /open__plain/);
  assert.doesNotMatch(found.text, /secret|closed/);
  const described = async (name: string): Promise<string> =>
    plain(await ask("tools/call", { name: "describe_tool", arguments: { name } }));
  assert.equal(await described("open__secret"), await described("open__absent"));
  const called = async (name: string): Promise<string> =>
    plain(await ask("tools/call", { name: "call_tool", arguments: { name } }));
  assert.equal(await called("open__secret"), await called("open__absent"));
  assert.equal(all.open.count("tools/call"), 0);
});

test("policy: a new one counts at once, also in sessions that are open", async () => {
  await using all = await start();
  const ask = await legacy(all.bench, eve);
  const call = async (): Promise<string> => (await ask("tools/call", { name: "open__plain" })).text;
  assert.match(await call(), /called plain/);
  const { gateway } = all.bench;
  await gateway.apply({ ...gateway.plan, policy: { ...ruled, rules: [] } });
  assert.match(await call(), /unknown tool/);
  assert.deepEqual(await listed(ask, "tools/list", "tools"), []);
  await gateway.apply({ ...gateway.plan, policy: ruled });
  assert.match(await call(), /called plain/);
});

test("policy: how the gateway is, and what others did, is for those who may watch", async () => {
  await using all = await start();
  const status = async (path: string, { key }: TestKey): Promise<Answer> => {
    const client = clientWith(all.bench, key);
    client.path = path;
    const response = await client.send("GET");
    return { status: response.status, headers: response.headers, text: await response.text(), json: {} };
  };
  assert.match((await status("/health", ada)).text, /"closed"/);
  assert.equal((await status("/health", eve)).text, '{"status":"ok"}');
  assert.deepEqual([(await status("/why", ada)).status, (await status("/why", eve)).status], [200, 404]);
});
