// What a config may say of the credentials for a backend, and what it may not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { planOf, problemsOf } from "./kit.ts";

const file = "mcpctl.json";

const url = "https://h.example/mcp";
const issuer = "https://id.example";
const secret = { clientId: "gateway", clientSecret: "s3cret" };
const signedIn = { issuers: [{ issuer }] };

const refused: readonly (readonly [name: string, config: object, said: RegExp])[] = [
  ["a secret without an issuer", { auth: { grant: "authorization_code", ...secret } }, /needs "issuer"/],
  ["credentials without an issuer", { auth: { grant: "client_credentials", ...secret } }, /needs "issuer"/],
  [
    "credentials without a name",
    { auth: { grant: "client_credentials", issuer } },
    /needs "clientId" and "clientSecret"/,
  ],
  [
    "a secret without a name",
    { auth: { grant: "authorization_code", issuer, clientSecret: "x" } },
    /without "clientId"/,
  ],
  ["a login with a token endpoint", { auth: { grant: "authorization_code", tokenUrl: `${issuer}/t` } }, /"tokenUrl"/],
  ["an audience without a trade", { auth: { grant: "authorization_code", audience: "x" } }, /has "audience"/],
  ["a shared machine", { auth: { grant: "client_credentials", issuer, ...secret, shared: true } }, /has "shared"/],
  ["a file and a grant", { auth: { tokenFile: "t", grant: "authorization_code" } }, /a file and an issuer/],
  ["nothing", { auth: {} }, /needs "grant", "tokenFile"/],
  ["oauth and a header", { auth: "oauth", headers: { Authorization: "Bearer x" } }, /stands beside an Authorization/],
  ["the word misspelt", { auth: "oath" }, /expected "oauth" or a map/],
  [
    "a document without TLS",
    { auth: { grant: "authorization_code", clientMetadataUrl: "http://a.example/x" } },
    /https/,
  ],
  ["the token of clients", { forwardHeaders: ["Authorization"] }, /names authorization, which clients show/],
  ["the cookie of clients", { forwardHeaders: ["cookie"] }, /names cookie, which clients show/],
  ["a header of the protocol", { forwardHeaders: ["Mcp-Session-Id"] }, /not one of the connection or of the protocol/],
  ["a header of the connection", { forwardHeaders: ["Transfer-Encoding"] }, /not one of the connection/],
  ["a header with a line in it", { forwardHeaders: ["x\r\ny"] }, /expected the name of a header/],
  ["a header twice", { forwardHeaders: ["x-a"], headers: { "X-A": "1" } }, /names x-a, which "headers" sets/],
  [
    "a trade without clients' tokens",
    { auth: { grant: "token_exchange", issuer, ...secret } },
    /trades in tokens of clients/,
  ],
];

for (const [name, backend, said] of refused)
  test(`outbound: ${name} is a mistake`, async () => {
    const problems = await problemsOf(file, JSON.stringify({ backends: { b: { url, ...backend } } }));
    assert.match(problems.map(({ message }) => message).join("\n"), said);
  });

test("outbound: a trade is for each principal", async () => {
  const trade = { grant: "token_exchange", issuer, ...secret };
  const config = (isolation: string): object => ({ auth: signedIn, backends: { b: { url, isolation, auth: trade } } });
  await planOf(file, JSON.stringify(config("principal")));
  const [problem] = await problemsOf(file, JSON.stringify(config("shared")));
  assert.match(problem?.message ?? "", /is for each principal/);
});

test("outbound: a login needs one word, and knows the keys of the config", async () => {
  const config = {
    sealKeys: ["a key of sixteen or more"],
    backends: { b: { url, auth: "oauth", forwardHeaders: ["X-A"] } },
  };
  const [backend] = (await planOf(file, JSON.stringify(config))).backends;
  const [replica] = backend?.replicas ?? [];
  assert.deepEqual(replica, {
    kind: "http",
    url,
    headers: {},
    auth: {
      kind: "oauth",
      grant: "authorization_code",
      scopes: [],
      shared: false,
      sealKeys: ["a key of sixteen or more"],
    },
    forward: ["x-a"],
  });
});
