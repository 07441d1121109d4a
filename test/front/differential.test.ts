// Two gateways, one of which hides something that the other one does not have: nobody who may not see it can tell them apart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { backendDefaults, type BackendPlan, type Plan } from "../../lib/config/plan.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { type Answers, type McpPeer, servePeer } from "../route/peer.ts";
import { clientWith, keyOf, startLocked } from "./auth-kit.ts";
import { type Bench, Events, type FrontClient } from "./kit.ts";
import type { Message } from "./peer.ts";

const eve = keyOf("eve");
const capabilities = {
  tools: {},
  prompts: {},
  resources: { subscribe: true },
  completions: {},
  logging: {},
  tasks: { list: {} },
};

/** A server that has these items, and knows no others. */
function answersOf(items: readonly string[]): Answers {
  const has = (text: unknown): boolean => items.some((item) => new RegExp(`(?:^|/)${item}(?:$|/)`).test(String(text)));
  const only =
    (member: string, result: object): Answers[string] =>
    (exchange) =>
      has(exchange.params[member]) ? exchange.reply(result) : exchange.fail(-32602, "there is no such thing");
  return {
    "tools/list": (exchange) =>
      exchange.reply({
        tools: items.map((name) => ({ name, inputSchema: { type: "object" }, description: `does ${name}` })),
      }),
    "prompts/list": (exchange) => exchange.reply({ prompts: items.map((name) => ({ name })) }),
    "resources/list": (exchange) =>
      exchange.reply({ resources: items.map((name) => ({ name, uri: `mem:///${name}` })) }),
    "resources/templates/list": (exchange) =>
      exchange.reply({ resourceTemplates: items.map((name) => ({ name, uriTemplate: `mem:///${name}/{id}` })) }),
    "tools/call": only("name", { content: [{ type: "text", text: "called" }] }),
    "prompts/get": only("name", { messages: [] }),
    "resources/read": only("uri", { contents: [] }),
    "resources/subscribe": only("uri", {}),
    "resources/unsubscribe": only("uri", {}),
    "completion/complete": (exchange) =>
      has(Object(exchange.params["ref"]).name ?? String(Object(exchange.params["ref"]).uri).replace("/{id}", ""))
        ? exchange.reply({ completion: { values: ["completed"] } })
        : exchange.fail(-32602, "there is no such thing"),
    "logging/setLevel": (exchange) => exchange.reply({}),
    "tasks/list": (exchange) => exchange.reply({ tasks: [] }),
    "tasks/get": (exchange) => exchange.fail(-32602, "there is no such task"),
  };
}

const names = [
  "plain",
  "secret",
  "absent",
  "open__plain",
  "open__secret",
  "open__absent",
  "closed__plain",
  "closed__secret",
  "absent__plain",
  "find_tools",
  "",
];
const uris = [
  "mem:///plain",
  "mem:///secret",
  "mem:///absent",
  "mem:///plain/1",
  "mem:///secret/1",
  "mem:///plain/../secret",
  "mem:///%73ecret",
  "mcpctl://open/mem%3A%2F%2F%2Fsecret",
  "mcpctl://closed/mem%3A%2F%2F%2Fplain",
  "mcpctl://absent/mem%3A%2F%2F%2Fplain",
];
const argument = { name: "a", value: "" };

/** Everything that a client can ask about a thing. */
const script: readonly (readonly [method: string, params: Message])[] = [
  ...["tools/list", "prompts/list", "resources/list", "resources/templates/list"].map(
    (method) => [method, {}] as const,
  ),
  ...names.flatMap((name) => [
    ["tools/call", { name, arguments: {} }] as const,
    ["tools/call", { name: "call_tool", arguments: { name, arguments: {} } }] as const,
    ["tools/call", { name: "describe_tool", arguments: { name } }] as const,
    ["prompts/get", { name }] as const,
    ["completion/complete", { ref: { type: "ref/prompt", name }, argument }] as const,
    ["tasks/get", { taskId: name }] as const,
    ["tasks/cancel", { taskId: `${name}/1` }] as const,
    [`${name}/method`, {}] as const,
  ]),
  ...["secret", "closed", "plain does", ""].map(
    (query) => ["tools/call", { name: "find_tools", arguments: { query } }] as const,
  ),
  ...uris.flatMap((uri) => [
    ["resources/read", { uri }] as const,
    ["resources/subscribe", { uri }] as const,
    ["resources/unsubscribe", { uri }] as const,
    ["completion/complete", { ref: { type: "ref/resource", uri }, argument }] as const,
    ["completion/complete", { ref: { type: "ref/resource", uri: `${uri}/{id}` }, argument }] as const,
    ["secret/method", { uri }] as const,
  ]),
  ["logging/setLevel", { level: "info" }],
  ["tasks/list", {}],
  ["ping", {}],
];

interface World extends AsyncDisposable {
  readonly bench: Bench;
  readonly peers: readonly McpPeer[];
}

type Backends = Readonly<Record<string, readonly string[]>>;

async function start(items: Backends, plan: Partial<Plan>, rules?: BackendPlan["rules"]): Promise<World> {
  const peers = await Promise.all(Object.values(items).map((own) => servePeer(capabilities, answersOf(own))));
  const backends = Object.keys(items).map((name, at) => ({
    ...backendDefaults,
    name: name as BackendName,
    replicas: [{ kind: "http" as const, url: peers[at]?.url ?? "", headers: {} }],
    ...(rules && { rules }),
  }));
  const bench = await startLocked({ keys: [eve] }, { plan: { ...plan, backends, sealKeys: ["0123456789abcdef"] } });
  return {
    bench,
    peers,
    [Symbol.asyncDispose]: async () => {
      await bench[Symbol.asyncDispose]();
      for (const peer of peers) await peer[Symbol.asyncDispose]();
    },
  };
}

/** All that eve can find out, as lines; sealed things differ each time. */
async function explore({ bench }: World): Promise<readonly string[]> {
  const lines: string[] = [];
  const write = (what: string, status: number, headers: Headers, text: string): void => {
    const shown = [...headers]
      .filter(([name]) => name !== "content-length")
      .map(([name, value]) => `${name}: ${value}`);
    const plain = [...shown, text]
      .join(" ")
      .replaceAll(/[\w-]{60,}/g, "SEALED")
      .replaceAll(/"since":"[^"]*"/g, "");
    lines.push(`${what}: ${status} ${plain}`);
  };
  const ask = async (client: FrontClient, what: string, body: object, changes = {}): Promise<void> => {
    const { status, headers, text } = await client.post(body, changes);
    write(what, status, headers, text);
  };
  for (const path of ["/mcp", "/mcp/open", "/mcp/closed", "/mcp/absent", "/mcp/part", "/mcp?pageSize=1"]) {
    const client = clientWith(bench, eve.key);
    client.path = path;
    const greeting = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
    const { status, headers, text } = await client.post({
      jsonrpc: "2.0",
      id: 0,
      method: "initialize",
      params: greeting,
    });
    write(`${path} initialize`, status, headers, text);
    client.sessionId = headers.get("mcp-session-id") ?? undefined;
    client.version = "2025-11-25";
    for (const [method, params] of client.sessionId === undefined ? [] : script)
      await ask(client, `${path} legacy ${method} ${JSON.stringify(params)}`, {
        jsonrpc: "2.0",
        id: 1,
        method,
        params,
      });
    const modern = clientWith(bench, eve.key);
    modern.path = path;
    for (const [method, params] of [["server/discover", {}] as const, ...script]) {
      const { body, headers: more } = modernRequest(method, params);
      await ask(modern, `${path} modern ${method} ${JSON.stringify(params)}`, body, more);
    }
    const wanted = { toolsListChanged: true, resourceSubscriptions: uris };
    const { body, headers: more } = modernRequest("subscriptions/listen", { notifications: wanted });
    const stream = await modern.send("POST", body, more);
    if (stream.headers.get("content-type")?.includes("event-stream")) {
      const events = new Events(stream);
      write(`${path} listen`, stream.status, stream.headers, JSON.stringify((await events.next())?.message));
      await events.drop();
    } else write(`${path} listen`, stream.status, stream.headers, await stream.text());
  }
  for (const path of [
    "/health",
    "/why",
    "/readyz",
    "/metrics",
    "/why/1",
    "/closed",
    "/.well-known/oauth-protected-resource/mcp/closed",
  ]) {
    const client = clientWith(bench, eve.key);
    client.path = path;
    const response = await client.send("GET");
    write(path, response.status, response.headers, await response.text());
  }
  return lines;
}

async function assertSame(hiding: World, lacking: World): Promise<void> {
  const [one, other] = await Promise.all([explore(hiding), explore(lacking)]);
  assert.equal(one.length, other.length);
  assert.ok(one.length > 200, String(one.length));
  for (const [at, line] of one.entries()) assert.equal(line, other[at]);
  // It is about something: what is not hidden works.
  assert.ok(one.some((line) => /tools\/call \{"name":"(?:open__)?plain".*"called"/.test(line)));
}

const secretRules = [
  {
    effect: "deny",
    tools: ["secret*"],
    prompts: ["secret*"],
    resources: ["mem:///secret*"],
    methods: ["secret/*", "mcpctl/watch"],
  },
  { effect: "allow" },
] as const;
const closedRules = [
  { effect: "deny", backends: ["closed", "mcpctl"] },
  { effect: "allow", backends: ["open"] },
] as const;
const views = [{ name: "part", tools: ["*plain"], prompts: ["*plain"], resources: ["mem:///plain*"] }];

for (const [naming, disclosure] of [
  ["prefix", "full"],
  ["none", "search"],
  ["conflict", "full"],
] as const)
  test(`hidden: items that a policy denies are not there, with naming ${naming} and disclosure ${disclosure}`, async () => {
    const plan = { naming, disclosure, views, policy: { default: "deny", roles: {}, rules: secretRules } } as const;
    await using hiding = await start({ open: ["plain", "secret"] }, plan);
    await using lacking = await start({ open: ["plain"] }, plan);
    await assertSame(hiding, lacking);
    // Ids of tasks and names of methods are those of nothing that is hidden.
    const asked = hiding.peers.flatMap(({ got }) => got.filter(({ params }) => /secret/.test(JSON.stringify(params))));
    assert.deepEqual(
      asked.filter(({ method }) => !method?.startsWith("tasks/")),
      [],
    );
  });

test("hidden: a backend that a policy denies is not there", async () => {
  const plan = { views, policy: { default: "deny", roles: {}, rules: closedRules } } as const;
  await using hiding = await start({ open: ["plain"], closed: ["plain", "secret"] }, plan);
  await using lacking = await start({ open: ["plain"] }, plan);
  await assertSame(hiding, lacking);
});

test("hidden: what the config of a backend does not show is not there", async () => {
  const deny = { deny: ["secret*"] };
  const rules = { tools: deny, prompts: deny, resources: { deny: ["mem:///secret*"] } };
  const plan = {
    views,
    policy: { default: "allow", roles: {}, rules: [{ effect: "deny", methods: ["mcpctl/watch"] }] },
  } as const;
  await using hiding = await start({ open: ["plain", "secret"] }, plan, rules);
  await using lacking = await start({ open: ["plain"] }, plan, rules);
  await assertSame(hiding, lacking);
});
