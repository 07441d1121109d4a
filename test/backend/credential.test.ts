// Tokens for backends: one request however many calls need it, renewed in time, and never shown where they do not belong.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, test } from "node:test";
import type { OutboundPlan } from "../../lib/config/outbound.ts";
import { backendDefaults } from "../../lib/config/plan.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { audience, authPlan, issuerPlan } from "../front/auth-kit.ts";
import { createGateway, type FrontClient, FrontClient as Client } from "../front/kit.ts";
import { TestAuthority } from "../kit/authority.ts";

interface World extends AsyncDisposable {
  readonly url: string;
  readonly logged: string[];
  /** Bodies of token requests. */
  readonly asked: string[];
  /** Authorization of each tools/call that was executed. */
  readonly executed: (string | undefined)[];
  /** What the backend accepts; everything that was given where it is empty. */
  refused: ReadonlySet<string>;
  answer: (response: ServerResponse, count: number) => void;
}

const json = { "content-type": "application/json" };

/** An issuer and a backend that wants its tokens, on one server. */
async function serve(): Promise<World> {
  const given = new Set<string>(["Bearer from-file-1", "Bearer from-file-2"]);
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await Array.fromAsync(request)).toString();
    if (request.url === "/token") {
      world.asked.push(`${request.headers.authorization ?? ""} ${body}`);
      return world.answer(response, world.asked.length);
    }
    const { authorization } = request.headers;
    if (!given.has(authorization ?? "") || world.refused.has(authorization ?? ""))
      return void response.writeHead(401, { "www-authenticate": "Bearer" }).end();
    if (request.method !== "POST") return void response.writeHead(405).end();
    const message = JSON.parse(body) as { id?: unknown; method?: string };
    if (message.id === undefined) return void response.writeHead(202).end();
    if (message.method === "server/discover") return void response.writeHead(400).end();
    if (message.method === "tools/call") world.executed.push(authorization);
    const results: Readonly<Record<string, object>> = {
      initialize: {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "b", version: "1" },
      },
      "tools/list": { tools: [{ name: "work", inputSchema: { type: "object" } }] },
      "tools/call": { content: [{ type: "text", text: "done" }] },
    };
    response.writeHead(200, json);
    response.end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: results[message.method ?? ""] ?? {} }));
  };
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const world: World = {
    url: `http://127.0.0.1:${port}`,
    logged: [],
    asked: [],
    executed: [],
    refused: new Set(),
    answer: (response, count) => {
      given.add(`Bearer token-${count}`);
      response.writeHead(200, json);
      response.end(JSON.stringify({ access_token: `token-${count}`, token_type: "Bearer", expires_in: 300 }));
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return world;
}

interface Connected extends AsyncDisposable {
  readonly client: FrontClient;
  call(): Promise<string>;
}

async function connect(world: World, auth: OutboundPlan, settleMs = 5_000): Promise<Connected> {
  const replicas = [{ kind: "http" as const, url: `${world.url}/mcp`, headers: {}, auth }];
  const backends = [{ ...backendDefaults, name: "peer" as BackendName, replicas }];
  const gateway = await createGateway({ plan: { backends } }, {}, world.logged);
  await gateway.settled(settleMs);
  const client = new Client(gateway);
  await client.initialize();
  return {
    client,
    call: async () => await (await client.call()).text(),
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}

const machine: OutboundPlan = {
  kind: "client",
  tokenUrl: "",
  clientId: "gateway",
  clientSecret: "s:cret",
  scopes: ["a", "b"],
};
const clientOf = ({ url }: World): OutboundPlan => ({ ...machine, tokenUrl: `${url}/token` });

test("credential: a token is asked for once, with its scopes and for its backend", async () => {
  await using world = await serve();
  await using connected = await connect(world, clientOf(world));
  const texts = await Promise.all(Array.from({ length: 100 }, () => connected.call()));
  assert.ok(texts.every((text) => text.includes("done")));
  const secret = Buffer.from("gateway:s%3Acret").toString("base64");
  const form = new URLSearchParams({ grant_type: "client_credentials", resource: `${world.url}/mcp`, scope: "a b" });
  assert.deepEqual(world.asked, [`Basic ${secret} ${form.toString()}`]);
  assert.deepEqual([...new Set(world.executed)], ["Bearer token-1"]);
});

test("credential: a token that ends is renewed once, however many calls come then", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await using world = await serve();
    await using connected = await connect(world, clientOf(world));
    await connected.call();
    mock.timers.setTime(Date.now() + 271_000);
    await Promise.all(Array.from({ length: 100 }, () => connected.call()));
    assert.equal(world.asked.length, 2);
    assert.equal(world.executed.at(-1), "Bearer token-2");
  } finally {
    mock.timers.reset();
  }
});

test("credential: a token that is refused before its time is replaced, and the call is made once", async () => {
  await using world = await serve();
  await using connected = await connect(world, clientOf(world));
  for (let at = 0; at < 3; at += 1) await connected.call();
  world.refused = new Set(["Bearer token-1"]);
  const texts = await Promise.all(Array.from({ length: 20 }, () => connected.call()));
  assert.ok(texts.every((text) => text.includes("done")));
  assert.equal(world.asked.length, 2);
  assert.equal(world.executed.length, 23);
});

test("credential: a backend that refuses every token is not asked for ever", async () => {
  await using world = await serve();
  await using connected = await connect(world, clientOf(world));
  world.refused = new Set(["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
  assert.match(await connected.call(), /E5001/);
  assert.ok(world.asked.length <= 3, String(world.asked.length));
  assert.equal(world.executed.length, 0);
});

test("credential: an issuer that gives no token is named, and what it says is not", async () => {
  for (const [answer, why] of [
    [
      (response: ServerResponse) => void response.writeHead(401, json).end('{"error":"invalid_client s3cret"}'),
      /HTTP 401/,
    ],
    [(response: ServerResponse) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(), /HTTP 302/],
    [(response: ServerResponse) => void response.writeHead(200, json).end("nonsense"), /does not answer with JSON/],
    [
      (response: ServerResponse) => void response.writeHead(200, json).end('{"access_token":"a\\r\\nx-evil: 1"}'),
      /holds no token/,
    ],
    [
      (response: ServerResponse) => void response.writeHead(200, json).end('{"access_token":"a","token_type":"dpop"}'),
      /no bearer token/,
    ],
  ] as const) {
    await using world = await serve();
    world.answer = answer;
    await using connected = await connect(world, clientOf(world), 1_000);
    const text = await connected.call();
    assert.match(text, why);
    assert.ok(![text, ...world.logged].some((line) => /s:cret|s3cret|s%3Acret/.test(line)));
    assert.equal(world.executed.length, 0);
  }
});

test("credential: a file is read again when it changes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "token-"));
  const file = join(folder, "token");
  writeFileSync(file, "from-file-1\n");
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await using world = await serve();
    await using connected = await connect(world, { kind: "file", file });
    await connected.call();
    writeFileSync(file, "from-file-2-and-more");
    writeFileSync(file, "from-file-2");
    mock.timers.setTime(Date.now() + 1_000);
    await connected.call();
    assert.deepEqual(world.executed, ["Bearer from-file-1", "Bearer from-file-2"]);
    assert.equal(world.asked.length, 0);
  } finally {
    mock.timers.reset();
    rmSync(folder, { recursive: true });
  }
});

/** What was traded in with a body of a token request: the id and the end of the caller's token. */
function tradedIn(body: string): { readonly id: string; readonly endsAt: number } {
  const [, claims = ""] = (new URLSearchParams(body).get("subject_token") ?? "").split(".");
  const { jti, exp } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { jti: string; exp: number };
  return { id: jti, endsAt: exp * 1000 };
}

test("credential: of the tokens that a caller has shown, none is traded in that has run out", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await using world = await serve();
    await using authority = await TestAuthority.start();
    const give = world.answer;
    world.answer = (response, count) => {
      const { endsAt } = tradedIn(world.asked.at(-1) ?? "");
      if (endsAt > Date.now()) give(response, count);
      else response.writeHead(400, json).end('{"error":"invalid_grant"}');
    };
    const own = { clientId: "gateway", clientSecret: "s:cret", scopes: [], shared: false, sealKeys: [] };
    const auth = { kind: "oauth", grant: "token_exchange", tokenUrl: `${world.url}/token`, ...own } as const;
    const replicas = [{ kind: "http" as const, url: `${world.url}/mcp`, headers: {}, auth }];
    const backends = [{ ...backendDefaults, name: "peer" as BackendName, replicas }];
    const plan = { backends, auth: authPlan({ issuers: [issuerPlan(authority)] }) };
    const gateway = await createGateway({ plan }, {}, world.logged);
    await using closing = new AsyncDisposableStack();
    closing.defer(() => gateway.close());
    const open = async (jti: string, seconds: number): Promise<FrontClient> => {
      const exp = Math.floor(Date.now() / 1000) + seconds;
      const opened = new Client(gateway);
      opened.token = await authority.token(audience, { claims: { jti, exp } });
      await opened.initialize();
      return opened;
    };
    const call = async (client: FrontClient): Promise<void> => assert.match(await (await client.call()).text(), /done/);
    const later = (seconds: number): void => mock.timers.setTime(Date.now() + seconds * 1000);
    const robot = await open("long", 28_800);
    await call(robot);
    await call(await open("short", 300));
    // What was given for the long one has run out, and so has the short one.
    later(400);
    await call(robot);
    const next = await open("ending", 300);
    later(280);
    await call(next);
    const last = await open("newest", 600);
    later(280);
    await call(last);
    assert.deepEqual(
      world.asked.map((body) => tradedIn(body).id),
      ["long", "long", "long", "newest"],
    );
    // One for all calls of a principal, whichever of its tokens they are made with.
    const given = [1, 1, 2, 3, 4].map((count) => `Bearer token-${count}`);
    assert.deepEqual(world.executed, given);
  } finally {
    mock.timers.reset();
  }
});
