// Tokens that nobody signs in for: found and asked for by the gateway, or for the token of whoever calls.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { test } from "node:test";
import { TestAuthority } from "../kit/authority.ts";
import { listenOn, startPeopleProvider } from "../kit/oauth-provider.ts";
import { startProtectedResource } from "../kit/oauth-resource.ts";
import { startHttpServer } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";
import { call, callText, Gateway } from "./kit.ts";

const limits = { timeout: 90_000 };
const credentials = { clientId: "gateway", clientSecret: "a-secret-of-the-gateway" };

test("grants: the issuer of a backend is found, and more rights are asked for", limits, async () => {
  const client = { client_id: credentials.clientId, client_secret: credentials.clientSecret };
  await using provider = await startPeopleProvider({
    clients: [{ ...client, grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }],
    features: { clientCredentials: { enabled: true } },
  });
  await using server = await startHttpServer();
  await using resource = await startProtectedResource({
    upstream: server.url,
    issuer: provider.issuer,
    adminTool: "counts",
  });
  const auth = { grant: "client_credentials", issuer: provider.issuer, ...credentials };
  await using gateway = await Gateway.start({ backends: { b: { url: resource.url, auth } } });
  await gateway.up("b");
  const one = await gateway.client();
  assert.match(await callText(one, "b__echo", { text: "first" }), /first/);
  assert.equal((await call(one, "b__counts"))["error"], undefined);
  assert.deepEqual(provider.granted, ["client_credentials", "client_credentials"]);
  assert.ok(!gateway.proc.stderr.includes(credentials.clientSecret));
});

/** An issuer that trades tokens in; it says whose, in the token that it gives. */
async function startTrader(): Promise<AsyncDisposable & { readonly url: string; readonly asked: URLSearchParams[] }> {
  const asked: URLSearchParams[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const form = new URLSearchParams(Buffer.concat(await Array.fromAsync(request)).toString());
    asked.push(form);
    const [, body = ""] = (form.get("subject_token") ?? "").split(".");
    const { sub } = JSON.parse(Buffer.from(body, "base64url").toString() || "{}");
    const token = { access_token: `traded-for-${String(sub)}`, token_type: "Bearer", expires_in: 300 };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(token));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  const origin = await listenOn(server);
  return {
    url: `${origin}/token`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Says who calls, as it sees it. */
async function startMirror(): Promise<AsyncDisposable & { readonly url: string; readonly seen: string[] }> {
  const seen: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = Buffer.concat(await Array.fromAsync(request)).toString();
    const authorization = request.headers.authorization ?? "nobody";
    seen.push(authorization);
    const { id, method } = JSON.parse(text || "{}");
    if (request.method !== "POST") return void response.writeHead(405).end();
    if (id === undefined) return void response.writeHead(202).end();
    if (method === "server/discover") return void response.writeHead(400).end();
    const serverInfo = { name: "mirror", version: "1" };
    const results: Readonly<Record<string, object>> = {
      initialize: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo },
      "tools/list": { tools: [{ name: "who", inputSchema: { type: "object" } }] },
      "tools/call": { content: [{ type: "text", text: authorization }] },
    };
    const result = results[String(method)] ?? {};
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  const origin = await listenOn(server);
  return {
    url: `${origin}/mcp`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What the mirror says to a call with this token. */
async function callAs(url: string, token: string): Promise<string> {
  const client = new RawClient(url);
  const authorization = `Bearer ${token}`;
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const opened = await client.post({ jsonrpc: "2.0", id: 0, method: "initialize", params }, { authorization });
  const session = { authorization, "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };
  const reply = await client.post(
    { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "b__who", arguments: {} } },
    { ...session, "mcp-protocol-version": "2025-11-25" },
  );
  return /"text":"([^"]*)"/.exec(reply.text)?.[1] ?? reply.text;
}

test("grants: the token of each caller is traded in, and shown to nobody else", limits, async () => {
  await using authority = await TestAuthority.start();
  await using trader = await startTrader();
  await using mirror = await startMirror();
  const auth = { grant: "token_exchange", tokenUrl: trader.url, audience: "crm", ...credentials };
  await using gateway = await Gateway.start({
    auth: { issuers: [{ issuer: authority.issuer, audiences: ["gateway"] }], keys: {} },
    backends: { b: { url: mirror.url, auth } },
  });
  const texts: string[] = [];
  const shown: string[] = [];
  for (const sub of ["ada", "bob", "ada"]) {
    const token = await authority.token("gateway", { claims: { sub } });
    shown.push(token);
    texts.push(await callAs(gateway.url(), token));
  }
  assert.deepEqual(texts, ["Bearer traded-for-ada", "Bearer traded-for-bob", "Bearer traded-for-ada"]);
  assert.deepEqual(
    trader.asked.map((form) => [form.get("grant_type"), form.get("audience"), form.get("resource")]),
    Array.from({ length: 2 }, () => ["urn:ietf:params:oauth:grant-type:token-exchange", "crm", mirror.url]),
  );
  for (const token of shown) assert.ok(mirror.seen.every((authorization) => !authorization.includes(token)));
  assert.ok(!shown.some((token) => gateway.proc.stderr.includes(token)));
});
