// Pages of other sites, and names that lead here all of a sudden: refused at every path and in either era, before anything runs.
import assert from "node:assert/strict";
import { request as ask } from "node:http";
import { test } from "node:test";
import { Gateway } from "../e2e/kit.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { RawClient } from "../kit/raw-client.ts";
import { servePeer } from "../route/peer.ts";

type Headers = Readonly<Record<string, string>>;

interface Heard {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** As a browser asks, which lets a page choose neither Host nor Origin. */
function browse(base: string, path: string, method: string, headers: Headers, body: string = ""): Promise<Heard> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const asking = ask({ host: hostname, port, path, method, headers, agent: false }, (response) => {
      const chunks: Uint8Array[] = [];
      const end = (): void => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        asking.destroy();
      };
      response.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk);
        // Streams do not end.
        if (/event-stream|ndjson/.test(String(response.headers["content-type"]))) end();
      });
      response.on("end", end);
    });
    asking.on("error", reject);
    asking.end(body);
  });
}

const foreignHosts = [
  "evil.example",
  "evil.example:80",
  "127.0.0.1.evil.example",
  "localhost.evil.example",
  "[::2]",
  "1",
];
const foreignOrigins = [
  "https://evil.example",
  "null",
  "http://127.0.0.1.evil.example",
  "http://localhost@evil.example",
  "file://",
];
const paths = [
  "/mcp",
  "/mcp/peer",
  "/mcp/view",
  "/mcp/nothing",
  "/",
  "/page/live",
  "/metrics",
  "/health",
  "/livez",
  "/readyz",
  "/why",
  "/why/1",
  "/admin/tail",
  "/admin/drain?exit",
  "/oauth",
  "/oauth/start",
  "/oauth/callback?state=x&code=y",
  "/oauth/client.json",
  "/sse",
  "/sse/peer",
  "/messages?sessionId=x",
  "/.well-known/oauth-protected-resource",
  "/%6dcp",
  "//mcp",
];

const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const modern = modernRequest("tools/call", { name: "peer__t", arguments: {} });
const legacy = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "peer__t", arguments: {} } };
const texts = (headers: object): Headers =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
  );

test(
  "rebinding: no path answers a foreign name or page, and nothing reaches a backend",
  { timeout: 60_000 },
  async () => {
    await using peer = await servePeer(
      { tools: {} },
      {
        "tools/list": (exchange) => exchange.reply({ tools: [{ name: "t", inputSchema: { type: "object" } }] }),
        "tools/call": (exchange) => exchange.reply({ content: [] }),
      },
    );
    await using gateway = await Gateway.start({
      backends: { peer: { url: peer.url }, wiki: { url: "https://127.0.0.1:1/mcp", auth: "oauth" } },
      views: { view: { backends: ["peer"] } },
      front: { sse: true },
      metrics: { listen: "127.0.0.1:0" },
    });
    await gateway.up("peer");
    const [, metricsUrl = ""] = await gateway.proc.line(/metrics at (http:\S+)/, "stderr");
    const own = new RawClient(gateway.url());
    await own.initialize();
    const session = { "mcp-session-id": own.sessionId ?? "", "mcp-protocol-version": "2025-11-25" };
    const { host } = new URL(gateway.url());
    const strangers: Headers[] = [
      ...foreignHosts.map((name) => ({ host: name })),
      ...foreignOrigins.map((origin) => ({ host, origin })),
      // After the name has been bound anew both look alike.
      { host: "evil.example", origin: "http://evil.example", "sec-fetch-site": "same-origin" },
    ];
    for (const stranger of strangers) {
      const knock = async (path: string, method: string): Promise<void> => {
        const body = method === "POST" ? "{}" : "";
        const { status, headers, text } = await browse(gateway.url(), path, method, { ...stranger, ...json }, body);
        const what = `${method} ${path} ${JSON.stringify(stranger)}`;
        assert.equal(status, 403, `${what}: ${text}`);
        assert.equal(headers["access-control-allow-origin"], undefined, what);
        assert.doesNotMatch(text, /peer|wiki|E7001/, what);
      };
      for (const method of ["GET", "POST"]) await Promise.all(paths.map((path) => knock(path, method)));
      for (const [headers, body] of [
        [{ ...json, ...session }, legacy],
        [{ ...json, ...texts(modern.headers) }, modern.body],
      ] as const)
        assert.equal(
          (await browse(gateway.url(), "/mcp", "POST", { ...headers, ...stranger }, JSON.stringify(body))).status,
          403,
        );
      const preflight = { ...stranger, "access-control-request-method": "POST" };
      assert.equal((await browse(gateway.url(), "/mcp", "OPTIONS", preflight)).status, 403);
      assert.equal((await browse(metricsUrl, "/metrics", "GET", stranger)).status, 403);
      const ended = await browse(gateway.url(), "/mcp", "DELETE", { ...session, ...stranger });
      assert.equal(ended.status, 403);
    }
    assert.equal(peer.count("tools/call"), 0);
    // All of it is there for those of this machine, and the gateway still runs.
    for (const [headers, body] of [
      [{ ...json, ...session }, legacy],
      [{ ...json, ...texts(modern.headers) }, modern.body],
    ] as const) {
      const answer = await browse(
        gateway.url(),
        "/mcp",
        "POST",
        { ...headers, host: "localhost" },
        JSON.stringify(body),
      );
      assert.deepEqual([answer.status, /"result"/.test(answer.text)], [200, true], answer.text);
    }
    assert.equal(peer.count("tools/call"), 2);
    assert.equal((await browse(metricsUrl, "/metrics", "GET", { host })).status, 200);
  },
);

test("rebinding: a page of a name that the config allows is answered, and under no other name", async () => {
  await using gateway = await Gateway.start({
    backends: {},
    allowedHosts: ["gateway.example"],
    allowedOrigins: ["https://app.example"],
  });
  for (const [headers, status] of [
    [{ host: "gateway.example" }, 200],
    [{ host: "GATEWAY.example:8443", origin: "https://app.example" }, 200],
    [{ host: "gateway.example", origin: "https://gateway.example" }, 403],
    [{ host: "sub.gateway.example" }, 403],
    [{ host: "gateway.example", origin: "https://app.example:8443" }, 403],
    [{ host: "gateway.example", origin: "http://app.example" }, 403],
  ] as const)
    assert.equal((await browse(gateway.url(), "/health", "GET", headers)).status, status, JSON.stringify(headers));
});
