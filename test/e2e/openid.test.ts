// The gateway behind a real OpenID provider: clients of both SDKs and eras find it by themselves and sign in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client as ModernClient, ClientCredentialsProvider as ModernCredentials } from "@modelcontextprotocol/client";
import { StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { ClientCredentialsProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { machine, machineToken, startOpenIdProvider } from "../kit/openid.ts";
import { fixtureStdio, Gateway } from "./kit.ts";

const limits = { timeout: 120_000 };
const info = { name: "test", version: "1" };
const introspection = { clientId: machine.client_id, clientSecret: machine.client_secret };

function start(issuer: string, more: object = {}): Promise<Gateway> {
  return Gateway.start({
    auth: { issuers: [{ issuer, introspection }], scopes: ["mcp"], ...more },
    backends: { fixture: fixtureStdio() },
  });
}

/** Status of a POST with a token. */
async function post(url: string, token: string): Promise<number> {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: info };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, authorization: `Bearer ${token}` },
    body,
  });
  await response.text();
  return response.status;
}

test("openid: an SDK 1.x client finds the provider, signs in and calls", limits, async () => {
  await using provider = await startOpenIdProvider();
  await using gateway = await start(provider.issuer);
  await gateway.up("fixture");
  for (const url of [gateway.url(), gateway.url("fixture")]) {
    const authProvider = new ClientCredentialsProvider({
      clientId: machine.client_id,
      clientSecret: machine.client_secret,
      expectedIssuer: provider.issuer,
      scope: "mcp",
    });
    const client = new Client(info);
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }));
    assert.ok((await client.listTools()).tools.length > 0);
    await client.close();
  }
});

test("openid: an SDK 2.x client of the modern era finds the provider, signs in and calls", limits, async () => {
  await using provider = await startOpenIdProvider();
  await using gateway = await start(provider.issuer);
  await gateway.up("fixture");
  const authProvider = new ModernCredentials({
    clientId: machine.client_id,
    clientSecret: machine.client_secret,
    expectedIssuer: provider.issuer,
  });
  const client = new ModernClient(info, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
  await client.connect(new ModernTransport(new URL(gateway.url()), { authProvider }));
  assert.ok((await client.listTools()).tools.length > 0);
  await client.close();
});

test("openid: signed and opaque tokens are good for their audience alone", limits, async () => {
  await using provider = await startOpenIdProvider();
  await using gateway = await start(provider.issuer);
  const { issuer } = provider;
  const status = async (resource: string, scope = "mcp"): Promise<number> =>
    await post(gateway.url(), await machineToken(issuer, resource, scope));
  assert.equal(await status(gateway.url()), 200);
  assert.equal(await status(`${gateway.url()}/opaque`), 200);
  assert.equal(await status("https://other.example/mcp"), 401);
  assert.equal(await status("https://other.example/mcp/opaque"), 401);
  assert.equal(await status(gateway.url(), "mcp:admin"), 403);
  assert.equal(await status(`${gateway.url()}/opaque`, "mcp:admin"), 403);
  assert.ok(!gateway.proc.stderr.includes(machine.client_secret));
});
