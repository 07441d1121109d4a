// Servers over HTTP+SSE are found, and trusted with messages, as the specification says; others keep their own failure.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Eras } from "../../lib/backend/eras.ts";
import type { HttpReplicaPlan } from "../../lib/config/plan.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { until } from "./raw-server.ts";
import { answering, call, event, failureOf, openTo, plain, serveSse, sse } from "./sse-kit.ts";

const limits = { timeout: 120_000 };

const refusals = [
  plain("405 Method Not Allowed"),
  plain("404 Not Found", "<html>", "text/html"),
  plain("400 Bad Request", "no"),
  plain("400 Bad Request", '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}', "application/json"),
];

for (const refusal of refusals) {
  test(
    `sse: a server that answers initialize with "${refusal.split("\r\n", 1)[0]}" is found by a GET`,
    limits,
    async () => {
      await using server = await serveSse({ refusal, onPost: answering });
      const eras = new Eras();
      const replica: HttpReplicaPlan = { kind: "http", url: server.url, headers: { authorization: "Bearer t" } };
      await using first = await openTo(server.url, {}, { eras, replicas: [replica] });
      assert.equal(first.link.facts?.protocolVersion, "2024-11-05");
      assert.equal(await call(first.link, 7), '{"jsonrpc":"2.0","id":7,"result":{"ok":true}}');
      const handshake = ["POST /messages?id=1 initialize", "POST /messages?id=1 notifications/initialized"];
      const tool = "POST /messages?id=1 tools/call";
      const probes = ["POST /sse server/discover", "POST /sse initialize"];
      assert.deepEqual(server.log, [...probes, "GET /sse", ...handshake, tool]);
      // It is remembered: the next link asks at once.
      await using second = await openTo(server.url, {}, { eras, replicas: [replica] });
      assert.equal(second.link.facts?.protocolVersion, "2024-11-05");
      assert.deepEqual(server.log.slice(6), ["GET /sse", ...handshake]);
      assert.ok(server.heads.every((head) => head.includes("authorization: Bearer t")));
      assert.match(server.posts.at(-1)?.head ?? "", /mcp-protocol-version: 2024-11-05/);
    },
  );
}

const noStreams: readonly (readonly [what: string, get: () => string | undefined, first?: string])[] = [
  ["404", () => plain("404 Not Found")],
  ["a page", () => plain("200 OK", "<html>", "text/html")],
  ["a stream that ends", () => "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 3\r\n\r\n: \n"],
  ["a stream of messages", () => undefined, event({ jsonrpc: "2.0", method: "notifications/message" })],
  ["an endpoint elsewhere", () => undefined, "event: endpoint\ndata: http://127.0.0.1:1/messages\n\n"],
  ["a redirect elsewhere", () => "HTTP/1.1 302 F\r\nlocation: http://127.0.0.1:1/sse\r\ncontent-length: 0\r\n\r\n"],
  ["nothing on its stream", () => undefined, ": waiting\n\n"],
  ["nothing at all", () => ""],
];

for (const [what, get, first] of noStreams) {
  test(`sse: where the GET finds ${what}, the first failure is the one that is told`, limits, async () => {
    await using server = await serveSse({ get, ...(first === undefined ? {} : { first }) });
    const opened = openTo(server.url, {}, { connectMs: 900 });
    await assert.rejects(opened, (error) => {
      assert.equal(failureOf(error).message, 'backend "b" answered with HTTP 405');
      assert.equal(error instanceof GatewayError && error.code, "badProtocol");
      return true;
    });
    assert.deepEqual(server.log, ["POST /sse server/discover", "POST /sse initialize", "GET /sse"]);
    await until(() => server.streams.every((socket) => socket.destroyed), "the end of its streams");
  });
}

test("sse: an error in the answer to initialize is told as it was where no stream is found", limits, async () => {
  const body = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too new"}}';
  const refusal = plain("400 Bad Request", body, "application/json");
  await using server = await serveSse({ refusal, get: () => plain("405 No") });
  await assert.rejects(openTo(server.url), /answered initialize with error -32602: too new/);
});

test("sse: a modern server's refusal, and a config that says so, are no reason to look for the old transport", async () => {
  const refusal = (status: string, code: number): string =>
    plain(status, `{"jsonrpc":"2.0","id":1,"error":{"code":${code},"message":"no"}}`, "application/json");
  const cases: readonly (readonly [string, Partial<HttpReplicaPlan>])[] = [
    [refusal("400 Bad Request", -32_022), {}],
    [refusal("400 Bad Request", -32_020), {}],
    [refusal("404 Not Found", -32_601), {}],
    [plain("401 Unauthorized"), {}],
    [plain("500 Oops"), {}],
    [plain("405 Method Not Allowed"), { transport: "streamable" }],
  ];
  for (const [odd, replica] of cases) {
    await using server = await serveSse({ refusal: odd });
    await assert.rejects(openTo(server.url, replica, { protocol: "legacy" }));
    assert.deepEqual(server.log, ["POST /sse initialize"], odd);
  }
});

test("sse: where the config says so, the stream is opened at once, and a modern protocol is refused", async () => {
  await using server = await serveSse();
  await using opened = await openTo(server.url, sse);
  assert.equal(server.log[0], "GET /sse");
  assert.equal(opened.link.facts?.serverInfo["name"], "old");
  await assert.rejects(openTo(server.url, sse, { protocol: "modern" }), /no server of protocol modern speaks/);
});

test("sse: the endpoint may be written in any way that stays at the origin", limits, async () => {
  const ways: readonly (readonly [endpoint: string, path: string])[] = [
    ["/messages?sessionId=a-b", "/messages?sessionId=a-b"],
    ["messages/", "/messages/"],
    ["?session=1", "/sse?session=1"],
    ["./a/../b c#part", "/b%20c"],
    ["ORIGIN/m?x=%2F&y", "/m?x=%2F&y"],
    ["//HOST/m", "/m"],
    ["/%C3%A9/é", "/%C3%A9/%C3%A9"],
  ];
  for (const [endpoint, path] of ways) {
    await using server = await serveSse({ endpoint });
    await using opened = await openTo(server.url, sse);
    assert.ok(opened.link.usable);
    assert.deepEqual(server.log.slice(0, 2), ["GET /sse", `POST ${path} initialize`], endpoint);
  }
});

test("sse: a server on a unix socket is found too", { ...limits, skip: process.platform === "win32" }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "sse-"));
  try {
    await using server = await serveSse({ onPost: answering }, join(folder, "s.sock"));
    await using opened = await openTo(server.url);
    assert.match(await call(opened.link), /"ok":true/);
    assert.ok(server.log.includes("GET /sse"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("sse: an endpoint of another origin, or that is none, ends the attempt, and nothing is sent there", async () => {
  let strays = 0;
  await using other = await serveSse({ onPost: () => Boolean((strays += 1)) });
  const cases: readonly (readonly [first: string, wrong: RegExp])[] = [
    [`event: endpoint\ndata: ${other.raw.origin.origin}/messages\n\n`, /at http:\/\/127\.0\.0\.1:\d+; only http/],
    [`event: endpoint\ndata: //127.0.0.2/messages\n\n`, /at http:\/\/127\.0\.0\.2; only http/],
    ["event: endpoint\ndata: https://127.0.0.1/messages\n\n", /at https:\/\/127\.0\.0\.1; only http/],
    ["event: endpoint\ndata: javascript:alert(1)\n\n", /at null; only http/],
    ["event: endpoint\ndata: blob:ORIGIN/x\n\n", /only http/],
    ["event: endpoint\ndata: http://[\n\n", /that is no address/],
    ["event: endpoint\ndata:\n\n", /that is no address/],
    [`event: endpoint\ndata: /${"x".repeat(9_000)}\n\n`, /that is no address/],
    [event({ jsonrpc: "2.0", method: "x" }), /something else than the endpoint/],
  ];
  for (const [first, wrong] of cases) {
    await using server = await serveSse({ first });
    await assert.rejects(openTo(server.url, sse), (error) => {
      assert.match(failureOf(error).message, wrong);
      return error instanceof GatewayError && error.code === "badProtocol";
    });
    assert.deepEqual(server.log, ["GET /sse"]);
    await until(() => server.raw.sockets.size === 0, "the end of its stream");
  }
  assert.equal(strays, 0);
});

test("sse: redirects within the origin are followed by the stream and by messages", limits, async () => {
  const to = (path: string): string => `HTTP/1.1 307 T\r\nlocation: ${path}\r\ncontent-length: 0\r\n\r\n`;
  const get = (path: string): string | undefined => (path === "/sse" ? to("/sse/") : undefined);
  await using server = await serveSse({
    get,
    endpoint: "m",
    onPost: (post) => (post.path === "/sse/m" ? post.socket.write(to("/sse/m/")) : answering(post)),
  });
  await using opened = await openTo(server.url, sse);
  assert.match(await call(opened.link), /"ok":true/);
  assert.deepEqual(
    server.log.filter((line) => line.endsWith("call")),
    ["POST /sse/m tools/call", "POST /sse/m/ tools/call"],
  );
});
