// Streams that listen when the config changes: those of whoever is let in no more end, and nobody else's do.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthPlan, IssuerPlan, KeyPlan } from "../../lib/config/auth.ts";
import type { Plan } from "../../lib/config/plan.ts";
import type { PolicyPlan } from "../../lib/config/rules-policy.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { TestAuthority } from "../kit/authority.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { authPlan, base, clientWith, issuerPlan, keyOf, startLocked } from "./auth-kit.ts";
import { type Bench, startBench } from "./kit.ts";
import { within } from "./peer.ts";

const limits = { timeout: 60_000 };
const [ops, ada] = [keyOf("ops", { groups: ["operators"] }), keyOf("ada", { groups: ["operators"] })];
const policy: PolicyPlan = {
  default: "allow",
  roles: { operator: { groups: ["operators"] } },
  rules: [{ effect: "allow", roles: ["operator"], methods: ["mcpctl/*"] }],
};

const listed = "notifications/tools/list_changed";
const ping = { jsonrpc: "2.0", id: "ping", method: "ping" };

/** A stream that is open. */
class Held {
  readonly what: string;
  /** Resolves when it has ended. */
  readonly over: Promise<void>;
  /** Everything that came. */
  text = "";
  #isOver = false;
  #changed = Promise.withResolvers<void>();

  constructor(what: string, { status, body }: Response) {
    assert.equal(status, 200, what);
    assert.ok(body);
    this.what = what;
    this.over = this.#read(body);
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const piece of body) {
      this.text += decoder.decode(piece, { stream: true });
      this.#tell();
    }
    this.#isOver = true;
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Resolves when this text has come, behind what came up to a place. */
  async heard(text: string, from: number = 0): Promise<void> {
    const heard = async (): Promise<void> => {
      while (!this.text.includes(text, from)) {
        assert.ok(!this.#isOver, `${this.what} has ended: ${this.text}`);
        await this.#changed.promise;
      }
    };
    await within(heard(), `${text} on ${this.what}`);
  }
}

function get(bench: Bench, key: string, path: string): Promise<Response> {
  const client = clientWith(bench, key);
  client.path = path;
  return client.send("GET", undefined, { accept: "text/event-stream" });
}

/** The streams of MCP, by each way. */
async function listenAs(bench: Bench, key: string): Promise<readonly Held[]> {
  const client = clientWith(bench, key);
  await client.initialize();
  const standalone = new Held("GET /mcp", await client.send("GET", undefined, { accept: "text/event-stream" }));
  const { body, headers } = modernRequest("subscriptions/listen", { notifications: { toolsListChanged: true } });
  const modern = new Held("subscriptions/listen", await clientWith(bench, key).send("POST", body, headers));
  await modern.heard("acknowledged");
  const sse = new Held("GET /sse", await get(bench, key, "/sse"));
  await sse.heard("\n\n");
  const poster = clientWith(bench, key);
  poster.path = /data: (\S+)/.exec(sse.text)?.[1] ?? "";
  const params = { protocolVersion: "2024-11-05", capabilities: {}, clientInfo: { name: "old", version: "1" } };
  assert.equal((await poster.post({ jsonrpc: "2.0", id: 1, method: "initialize", params })).status, 202);
  await sse.heard('"protocolVersion"');
  return [standalone, modern, sse];
}

/** What operators watch. */
async function watchAs(bench: Bench, key: string): Promise<readonly Held[]> {
  const watched = [
    new Held("/admin/tail", await get(bench, key, "/admin/tail")),
    new Held("/page/live", await get(bench, key, "/page/live")),
  ];
  for (const each of watched) await each.heard("\n");
  return watched;
}

/** All of them are open still: each of the streams of MCP hears of another backend, and who watches sees what is said. */
async function stay(bench: Bench, streams: readonly Held[], watched: readonly Held[], key: string): Promise<void> {
  const places = new Map([...streams, ...watched].map((each) => [each, each.text.length]));
  const { plan } = bench.gateway;
  const [first] = plan.backends;
  assert.ok(first);
  const name = `more${plan.backends.length}` as BackendName;
  await bench.gateway.apply({ ...plan, backends: [...plan.backends, { ...first, name }] });
  const client = clientWith(bench, key);
  await client.initialize();
  assert.equal((await client.post(ping)).status, 200);
  for (const each of streams) await each.heard(listed, places.get(each));
  for (const each of watched) await each.heard(each.what === "/page/live" ? "data: " : '"ping"', places.get(each));
}

async function ended(streams: readonly Held[]): Promise<void> {
  for (const each of streams) await within(each.over, `the end of ${each.what}`);
}

function start(auth: Partial<AuthPlan>): Promise<Bench> {
  return startLocked(auth, { plan: { policy, front: { sse: true } } });
}

/** The plan that holds, with others who are let in. */
function letting({ gateway }: Bench, auth: Partial<AuthPlan>): Plan {
  return { ...gateway.plan, auth: authPlan(auth) };
}

test("tenure: streams end with the key that a reload takes away, and those of others go on", limits, async () => {
  await using bench = await start({ keys: [ops, ada] });
  const own = [await listenAs(bench, ops.key), await watchAs(bench, ops.key)];
  const [streams, watched] = [await listenAs(bench, ada.key), await watchAs(bench, ada.key)];
  // What says nothing of them ends none.
  await stay(bench, [...(own[0] ?? []), ...streams], [...(own[1] ?? []), ...watched], ada.key);
  await bench.gateway.apply(letting(bench, { keys: [keyOf("new"), ops, ada] }));
  await stay(bench, [...(own[0] ?? []), ...streams], [...(own[1] ?? []), ...watched], ada.key);
  await bench.gateway.apply(letting(bench, { keys: [ada] }));
  await ended(own.flat());
  await stay(bench, streams, watched, ada.key);
});

test(
  "tenure: a key that is another one, or lets in as somebody else or for less time, ends streams",
  limits,
  async () => {
    const changes: Readonly<Record<string, Partial<KeyPlan>>> = {
      hash: { hash: keyOf("ops").hash },
      groups: { groups: [] },
      scopes: { scopes: ["more"] },
      expires: { expiresAt: Date.now() + 3_600_000 },
    };
    for (const [what, change] of Object.entries(changes)) {
      await using bench = await start({ keys: [ops, ada] });
      const own = [...(await listenAs(bench, ops.key)), ...(await watchAs(bench, ops.key))];
      const others = await listenAs(bench, ada.key);
      await bench.gateway.apply(letting(bench, { keys: [{ ...ops, ...change }, ada] }));
      await ended(own).catch((error: unknown) => assert.fail(`${what}: ${String(error)}`));
      await stay(bench, others, [], ada.key);
    }
  },
);

test("tenure: streams end with the issuer of their token, and with what it needs", limits, async () => {
  await using authority = await TestAuthority.start();
  await using other = await TestAuthority.start();
  const token = await authority.token(base, { claims: { sub: "eve", scope: "mcp" } });
  const trusted = issuerPlan(authority, { audiences: ["other"], introspection: { clientId: "c", clientSecret: "s" } });
  const { introspection: _, ...unasked } = trusted;
  for (const change of [
    { keys: [ada] },
    { keys: [ada], issuers: [{ ...trusted, groupsClaim: "roles" }], scopes: ["mcp"] },
    { keys: [ada], issuers: [{ ...trusted, audiences: ["another"] }], scopes: ["mcp"] },
    { keys: [ada], issuers: [{ ...trusted, algorithms: trusted.algorithms.slice(1) }], scopes: ["mcp"] },
    { keys: [ada], issuers: [unasked], scopes: ["mcp"] },
    { keys: [ada], issuers: [trusted], scopes: ["mcp", "more"] },
  ]) {
    await using bench = await start({ keys: [ada], issuers: [trusted], scopes: ["mcp"] });
    const own = await listenAs(bench, token);
    const keyed = await listenAs(bench, ada.key);
    const more = { keys: [ada], issuers: [issuerPlan(other), trusted], scopes: ["mcp"] };
    await bench.gateway.apply(letting(bench, more));
    await stay(bench, [...own, ...keyed], [], ada.key);
    await bench.gateway.apply(letting(bench, change));
    await ended(own);
    await stay(bench, keyed, [], ada.key);
  }
});

test("tenure: a reload that takes nothing away ends no streams", limits, async () => {
  await using authority = await TestAuthority.start();
  const dated = { ...ops, expiresAt: Date.now() + 3_600_000 };
  const introspection = { clientId: "gateway", clientSecret: "one" };
  const trusted = issuerPlan(authority, { introspection });
  const auth = { keys: [dated, ada], issuers: [trusted], scopes: ["mcp"] };
  await using bench = await start(auth);
  const token = await authority.token(base, { claims: { sub: "eve", scope: "mcp" } });
  const streams = [...(await listenAs(bench, dated.key)), ...(await listenAs(bench, token))];
  const watched = await watchAs(bench, dated.key);
  const lasting = { ...auth, keys: [ops, ada] };
  const wider: IssuerPlan = { ...trusted, audiences: ["other"], skewMs: 1_000, jwks: `${authority.issuer}/keys` };
  for (const change of [
    { ...auth, keys: [{ ...dated, expiresAt: dated.expiresAt + 1 }, ada] },
    lasting,
    { ...lasting, issuers: [{ ...trusted, introspection: { ...introspection, clientSecret: "two" } }] },
    { ...lasting, issuers: [wider] },
    { ...lasting, issuers: [wider], scopes: [] },
  ])
    await bench.gateway.apply(letting(bench, change));
  await bench.gateway.apply({ ...bench.gateway.plan, publicUrl: "http://gateway.example" });
  await stay(bench, streams, watched, ada.key);
});

test(
  "tenure: who watches sees nothing more when the policy says so, and what is no part of that goes on",
  limits,
  async () => {
    await using bench = await start({ keys: [ops, ada] });
    const { gateway } = bench;
    const [streams, watched] = [await listenAs(bench, ops.key), await watchAs(bench, ops.key)];
    const rule = { effect: "deny", tools: ["other"] } as const;
    await gateway.apply({ ...gateway.plan, policy: { ...policy, rules: [...policy.rules, rule] } });
    await stay(bench, streams, watched, ada.key);
    const denied = { effect: "deny", methods: ["mcpctl/*"] } as const;
    await gateway.apply({ ...gateway.plan, policy: { ...policy, rules: [denied] } });
    await ended(watched);
    await stay(bench, streams, [], ada.key);
  },
);

test("tenure: streams of nobody in particular end where everybody is to sign in", limits, async () => {
  await using bench = await startBench({ plan: { front: { sse: true } } });
  const streams = await listenAs(bench, "");
  await bench.gateway.apply(letting(bench, { keys: [ada] }));
  await ended(streams);
});

test(
  "tenure: at its limit a principal hears of a request that is no stream what is wrong with it",
  limits,
  async () => {
    await using bench = await startLocked({ keys: [ada] }, { limits: { streams: 1 } });
    const [client, over] = [clientWith(bench, ada.key), clientWith(bench, ada.key)];
    for (const each of [client, over]) await each.initialize();
    assert.equal((await over.delete()).status, 200);
    const listen = { accept: "text/event-stream" };
    const held = new Held("GET /mcp", await client.send("GET", undefined, listen));
    const statuses = [
      await client.send("GET", undefined, listen),
      await over.send("GET", undefined, listen),
      await client.send("GET", undefined, { ...listen, "mcp-session-id": undefined }),
      await client.send("GET", undefined, { accept: "application/json" }),
      await client.send("GET", undefined, {
        ...listen,
        "mcp-session-id": undefined,
        "mcp-protocol-version": "2026-07-28",
      }),
    ].map(({ status }) => status);
    assert.deepEqual(statuses, [429, 404, 400, 406, 405]);
    await stay(bench, [held], [], ada.key);
  },
);
