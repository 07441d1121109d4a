// Who may speak to the front: Host, Origin, and what a browser is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback } from "../../lib/core/loopback.ts";
import { type GuardOptions, refuseForeign } from "../../lib/front/guard.ts";
import { incomingOf } from "./exchange.ts";
import { type Changes, FrontClient, startBench } from "./kit.ts";
import { record } from "./peer.ts";

const local: GuardOptions = { host: "127.0.0.1", allowedHosts: [], allowedOrigins: [] };

function isAllowed(headers: Record<string, string>, options: GuardOptions = local): boolean {
  return refuseForeign(incomingOf(new Request("http://127.0.0.1:7337/mcp", { headers })), options) === undefined;
}

test("guard: loopback hosts are served on any port, others are not", () => {
  for (const host of [
    "127.0.0.1",
    "127.0.0.1:7337",
    "localhost",
    "localhost:1",
    "LOCALHOST:80",
    "[::1]",
    "[::1]:7337",
    "127.1.2.3:4",
  ]) {
    assert.equal(isAllowed({ host }), true, host);
  }
  for (const host of [
    "evil.example",
    "evil.example:7337",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost@evil.example",
    "[::2]:7337",
    "",
    "10.0.0.1",
  ]) {
    assert.equal(isAllowed({ host }), false, host);
  }
});

test("guard: hosts that are listed are served, in any case and with or without brackets", () => {
  const options = { ...local, allowedHosts: ["Gateway.example", "fe80::1"] };
  for (const host of ["gateway.example", "GATEWAY.example:443", "[fe80::1]:80", "localhost"])
    assert.equal(isAllowed({ host }, options), true, host);
  for (const host of ["other.example", "gateway.example.evil.example", "[fe80::2]"])
    assert.equal(isAllowed({ host }, options), false, host);
  assert.equal(isAllowed({ host: "any.example" }, { ...local, allowedHosts: ["*"] }), true);
});

test("guard: a front on every address is reached under any name, unless names are listed", () => {
  const open = { ...local, host: "0.0.0.0" };
  assert.equal(isAllowed({ host: "gateway.example" }, open), true);
  assert.equal(isAllowed({ host: "gateway.example" }, { ...open, allowedHosts: ["other.example"] }), false);
  assert.equal(
    isAllowed({ host: "[2001:db8::1]:80" }, { ...open, host: "2001:db8::1", allowedHosts: ["other.example"] }),
    true,
  );
  assert.equal(
    isAllowed({ host: "gateway.example", origin: "https://gateway.example" }, open),
    false,
    "an origin must still be listed",
  );
});

test("guard: origins of this machine and listed ones are served, others are not", () => {
  const host = "localhost:7337";
  for (const origin of ["http://localhost", "http://localhost:5173", "https://127.0.0.1:8443", "http://[::1]:3000"]) {
    assert.equal(isAllowed({ host, origin }), true, origin);
  }
  const evil = [
    "https://evil.example",
    "null",
    "",
    "file://",
    "http://localhost.evil.example",
    "http://evil.example#localhost",
    "http://localhost@evil.example",
    "ftp://localhost",
    "nonsense",
  ];
  for (const origin of evil) assert.equal(isAllowed({ host, origin }), false, origin);
  const options = { ...local, allowedOrigins: ["https://App.example/", "vscode-webview://x"] };
  assert.equal(isAllowed({ host, origin: "https://app.example" }, options), true);
  assert.equal(isAllowed({ host, origin: "vscode-webview://x" }, options), true);
  assert.equal(isAllowed({ host, origin: "https://app.example.evil.example" }, options), false);
  assert.equal(isAllowed({ host, origin: "null" }, { ...local, allowedOrigins: ["*"] }), true);
});

test("guard: knows loopback addresses", () => {
  for (const host of ["localhost", "127.0.0.1", "127.8.9.10", "::1", "[::1]"])
    assert.equal(isLoopback(host), true, host);
  for (const host of ["0.0.0.0", "::", "128.0.0.1", "127.0.0.1.x", "1127.0.0.1"])
    assert.equal(isLoopback(host), false, host);
});

test("front: refuses foreign hosts and origins with 403 as JSON-RPC, on every path", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const cases: readonly [Changes, string][] = [
    [{ host: "evil.example" }, "http://evil.example"],
    [{ origin: "https://evil.example" }, "http://127.0.0.1:7337"],
    [{ origin: "null" }, "http://127.0.0.1:7337"],
  ];
  for (const path of ["/mcp", "/mcp/peer", "/health", "/readyz", "/other"]) {
    client.path = path;
    for (const [changes, base] of cases) {
      for (const method of ["GET", "POST", "DELETE", "OPTIONS"]) {
        const body = method === "POST" ? "{}" : undefined;
        const response = await client.send(
          method,
          body,
          { ...changes, "access-control-request-method": "POST" },
          undefined,
          base,
        );
        assert.equal(response.status, 403, `${method} ${path} ${JSON.stringify(changes)}`);
        assert.equal(response.headers.get("access-control-allow-origin"), null);
        assert.equal(record(record(await response.json())["error"])["code"], -32600);
      }
    }
  }
});

test("cors: a page of an allowed origin can use the endpoint", async () => {
  await using bench = await startBench({ plan: { allowedOrigins: ["https://app.example"] } });
  for (const origin of ["http://localhost:5173", "https://app.example"]) {
    const client = new FrontClient(bench.gateway);
    const asked = {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type, Mcp-Session-Id, x-token, b\u00e4d, a b",
    };
    const preflight = await client.send("OPTIONS", undefined, asked);
    assert.equal(preflight.status, 204);
    assert.equal(await preflight.text(), "");
    const { headers } = preflight;
    assert.equal(headers.get("access-control-allow-origin"), origin);
    assert.equal(headers.get("access-control-allow-methods"), "GET, POST, DELETE, OPTIONS");
    assert.equal(headers.get("access-control-allow-headers"), "content-type, mcp-session-id, x-token");
    assert.equal(headers.get("vary"), "Origin");
    assert.equal(headers.get("access-control-allow-credentials"), null);
    await client.initialize();
    const ping = await client.post({ jsonrpc: "2.0", id: 1, method: "ping" }, { origin });
    const refused = await client.post("nonsense", { origin });
    const stream = await client.send("GET", undefined, { origin });
    for (const response of [ping, refused, stream]) {
      assert.equal(response.headers.get("access-control-allow-origin"), origin);
      assert.match(response.headers.get("access-control-expose-headers") ?? "", /Mcp-Session-Id/);
      assert.equal(response.headers.get("vary"), "Origin");
    }
  }
});

test("cors: a preflight without a list of headers names those that clients send", async () => {
  await using bench = await startBench();
  const client = new FrontClient(bench.gateway);
  const asked = {
    origin: "http://localhost:1",
    "access-control-request-method": "POST",
    "access-control-request-private-network": "true",
  };
  const { headers } = await client.send("OPTIONS", undefined, asked);
  for (const name of ["mcp-session-id", "mcp-protocol-version", "last-event-id", "content-type"]) {
    assert.ok(headers.get("access-control-allow-headers")?.includes(name), name);
  }
  assert.equal(headers.get("access-control-allow-private-network"), "true");
});

test("cors: a request of no page gets no CORS headers", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const { headers } = await client.post({ jsonrpc: "2.0", id: 1, method: "ping" });
  assert.deepEqual(
    [...headers.keys()].filter((name) => name.startsWith("access-control") || name === "vary"),
    [],
  );
});
