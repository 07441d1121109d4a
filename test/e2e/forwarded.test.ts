// Headers of clients that the config hands on: those that it names, to the backend that it names, and no others.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import { listenOn } from "../kit/oauth-provider.ts";
import { startHttpServer } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";
import { Gateway } from "./kit.ts";

const limits = { timeout: 120_000 };

/** Writes down the headers of calls, and lets a server of the kit answer. */
async function startRecorder(
  upstream: string,
): Promise<AsyncDisposable & { url: string; calls: IncomingHttpHeaders[] }> {
  const calls: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await Array.fromAsync(request));
      if (body.includes('"tools/call"')) calls.push(request.headers);
      const kept = ["content-type", "accept", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name"];
      const headers = kept.flatMap((name): [string, string][] => {
        const value = request.headers[name];
        return typeof value === "string" ? [[name, value]] : [];
      });
      if (request.method !== "POST") return void response.writeHead(405).end();
      const reply = await fetch(upstream, { method: "POST", headers, body: new Uint8Array(body) });
      const shown = ["content-type", "mcp-session-id"].flatMap((name) => {
        const value = reply.headers.get(name);
        return value === null ? [] : [[name, value] as const];
      });
      response.writeHead(reply.status, Object.fromEntries(shown)).end(Buffer.from(await reply.arrayBuffer()));
    })().catch(() => response.destroy());
  });
  const origin = await listenOn(server);
  return {
    url: `${origin}/mcp`,
    calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

for (const [era, script] of [
  ["legacy", "test/kit/fixture-server.ts"],
  ["modern", "test/kit/modern-server.ts"],
] as const)
  test(`forwarded: headers that the config names go with each call, ${era}`, limits, async () => {
    await using server = await startHttpServer(script);
    await using recorder = await startRecorder(server.url);
    await using gateway = await Gateway.start({
      backends: { b: { url: recorder.url, forwardHeaders: ["X-Tenant", "traceparent"], headers: { "x-fixed": "f" } } },
    });
    const client = new RawClient(gateway.url());
    await client.initialize();
    const shown = { authorization: "Bearer of-the-client", cookie: "a=b", "x-other": "no" };
    for (const tenant of ["acme", "umbrella"]) {
      const response = await client.send(
        "POST",
        { jsonrpc: "2.0", id: tenant, method: "tools/call", params: { name: "b__echo", arguments: {} } },
        { ...shown, "x-tenant": tenant },
      );
      assert.match(await response.text(), new RegExp(`"id":"${tenant}"`));
    }
    assert.deepEqual(
      recorder.calls.map((headers) => [headers["x-tenant"], headers["x-fixed"]]),
      [
        ["acme", "f"],
        ["umbrella", "f"],
      ],
    );
    for (const headers of recorder.calls) {
      assert.equal(headers.authorization, undefined);
      assert.equal(headers.cookie, undefined);
      assert.equal(headers["x-other"], undefined);
    }
  });
