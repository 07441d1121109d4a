// Logins of backends at a real OpenID provider: on the gateway's page, renewed once for all, with more rights, and over.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Browser } from "../kit/browser.ts";
import { connectModern } from "../kit/modern-client.ts";
import { signIn, startOAuthWorld } from "../kit/oauth-world.ts";
import { call, callText, errorOf, Gateway, listTools, recordOf, until } from "./kit.ts";

const limits = { timeout: 90_000 };
const originOf = (gateway: Gateway): string => new URL(gateway.url()).origin;

for (const era of ["legacy", "modern"] as const) {
  test(`oauth: a call says where to sign in, and goes through after that, ${era}`, limits, async () => {
    await using world = await startOAuthWorld({ era });
    const { resource, provider } = world;
    await using gateway = await Gateway.start({ backends: { b: { url: resource.url, auth: "oauth" } } });
    const client = await gateway.client();
    const { code, message, data } = errorOf(await call(client, "b__echo", { text: "x" }));
    assert.equal(code, -32000);
    assert.match(message, /^backend "b" needs a login; open http:\S+\/oauth\?backend=b, or run mcpctl auth login b$/);
    assert.equal(recordOf(data)["login"], `${originOf(gateway)}/oauth?backend=b`);
    assert.deepEqual((await listTools(client)).missing, ["b"]);
    const page = await signIn(new Browser(), originOf(gateway), "b");
    assert.equal(page.url.href, `${originOf(gateway)}/oauth?backend=b&done=login`, page.html);
    assert.match(page.html, /You are signed in to b\./);
    assert.ok((await listTools(await gateway.client())).names.includes("b__echo"));
    await call(client, "b__echo", { text: "x" });
    const [asked] = provider.authorizations;
    assert.equal(asked?.["resource"], resource.url);
    assert.equal(asked?.["code_challenge_method"], "S256");
    assert.equal(asked?.["scope"], "mcp offline_access");
    assert.deepEqual(provider.granted, ["authorization_code"]);
    assert.ok(resource.passed.some(({ body }) => body.includes('"tools/call"')));
  });
}

test("oauth: clients that open pages are asked to, in the way of their era", limits, async () => {
  await using world = await startOAuthWorld();
  await using gateway = await Gateway.start({ backends: { b: { url: world.resource.url, auth: "oauth" } } });
  const legacy = await gateway.client();
  await legacy.initialize("2025-11-25", { elicitation: { url: {} } });
  const { code, data } = errorOf(await call(legacy, "b__echo", {}));
  assert.equal(code, -32042);
  const { elicitations } = recordOf(data);
  const [elicitation]: readonly unknown[] = Array.isArray(elicitations) ? elicitations : [];
  const { mode, url, elicitationId } = recordOf(elicitation);
  assert.deepEqual([mode, url, typeof elicitationId], ["url", `${originOf(gateway)}/oauth?backend=b`, "string"]);
  const opened: string[] = [];
  const browser = new Browser();
  await using modern = await connectModern(
    { url: gateway.url() },
    {
      era: "modern",
      capabilities: { elicitation: { url: {} } },
      openUrl: async (address) => {
        opened.push(address);
        await signIn(browser, originOf(gateway), "b");
      },
    },
  );
  const result = await modern.call("b__echo", { text: "hello" });
  assert.deepEqual(opened, [`${originOf(gateway)}/oauth?backend=b`]);
  assert.match(JSON.stringify(result), /hello/);
});

test("oauth: a hundred calls at once renew a token with one request", limits, async () => {
  // Used for half of its life.
  await using world = await startOAuthWorld({ lifeSeconds: 4 });
  const { provider, resource } = world;
  await using gateway = await Gateway.start({ backends: { b: { url: resource.url, auth: "oauth" } } });
  await signIn(new Browser(), originOf(gateway), "b");
  const client = await gateway.client();
  await call(client, "b__echo", { text: "x" });
  const signedInAt = Date.now();
  await until(() => Date.now() - signedInAt > 2_100, "half of the token's life");
  const before = provider.granted.length;
  const asked = provider.asked.get("/token") ?? 0;
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, index) => call(client, "b__echo", { text: `n${index}` }, index + 10)),
  );
  assert.deepEqual(
    replies.filter((reply) => reply["error"] !== undefined),
    [],
  );
  assert.deepEqual(provider.granted.slice(before), ["refresh_token"]);
  assert.equal((provider.asked.get("/token") ?? 0) - asked, 1);
});

test("oauth: two gateways that keep logins in one place renew a token with one request", limits, async () => {
  await using world = await startOAuthWorld({ lifeSeconds: 4 });
  const { provider, resource } = world;
  const config = { backends: { b: { url: resource.url, auth: "oauth" } }, sealKeys: ["a key of both gateways"] };
  await using one = await Gateway.start(config);
  await using other = await Gateway.startBeside(one, config);
  await signIn(new Browser(), originOf(one), "b");
  const signedInAt = Date.now();
  const clients = [await one.client(), await other.client()];
  // The other one finds the login where it is.
  for (const client of clients) assert.match(await callText(client, "b__echo", { text: "found" }), /found/);
  await until(() => Date.now() - signedInAt > 2_100, "half of the token's life");
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, index) => call(clients[index % 2] ?? assert.fail(), "b__echo", {}, index + 10)),
  );
  assert.deepEqual(
    replies.filter((reply) => reply["error"] !== undefined),
    [],
  );
  assert.deepEqual(provider.granted, ["authorization_code", "refresh_token"]);
});

test("oauth: a right that is missing is asked for, with those that there were", limits, async () => {
  await using world = await startOAuthWorld({ adminTool: "counts" });
  const { provider, resource } = world;
  await using gateway = await Gateway.start({ backends: { b: { url: resource.url, auth: "oauth" } } });
  const browser = new Browser();
  await signIn(browser, originOf(gateway), "b");
  const client = await gateway.client();
  const { message } = errorOf(await call(client, "b__counts"));
  assert.match(message, /needs a new login: the one that there is has no right to this \(mcp:admin\); open http/);
  // What the login is good for goes on.
  assert.match(await callText(client, "b__echo", { text: "still here" }), /still here/);
  const page = await browser.open(`${originOf(gateway)}/oauth`);
  assert.match(page.html, /Rights that calls wanted<\/dt><dd>mcp:admin/);
  await signIn(browser, originOf(gateway), "b");
  assert.deepEqual(provider.authorizations.at(-1)?.["scope"], "mcp offline_access mcp:admin");
  await until(async () => (await call(client, "b__counts"))["error"] === undefined, "the new login is used");
});

test("oauth: a login that was revoked here, or at its provider, is over", limits, async () => {
  await using world = await startOAuthWorld();
  const { provider, resource } = world;
  await using gateway = await Gateway.start({ backends: { b: { url: resource.url, auth: "oauth" } } });
  const browser = new Browser();
  const page = await signIn(browser, originOf(gateway), "b");
  const renewed = await browser.submit(page, "/oauth/renew", { backend: "b" });
  assert.match(renewed.html, /The login at b was renewed\./);
  assert.deepEqual(provider.granted, ["authorization_code", "refresh_token"]);
  const over = await browser.submit(renewed, "/oauth/revoke", { backend: "b" });
  assert.match(over.html, /The login at b is over\./);
  assert.equal(provider.asked.get("/token/revocation"), 1);
  const client = await gateway.client();
  await until(async () => {
    const reply = await call(client, "b__echo", { text: "x" });
    return reply["error"] !== undefined && errorOf(reply).message.includes("needs a login");
  }, "the login is not used any more");
});

test("oauth: logins are sealed, and for their owner's eyes alone", limits, async () => {
  await using world = await startOAuthWorld();
  await using gateway = await Gateway.start({ backends: { b: { url: world.resource.url, auth: "oauth" } } });
  await signIn(new Browser(), originOf(gateway), "b");
  const folder = join(gateway.state, "mcpctl", "oauth");
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const files = readdirSync(folder);
  assert.ok(files.some((name) => name.startsWith("login-")));
  const token = world.resource.passed[0]?.headers.authorization?.slice("Bearer ".length) ?? "";
  assert.equal(world.resource.passed.length > 0, true);
  for (const name of files) {
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
    const text = readFileSync(join(folder, name), "utf8");
    assert.ok(!text.includes(world.provider.issuer) && !/eyJ/.test(text), name);
  }
  assert.ok(!gateway.proc.stderr.includes(token.slice(0, 20)) || token === "");
  assert.ok(!/eyJ|code_verifier|Bearer/.test(gateway.proc.stderr));
});
