// Tokens made to deceive, floods of them, and keys that change while calls run, at the front of a gateway on a socket.
import assert from "node:assert/strict";
import { createHmac, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { mock, test } from "node:test";
import { exportSPKI, importJWK } from "jose";
import { listen } from "../../lib/listen.ts";
import {
  audience,
  clientWith,
  issuerPlan,
  knock,
  refusedWith,
  startLocked,
  startProtected,
} from "../front/auth-kit.ts";
import type { Bench } from "../front/kit.ts";
import { TestAuthority } from "../kit/authority.ts";

const limits = { timeout: 120_000 };
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

interface Served extends AsyncDisposable {
  /** The status of the answer to an initialize over a connection. */
  knock(token: string, path?: string, headers?: Readonly<Record<string, string>>): Promise<number>;
}

async function serve({ gateway }: Bench): Promise<Served> {
  const listener = await listen({ host: "127.0.0.1", port: 0, handle: (request) => gateway.handle(request) });
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  return {
    knock: async (token, path = "/mcp", headers = {}) => {
      const accept = "application/json, text/event-stream";
      const answer = await fetch(new URL(path, listener.url), {
        method: "POST",
        headers: { accept, "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
        body,
      });
      await answer.text();
      return answer.status;
    },
    [Symbol.asyncDispose]: () => listener.close(true),
  };
}

const plain = { audiences: ["gateway"] };

test("tokens: no signature is made with what everybody knows, and no key is taken from the token", limits, async () => {
  await using all = await startProtected();
  const { authority, bench } = all;
  await using thief = await TestAuthority.start();
  const good = await authority.token(audience);
  const [head = "", body = "", signature = ""] = good.split(".");
  const known = JSON.parse(Buffer.from(head, "base64url").toString()) as object;
  const spki = await exportSPKI(
    (await importJWK({ ...authority.publicKey, ext: true }, "ES256", { extractable: true })) as CryptoKey,
  );
  const hmac = (secret: string | Uint8Array, alg: string): string => {
    const signed = `${part({ ...known, alg })}.${body}`;
    return `${signed}.${createHmac(`sha${alg.slice(2)}`, secret)
      .update(signed)
      .digest("base64url")}`;
  };
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const signed = `${part({ ...known, alg: "RS256" })}.${body}`;
  const rsaKey = createPublicKey(rsa.privateKey).export({ format: "jwk" });
  const inHead = (more: object): string => {
    const text = `${part({ ...known, alg: "RS256", ...more })}.${body}`;
    return `${text}.${sign("sha256", Buffer.from(text), rsa.privateKey).toString("base64url")}`;
  };
  const stolen = { claims: { iss: authority.issuer, sub: "root" } };
  const forged: Readonly<Record<string, string>> = {
    "the PEM of the public key as a secret": hmac(spki, "HS256"),
    "the PEM without its last line end": hmac(spki.trimEnd(), "HS256"),
    "a coordinate of the public key as a secret": hmac(Buffer.from(authority.publicKey.x ?? "", "base64url"), "HS512"),
    "nothing as a secret": hmac("", "HS384"),
    "RS256 with a key of one's own": `${signed}.${sign("sha256", Buffer.from(signed), rsa.privateKey).toString("base64url")}`,
    "RS256 with the key in the head": inHead({ jwk: rsaKey }),
    "RS256 with a certificate in the head": inHead({ x5c: [Buffer.from("x").toString("base64")] }),
    "addresses of keys": inHead({ jku: `${thief.issuer}/jwks`, x5u: `${thief.issuer}/jwks` }),
    "SQL as the key's name": await thief.token(audience, { ...stolen, header: { kid: "' UNION SELECT 'key' --" } }),
    "a file as the key's name": await thief.token(audience, { ...stolen, header: { kid: "/proc/self/environ" } }),
    "__proto__ as the key's name": await thief.token(audience, { ...stolen, header: { kid: "__proto__" } }),
    "an object as the key's name": `${part({ ...known, kid: { $ne: 1 } })}.${body}.${signature}`,
    "a list of algorithms": `${part({ ...known, alg: ["ES256"] })}.${body}.${signature}`,
    "ES384 for ES256": `${part({ ...known, alg: "ES384" })}.${body}.${signature}`,
    "an algorithm in small letters": `${part({ ...known, alg: "es256" })}.${body}.${signature}`,
    nOnE: `${part({ alg: "nOnE", typ: "at+jwt" })}.${body}.`,
    "a body that is not encoded": `${part({ ...known, b64: false, crit: ["b64"] })}.${body}.${signature}`,
    "an extension that must be known": `${part({ ...known, crit: ["http://evil.example"] })}.${body}.${signature}`,
    "claims of the issuer in the head": `${part({ ...known, iss: authority.issuer })}.${part({ sub: "root" })}.${signature}`,
    "a token that is encrypted": `${head}.${body}.${signature}.${body}.${signature}`,
    "two signatures": `${good}.${signature}`,
    "a signature in DER": `${head}.${body}.${Buffer.concat([Buffer.from([48, 68, 2, 32]), Buffer.from(signature, "base64url")]).toString("base64url")}`,
    "zeros as a signature": `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`,
    "a token of 17 KB": `${head}.${part({ iss: authority.issuer, pad: "x".repeat(17_000) })}.${signature}`,
  };
  for (const [about, token] of Object.entries(forged)) await refusedWith(bench, token, about);
  assert.deepEqual([...thief.asked.keys()], []);
  await using served = await serve(bench);
  assert.equal(await served.knock("x".repeat(70_000)), 431);
  for (const path of [`/mcp?access_token=${good}`, `/mcp?a=1&Access_Token=${good}`, `/mcp?access%5Ftoken=${good}`])
    assert.notEqual(await served.knock("none", path), 200, path);
  assert.equal((await knock(bench, good)).status, 200);
});

test("tokens: of two issuers each is believed for itself, whatever their keys are called", limits, async () => {
  await using one = await TestAuthority.start();
  await using other = await TestAuthority.start();
  await using bench = await startLocked({ issuers: [issuerPlan(one), issuerPlan(other)] });
  // Their keys have the same name.
  const claims = { sub: "ada" };
  await refusedWith(
    bench,
    await other.token(audience, { claims: { ...claims, iss: one.issuer } }),
    "signed by the other",
  );
  await refusedWith(
    bench,
    await one.token(audience, { claims: { ...claims, iss: other.issuer } }),
    "signed by the one",
  );
  await refusedWith(
    bench,
    await one.token(audience, { claims: { ...claims, iss: [one.issuer] } }),
    "a list of issuers",
  );
  const own = clientWith(bench, await one.token(audience, { claims }));
  await own.initialize();
  const namesake = clientWith(bench, await other.token(audience, { claims }));
  namesake.sessionId = own.sessionId;
  namesake.version = own.version;
  const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
  assert.deepEqual([(await own.post(ping)).status, (await namesake.post(ping)).status], [200, 404]);
  // A subject that looks like one of the other issuer.
  const posing = { sub: `token:${other.issuer}#ada` };
  namesake.token = await one.token(audience, { claims: posing });
  assert.equal((await namesake.post(ping)).status, 404);
});

test(
  "tokens: a flood of unknown keys makes one request in five seconds, and costs nobody else anything",
  limits,
  async () => {
    mock.timers.enable({ apis: ["Date"], now: Date.now() });
    try {
      await using all = await startProtected(plain);
      const { authority } = all;
      await using served = await serve(all.bench);
      const good = await authority.token("gateway");
      assert.equal(await served.knock(good), 200);
      assert.equal(authority.count("/jwks"), 1);
      for (let window = 1; window <= 2; window += 1) {
        mock.timers.setTime(Date.now() + 5_100);
        const flood = await Promise.all(
          Array.from({ length: 40 }, (_, at) =>
            authority.token("gateway", { header: { kid: `flood-${window}-${at}` } }),
          ),
        );
        const subject = { claims: { sub: `ada-${window}` } };
        const [statuses, ...others] = await Promise.all([
          Promise.all(flood.map((token) => served.knock(token))),
          served.knock(good),
          served.knock(await authority.token("gateway", subject)),
        ]);
        assert.deepEqual([[...new Set(statuses)], others], [[401], [200, 200]]);
        assert.equal(authority.count("/jwks"), 1 + window);
      }
    } finally {
      mock.timers.reset();
    }
  },
);

test("tokens: keys change while calls run, with one request and no call lost", limits, async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await using all = await startProtected(plain);
    const { authority } = all;
    await using served = await serve(all.bench);
    const tokens = (name: string): Promise<readonly string[]> =>
      Promise.all(
        Array.from({ length: 50 }, (_, at) => authority.token("gateway", { claims: { sub: `${name}-${at}` } })),
      );
    const before = await tokens("before");
    const unseen = await tokens("unseen");
    const all50 = (some: readonly string[]): Promise<readonly number[]> =>
      Promise.all(some.map((each) => served.knock(each)));
    assert.deepEqual(new Set(await all50(before)), new Set([200]));
    mock.timers.setTime(Date.now() + 6_000);
    const running = all50([...before, ...unseen]);
    await authority.rotate(false);
    const after = await tokens("after");
    const statuses = await Promise.all([running, all50(after), all50([...unseen, ...before, ...after])]);
    assert.deepEqual(new Set(statuses.flat()), new Set([200]));
    assert.equal(authority.count("/jwks"), 2);
    // What the issuer has withdrawn signs nothing new.
    const late = await authority.token("gateway", { claims: { sub: "late" } });
    mock.timers.setTime(Date.now() + 6_000);
    await authority.rotate();
    assert.equal(await served.knock(await authority.token("gateway", { claims: { sub: "new" } })), 200);
    assert.equal(await served.knock(late), 401);
  } finally {
    mock.timers.reset();
  }
});

test("tokens: claims that are no claims are nobody's, and pollute nothing", limits, async () => {
  await using all = await startProtected({ ...plain, groupsClaim: "__proto__" });
  const { authority, bench } = all;
  for (const claims of [{ sub: {} }, { sub: ["root"] }, { sub: 7 }, { sub: "" }, { sub: null, azp: { a: 1 } }])
    await refusedWith(bench, await authority.token("gateway", { claims }), JSON.stringify(claims));
  const polluted = JSON.parse(
    '{"__proto__":["root"],"constructor":{"prototype":{"polluted":1}},"sub":"ada"}',
  ) as Record<string, unknown>;
  assert.equal((await knock(bench, await authority.token("gateway", { claims: polluted }))).status, 200);
  assert.equal(Object(undefined).polluted ?? Object({}).polluted, undefined);
  // A name that would end a line of a log or a header.
  for (const sub of ["ada\r\nX-Evil: 1", "ada\u0000", "a".repeat(10_000)]) {
    const token = await authority.token("gateway", { claims: { sub } });
    const answer = await knock(bench, token);
    assert.ok(answer.status === 200 || answer.status === 401, String(answer.status));
    assert.equal(answer.headers.get("x-evil"), null);
  }
  assert.ok(bench.logged.every((line) => !/^X-Evil/m.test(line)));
});
