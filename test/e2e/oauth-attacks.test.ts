// Attacks on logins: issuers that are mixed up, answers of others, forms of other sites, codes without protection, addresses inside.
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { test } from "node:test";
import { createApiKey, hashApiKey } from "../../lib/core/api-key.ts";
import { Browser, linkOf, type Page } from "../kit/browser.ts";
import { listenOn } from "../kit/oauth-provider.ts";
import { type OAuthWorld, signIn, startOAuthWorld } from "../kit/oauth-world.ts";
import { deadUrl, Gateway, recordOf } from "./kit.ts";

const limits = { timeout: 90_000 };
const originOf = (gateway: Gateway): string => new URL(gateway.url()).origin;

function start({ resource }: OAuthWorld, more: object = {}, auth: unknown = "oauth"): Promise<Gateway> {
  return Gateway.start({ ...more, backends: { b: { url: resource.url, auth } } });
}

/** Goes as far as the answer of the provider, and does not bring it back. */
async function answerOf(browser: Browser, origin: string): Promise<URL> {
  const list = await browser.open(`${origin}/oauth`);
  const consent = await browser.submit(list, "/oauth/start", { backend: "b" });
  const { url } = await browser.open(linkOf(consent, /Go on/), {}, (at) => at.pathname === "/oauth/callback");
  return url;
}

async function serve(handler: RequestListener): Promise<AsyncDisposable & { readonly origin: string }> {
  const server = createServer(handler);
  const origin = await listenOn(server);
  return {
    origin,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("oauth attacks: an answer of another issuer, or of none, sends no code anywhere", limits, async () => {
  await using world = await startOAuthWorld();
  await using gateway = await start(world);
  const browser = new Browser();
  for (const change of ["https://evil.example", `${world.provider.issuer}/`, undefined]) {
    const url = await answerOf(browser, originOf(gateway));
    url.searchParams.delete("iss");
    if (change !== undefined) url.searchParams.set("iss", change);
    const page = await browser.open(url.href);
    assert.match(page.html, /the answer is of another issuer than the one that was asked/);
    // What another issuer says is not shown either.
    const error = await answerOf(browser, originOf(gateway));
    error.searchParams.delete("code");
    error.searchParams.set("iss", "https://evil.example");
    error.searchParams.set("error_description", "visit evil.example");
    error.searchParams.set("error", "access_denied");
    assert.ok(!(await browser.open(error.href)).html.includes("evil"));
  }
  assert.equal(world.provider.asked.get("/token"), undefined);
});

test("oauth attacks: an answer is for the browser that asked, once", limits, async () => {
  await using world = await startOAuthWorld();
  await using gateway = await start(world);
  const victim = new Browser();
  const url = await answerOf(new Browser(), originOf(gateway));
  await victim.open(`${originOf(gateway)}/oauth`);
  const stolen = await victim.open(url.href);
  assert.equal(stolen.status, 403);
  assert.match(stolen.html, /nobody has begun this login in this browser/);
  const own = await answerOf(victim, originOf(gateway));
  assert.match((await victim.open(own.href)).html, /You are signed in to b/);
  assert.equal((await victim.open(own.href)).status, 403);
  const forged = new URL(own);
  forged.searchParams.set("state", "A".repeat(43));
  assert.equal((await victim.open(forged.href)).status, 403);
  assert.deepEqual(world.provider.granted, ["authorization_code"]);
});

test("oauth attacks: a form that another site made does nothing", limits, async () => {
  await using world = await startOAuthWorld();
  await using gateway = await start(world);
  const browser = new Browser();
  const page = await signIn(browser, originOf(gateway), "b");
  const [, token = ""] = /name="token" value="([^"]+)"/.exec(page.html) ?? [];
  const send = (headers: Readonly<Record<string, string>>, body: string, path = "/oauth/revoke"): Promise<Page> =>
    browser.open(originOf(gateway) + path, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      body,
    });
  const good = `backend=b&token=${token}`;
  for (const [headers, body] of [
    [{ origin: "http://127.0.0.1:9" }, good],
    [{ origin: "https://evil.example" }, good],
    [{ origin: "null" }, good],
    [{ origin: originOf(gateway), "sec-fetch-site": "cross-site" }, good],
    [{ origin: originOf(gateway) }, "backend=b"],
    [{ origin: originOf(gateway) }, `backend=b&token=${"x".repeat(token.length)}`],
  ] as const)
    assert.equal((await send(headers, body)).status, 403, JSON.stringify(headers) + body);
  const other = await new Browser().open(`${originOf(gateway)}/oauth`);
  const [, foreign = ""] = /name="token" value="([^"]+)"/.exec(other.html) ?? [];
  assert.equal((await send({ origin: originOf(gateway) }, `backend=b&token=${foreign}`)).status, 403);
  // What changes something is no GET.
  assert.equal((await browser.open(`${originOf(gateway)}/oauth/revoke?${good}`)).status, 404);
  assert.match((await browser.open(`${originOf(gateway)}/oauth`)).html, /chip active/);
  assert.match(page.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
  for (const cookie of browser.cookies(new URL(gateway.url()).host).values()) assert.ok(!page.html.includes(cookie));
});

test("oauth attacks: servers without PKCE, and metadata of another issuer, are refused", limits, async () => {
  await using world = await startOAuthWorld();
  const { provider } = world;
  const metadata = recordOf(await (await fetch(`${provider.issuer}/.well-known/openid-configuration`)).json());
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ code_challenge_methods_supported: undefined }, /does not protect its codes \(PKCE with S256\)/],
    [{ code_challenge_methods_supported: ["plain"] }, /does not protect its codes \(PKCE with S256\)/],
    [{ issuer: "https://honest.example" }, /of another issuer/],
    [{ authorization_endpoint: "http://evil.example/auth" }, /is not over TLS/],
    [{ authorization_endpoint: "javascript:alert(1)" }, /cannot be read|is not over TLS/],
  ];
  await using gateway = await start(world);
  const browser = new Browser();
  for (const [change, said] of cases) {
    provider.instead = ({ url = "" }, response) => {
      if (!url.startsWith("/.well-known/")) return false;
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ...metadata, ...change }));
      return true;
    };
    const list = await browser.open(`${originOf(gateway)}/oauth`);
    const page = await browser.submit(list, "/oauth/start", { backend: "b" });
    assert.equal(page.status, 502);
    assert.match(page.html, said);
    assert.ok(!page.html.includes("Go on"));
  }
  assert.equal(provider.authorizations.length, 0);
});

test("oauth attacks: a secret goes to the issuer that the operator named alone", limits, async () => {
  await using world = await startOAuthWorld();
  await using thief = await serve((_request, response) => void response.writeHead(404).end());
  world.resource.issuers = [thief.origin];
  const { issuer } = world.provider;
  await using gateway = await start(
    world,
    {},
    { grant: "authorization_code", issuer, clientId: "gateway", clientSecret: "the-secret" },
  );
  const browser = new Browser();
  const page = await browser.submit(await browser.open(`${originOf(gateway)}/oauth`), "/oauth/start", { backend: "b" });
  assert.match(page.html, /its server names the issuer http:\S+, and auth\.issuer is http:/);
  assert.ok(!page.html.includes("the-secret") && !gateway.proc.stderr.includes("the-secret"));
});

test("oauth attacks: principals have logins of their own, and operators those of all", limits, async () => {
  await using world = await startOAuthWorld();
  const [ada, bob, op] = [createApiKey(), createApiKey(), createApiKey()];
  const keyOf = (key: string): object => ({ hash: `sha256:${hashApiKey(key)}` });
  const policy = {
    default: "allow",
    roles: { ops: { subjects: ["key:op"] } },
    rules: [{ effect: "allow", roles: ["ops"], backends: ["mcpctl"], methods: ["mcpctl/oauth"] }],
  };
  await using gateway = await start(world, {
    auth: { keys: { ada: keyOf(ada), bob: keyOf(bob), op: keyOf(op) } },
    policy,
  });
  const origin = originOf(gateway);
  const enter = async (key: string): Promise<Browser> => {
    const browser = new Browser();
    const page = await browser.open(`${origin}/oauth`);
    assert.equal(page.status, 401);
    const before = browser.cookies(new URL(origin).host).get("mcpctl");
    await browser.submit(page, "/oauth/signin", { key });
    // Whoever gave the browser a cookie does not know the one that is signed in.
    assert.notEqual(browser.cookies(new URL(origin).host).get("mcpctl"), before);
    return browser;
  };
  const adas = await enter(ada);
  assert.match((await signIn(adas, origin, "b")).html, /You are signed in to b/);
  const bobs = await enter(bob);
  const page = await bobs.open(`${origin}/oauth`);
  assert.match(page.html, /not signed in/);
  assert.ok(!page.html.includes("key:ada"));
  const taken = await bobs.submit(page, "/oauth/start", { backend: "b", who: "key:ada" });
  assert.equal(taken.status, 200);
  const listed = await bobs.open(`${origin}/oauth`);
  const [, token = ""] = /name="token" value="([^"]+)"/.exec(listed.html) ?? [];
  const revoke = (browser: Browser, formToken: string): Promise<Page> =>
    browser.open(`${origin}/oauth/revoke`, {
      method: "POST",
      headers: { origin, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ token: formToken, backend: "b", who: "key:ada" }).toString(),
    });
  assert.equal((await revoke(bobs, token)).status, 403);
  assert.match((await adas.open(`${origin}/oauth`)).html, /chip active/);
  const ops = await enter(op);
  const all = await ops.open(`${origin}/oauth`);
  assert.match(all.html, /key:ada/);
  const [, opToken = ""] = /name="token" value="([^"]+)"/.exec(all.html) ?? [];
  assert.equal((await revoke(ops, opToken)).status, 200);
  assert.match((await adas.open(`${origin}/oauth`)).html, /not signed in/);
  const wrong = new Browser();
  const refused = await wrong.submit(await wrong.open(`${origin}/oauth`), "/oauth/signin", { key: "mcpctl_wrong" });
  assert.equal(refused.status, 401);
  assert.match(refused.html, /the key is not known here/);
});

test("oauth attacks: nobody stays signed in on the page with a key that a reload takes away", limits, async () => {
  const [ada, bob] = [createApiKey(), createApiKey()];
  const configOf = (keys: Readonly<Record<string, string>>, ...backends: readonly string[]) => ({
    auth: {
      keys: Object.fromEntries(
        Object.entries(keys).map(([name, key]) => [name, { hash: `sha256:${hashApiKey(key)}` }] as const),
      ),
    },
    backends: Object.fromEntries(backends.map((name) => [name, { url: deadUrl, auth: "oauth" }] as const)),
  });
  await using gateway = await Gateway.start(configOf({ ada, bob }, "b"));
  const page = `${originOf(gateway)}/oauth`;
  const enter = async (key: string): Promise<Browser> => {
    const browser = new Browser();
    await browser.submit(await browser.open(page), "/oauth/signin", { key });
    assert.equal((await browser.open(page)).status, 200);
    return browser;
  };
  const [adas, bobs] = [await enter(ada), await enter(bob)];
  const statuses = async (): Promise<readonly number[]> => [
    (await adas.open(page)).status,
    (await bobs.open(page)).status,
  ];
  gateway.replace(configOf({ ada, bob, eve: createApiKey() }, "b", "c"));
  await gateway.applied("b", "c");
  assert.deepEqual(await statuses(), [200, 200]);
  gateway.replace(configOf({ bob }, "b", "c", "d"));
  await gateway.applied("b", "c", "d");
  assert.deepEqual(await statuses(), [401, 200]);
  // Whoever has that name now is somebody else.
  gateway.replace(configOf({ ada: createApiKey(), bob }, "c", "d"));
  await gateway.applied("c", "d");
  assert.deepEqual(await statuses(), [401, 200]);
});
