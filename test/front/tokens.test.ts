// Access tokens: whose they must be, for whom, until when, how they are signed; and what becomes of a silent issuer.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mock, test } from "node:test";
import { TestAuthority } from "../kit/authority.ts";
import {
  audience,
  base,
  challengeOf,
  clientWith,
  get,
  issuerPlan,
  keyOf,
  knock,
  refusedWith,
  startLocked,
  startProtected,
} from "./auth-kit.ts";

const ping = { jsonrpc: "2.0", id: 1, method: "ping" };

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

test("tokens: one of the issuer for the gateway is let in, and asked about once", async () => {
  await using all = await startProtected();
  const { authority, bench } = all;
  const token = await authority.token(audience);
  const answers = await Promise.all(Array.from({ length: 50 }, () => knock(bench, token)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.deepEqual([authority.count("/jwks"), authority.count("/.well-known/oauth-authorization-server")], [1, 1]);
});

test("tokens: the challenge leads to the metadata of each endpoint, and that to the issuer", async () => {
  await using all = await startProtected({}, ["mcp:use"]);
  const { authority, bench } = all;
  for (const path of ["/mcp", "/mcp/peer", "/mcp/none", "/sse"]) {
    const answer = await knock(bench, undefined, path);
    const { resource_metadata: url = "", scope, error } = challengeOf(answer);
    assert.deepEqual([answer.status, scope, error], [401, "mcp:use", undefined]);
    const { json, status } = await get(bench, new URL(url).pathname);
    assert.equal(status, 200);
    assert.equal(json["resource"], base + path);
    assert.deepEqual(json["authorization_servers"], [authority.issuer]);
    assert.deepEqual(json["scopes_supported"], ["mcp:use"]);
  }
  assert.equal((await get(bench, "/.well-known/oauth-protected-resource")).json["resource"], base);
  assert.equal((await get(bench, "/.well-known/oauth-protected-resource/other")).status, 401);
});

test("tokens: one is good for what it was made for: the gateway, the endpoint or one view", async () => {
  await using all = await startProtected({ audiences: ["api://named"] });
  const { authority, bench } = all;
  const cases: readonly (readonly [aud: unknown, path: string, status: number])[] = [
    [base, "/mcp/peer", 200],
    [`${base}/`, "/mcp", 200],
    ["HTTP://127.0.0.1:7337/mcp", "/mcp", 200],
    [audience, "/mcp/peer", 200],
    [`${base}/mcp/peer`, "/mcp/peer", 200],
    [`${base}/mcp/peer`, "/mcp", 401],
    [`${base}/mcp/peer`, "/mcp/other", 401],
    ["http://localhost:7337/mcp", "/mcp", 200],
    [["https://other.example", audience], "/mcp", 200],
    ["api://named", "/mcp", 200],
    ["https://other.example/mcp", "/mcp", 401],
    ["http://127.0.0.1:7338/mcp", "/mcp", 401],
    [`${base}/mc`, "/mcp", 401],
    [`${base}/mcp?x`, "/mcp", 401],
    ["", "/mcp", 401],
    [[], "/mcp", 401],
    [undefined, "/mcp", 401],
    [{ [audience]: 1 }, "/mcp", 401],
  ];
  for (const [aud, path, status] of cases) {
    const token = await authority.token("", { claims: { aud } });
    assert.equal(
      (await knock(bench, token, path)).status,
      status === 200 && path.endsWith("/other") ? 404 : status,
      `${JSON.stringify(aud)} ${path}`,
    );
  }
});

test("tokens: a Host header does not make a token for somebody else one for the gateway", async () => {
  await using all = await startProtected();
  const token = await all.authority.token("http://localhost:9999/mcp");
  const client = clientWith(all.bench, token);
  const { status } = await client.send("POST", ping, {}, undefined, "http://localhost:9999");
  assert.equal(status, 401);
});

test("tokens: wrong issuers, times and types are refused", async () => {
  await using all = await startProtected();
  const { authority, bench } = all;
  await using other = await TestAuthority.start();
  const now = Math.floor(Date.now() / 1000);
  const wrong: Readonly<Record<string, object>> = {
    expired: { exp: now - 60 },
    "without an end": { exp: undefined },
    "an end that is no number": { exp: "9999999999" },
    "not yet": { nbf: now + 60 },
    "another issuer": { iss: "https://issuer.example" },
    "the issuer with a slash": { iss: `${authority.issuer}/` },
    "the other issuer": { iss: other.issuer },
    nobody: { sub: undefined },
    "bound to a key": { cnf: { jkt: "x" } },
    "bound to a certificate": { cnf: { "x5t#S256": "x" } },
  };
  for (const [about, claims] of Object.entries(wrong))
    await refusedWith(bench, await authority.token(audience, { claims: { ...claims } }), about);
  for (const typ of ["dpop+jwt", "logout+jwt", "id+jwt"])
    await refusedWith(bench, await authority.token(audience, { header: { typ } }), typ);
  // Signed by an issuer that is not configured, in the name of the one that is.
  await refusedWith(
    bench,
    await other.token(audience, { claims: { iss: authority.issuer } }),
    "a stranger's signature",
  );
  assert.equal((await knock(bench, await authority.token(audience, { claims: { exp: now - 20 } }))).status, 200);
});

test("tokens: no trick with the algorithm or the key makes a signature", async () => {
  await using all = await startProtected();
  const { authority, bench } = all;
  await using thief = await TestAuthority.start();
  const good = await authority.token(audience);
  const [head = "", body = "", signature = ""] = good.split(".");
  const known = JSON.parse(Buffer.from(head, "base64url").toString()) as object;
  const hmac = (secret: string, alg = "HS256"): string => {
    const signed = `${part({ ...known, alg })}.${body}`;
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
  };
  const stolen = { claims: { iss: authority.issuer, sub: "root" } };
  const forged: Readonly<Record<string, string>> = {
    none: `${part({ ...known, alg: "none" })}.${body}.`,
    "None with a signature": `${part({ ...known, alg: "None" })}.${body}.${signature}`,
    "the public key as a secret": hmac(JSON.stringify(authority.publicKey)),
    "another algorithm": `${part({ ...known, alg: "RS256" })}.${body}.${signature}`,
    "no algorithm": `${part({ typ: "at+jwt" })}.${body}.${signature}`,
    "another body": `${head}.${part({ iss: authority.issuer, sub: "root", aud: audience, exp: 9_999_999_999 })}.${signature}`,
    "no signature": `${head}.${body}.`,
    "a signature of zeros": `${head}.${body}.${"A".repeat(86)}`,
    "a key in the header": await thief.token(audience, { ...stolen, header: { jwk: thief.publicKey } }),
    "an address of keys in the header": await thief.token(audience, {
      ...stolen,
      header: { jku: `${thief.issuer}/jwks`, x5u: `${thief.issuer}/jwks` },
    }),
    "a path as the key's name": await thief.token(audience, { ...stolen, header: { kid: "../../../dev/null" } }),
    "an unknown critical extension": `${part({ ...known, crit: ["exp"], exp: 1 })}.${body}.${signature}`,
  };
  for (const [about, token] of Object.entries(forged)) await refusedWith(bench, token, about);
  assert.equal(thief.count("/jwks"), 0);
  assert.equal((await knock(bench, good)).status, 200);
});

test("tokens: the algorithms of the config are the only ones", async () => {
  await using all = await startProtected({ algorithms: ["RS256"] });
  await refusedWith(all.bench, await all.authority.token(audience), "ES256");
});

test("tokens: unknown keys make the gateway ask for them once, however many come", async () => {
  await using all = await startProtected();
  const { authority, bench } = all;
  assert.equal((await knock(bench, await authority.token(audience))).status, 200);
  const flood = await Promise.all(
    Array.from({ length: 100 }, async (_, at) => await authority.token(audience, { header: { kid: `flood-${at}` } })),
  );
  for (const { status } of await Promise.all(flood.map((token) => knock(bench, token)))) assert.equal(status, 401);
  assert.ok(authority.count("/jwks") <= 2, String(authority.count("/jwks")));
});

test("tokens: a new key of the issuer is found, and a token that was let in is let in on", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await using all = await startProtected();
    const { authority, bench } = all;
    const before = await authority.token(audience);
    assert.equal((await knock(bench, before)).status, 200);
    await authority.rotate();
    mock.timers.setTime(Date.now() + 6_000);
    assert.equal((await knock(bench, await authority.token(audience))).status, 200);
    assert.equal((await knock(bench, before)).status, 200);
    assert.equal(authority.count("/jwks"), 2);
  } finally {
    mock.timers.reset();
  }
});

test("tokens: a token ends also for a connection and a session that have used it", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await using all = await startProtected();
    const client = clientWith(all.bench, await all.authority.token(audience));
    await client.initialize();
    assert.equal((await client.post(ping)).status, 200);
    mock.timers.setTime(Date.now() + 331_000);
    assert.equal((await client.post(ping)).status, 401);
    client.token = await all.authority.token(audience);
    assert.equal((await client.post(ping)).status, 200);
    client.token = await all.authority.token(audience, { claims: { sub: "eve" } });
    assert.equal((await client.post(ping)).status, 404);
  } finally {
    mock.timers.reset();
  }
});

test("tokens: an issuer that cannot be asked is no reason to say that a token is bad", async () => {
  await using all = await startProtected();
  const { authority, bench } = all;
  authority.failing = 500;
  const token = await authority.token(audience);
  const answer = await knock(bench, token);
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get("retry-after"), "1");
  const asked = [...authority.asked.values()].reduce((sum, count) => sum + count, 0);
  await Promise.all(Array.from({ length: 20 }, () => knock(bench, token)));
  assert.equal(
    [...authority.asked.values()].reduce((sum, count) => sum + count, 0),
    asked,
  );
});

test("tokens: metadata of another issuer, or with an address that is not safe, is not believed", async () => {
  for (const metadata of [
    { issuer: "https://issuer.example" },
    { jwks_uri: "http://issuer.example/jwks" },
    { jwks_uri: "file:///etc/passwd" },
    { jwks_uri: "" },
  ]) {
    await using all = await startProtected();
    all.authority.metadata = metadata;
    assert.equal((await knock(all.bench, await all.authority.token(audience))).status, 503, JSON.stringify(metadata));
  }
});

test("tokens: a missing scope is named, for a client to ask for it", async () => {
  await using all = await startProtected({}, ["mcp:use", "mcp:more"]);
  const { authority, bench } = all;
  const answer = await knock(bench, await authority.token(audience, { claims: { scope: "mcp:use x" } }));
  const { error, scope, resource_metadata: metadata } = challengeOf(answer);
  assert.deepEqual(
    [answer.status, error, scope, metadata],
    [403, "insufficient_scope", "mcp:use mcp:more", `${base}/.well-known/oauth-protected-resource/mcp`],
  );
  for (const claims of [{ scope: "mcp:more mcp:use" }, { scp: ["mcp:use", "mcp:more"] }])
    assert.equal((await knock(bench, await authority.token(audience, { claims }))).status, 200);
});

test("tokens: names of keys, tokens and certificates are never those of each other", async () => {
  const ada = keyOf("ada");
  await using authority = await TestAuthority.start();
  await using bench = await startLocked({ keys: [ada], issuers: [issuerPlan(authority)] });
  const client = clientWith(bench, ada.key);
  await client.initialize();
  for (const sub of ["ada", "key:ada", "anonymous"]) {
    client.token = await authority.token(audience, { claims: { sub } });
    assert.equal((await client.post(ping)).status, 404, sub);
  }
});
