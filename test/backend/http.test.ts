// Streamable HTTP towards a backend: which refusal means what, and what is never taken for "not sent".
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { openHttp } from "../../lib/backend/http.ts";
import type { Credential } from "../../lib/backend/shown.ts";
import type { Transport } from "../../lib/backend/transport.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { encodeText } from "../../lib/core/text.ts";
import { neverSent } from "../../lib/resilience/classes.ts";
import { serveRaw, until } from "./raw-server.ts";

interface Opened {
  readonly wire: Transport;
  readonly messages: string[];
  readonly retired: GatewayError[];
}

function open(origin: URL, credential?: Credential): Opened {
  const messages: string[] = [];
  const retired: GatewayError[] = [];
  const replica = { kind: "http", url: new URL("/mcp", origin).href, headers: {} } as const;
  const wire = openHttp(
    { backend: "b", replica, connectMs: 2_000, maxMessageBytes: 1_000_000, stray: () => {}, credential },
    {
      message: (bytes) => void messages.push(Buffer.from(bytes).toString()),
      waiting: () => messages.length === 0,
      congestion: () => undefined,
      paused: () => {},
      retired: (error) => void retired.push(error),
      closed: () => {},
    },
  );
  return { wire, messages, retired };
}

const answer = (status: string, body: string, type = "application/json"): string =>
  [`HTTP/1.1 ${status}`, `content-type: ${type}`, "mcp-session-id: s", `content-length: ${body.length}`, "", body].join(
    "\r\n",
  );
const stream = (events: string): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n${events}`;
const send = ({ wire }: Opened, call: number): Promise<unknown> =>
  wire
    .send(encodeText(`{"jsonrpc":"2.0","id":${call},"method":"x"}`), call, new Scope())
    .catch((error: unknown) => error);
const rpcError = (id: unknown, code: number, message: string): string =>
  JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } });

test("http: a refusal means a lost session where it says so, and is the call's answer where it has its id", async () => {
  const cases: readonly (readonly [status: string, body: string, meaning: "lost" | "answer"])[] = [
    ["404 Not Found", "", "lost"],
    ["404 Not Found", rpcError(null, -32001, "Session not found"), "lost"],
    ["404 Not Found", rpcError(2, -32001, "Session not found"), "lost"],
    ["404 Not Found", rpcError(2, -32601, "no such method"), "answer"],
    ["400 Bad Request", rpcError(null, -32000, "Bad Request: No valid session ID provided"), "lost"],
    ["400 Bad Request", rpcError("server-error", -32600, "Missing session ID"), "lost"],
    ["400 Bad Request", rpcError(2, -32602, "the argument session is missing"), "answer"],
    ["400 Bad Request", rpcError("server-error", -32600, "Bad request"), "answer"],
    ["500 Internal Server Error", rpcError(2, -32603, "boom"), "answer"],
  ];
  for (const [status, body, meaning] of cases) {
    await using server = await serveRaw(({ body: sent }, socket) => {
      socket.write(String(sent).includes('"id":1,') ? answer("200 OK", "{}") : answer(status, body));
    });
    const opened = open(server.origin);
    await send(opened, 1);
    opened.messages.length = 0;
    const outcome = await send(opened, 2);
    if (meaning === "lost")
      assert.ok(neverSent(outcome) && outcome instanceof GatewayError && outcome.code === "sessionLost", body);
    else assert.deepEqual([outcome, opened.messages], ["ended", [body]], body);
    assert.equal(opened.retired.length, meaning === "lost" ? 1 : 0, body);
    await opened.wire.close();
  }
});

test("http: told to come back later, a call was not begun, and the time is told", async () => {
  const soon = new Date(Date.now() + 5_000).toUTCString();
  const cases: readonly (readonly [head: string, least: number, most: number])[] = [
    ["429 Too Many Requests\r\nretry-after: 7", 7_000, 7_000],
    ["503 Service Unavailable\r\nretry-after: 1", 1_000, 1_000],
    [`503 Service Unavailable\r\nretry-after: ${soon}`, 3_000, 5_000],
    ["429 Too Many Requests\r\nretry-after: -1", NaN, NaN],
    ["429 Too Many Requests\r\nretry-after: 999999999", 3_600_000, 3_600_000],
  ];
  for (const [head, least, most] of cases) {
    await using server = await serveRaw((_request, socket) => void socket.write(answer(head, "<html>", "text/html")));
    const opened = open(server.origin);
    const outcome = await send(opened, 1);
    assert.ok(outcome instanceof GatewayError && outcome.code === "unavailable", head);
    assert.ok(neverSent(outcome), head);
    const { retryAfterMs } = outcome.data;
    if (Number.isNaN(least)) assert.equal(retryAfterMs, undefined);
    else assert.ok(Number(retryAfterMs) >= least && Number(retryAfterMs) <= most, `${head} ${String(retryAfterMs)}`);
    await opened.wire.close();
  }
});

test("http: a refusal without a JSON-RPC error is a failure that names the status", async () => {
  const cases: readonly (readonly [status: string, code: string, sent: boolean])[] = [
    ["401 Unauthorized", "unauthorized", false],
    ["503 Service Unavailable", "unavailable", true],
    ["500 Internal Server Error", "badProtocol", true],
    ["302 Found", "badProtocol", false],
  ];
  for (const [status, code, sent] of cases) {
    await using server = await serveRaw((_request, socket) => void socket.write(answer(status, "<html>", "text/html")));
    const opened = open(server.origin);
    const outcome = await send(opened, 1);
    assert.ok(outcome instanceof GatewayError);
    assert.deepEqual([outcome.code, outcome.data["sent"]], [code, sent], status);
    assert.equal(neverSent(outcome), false);
    await opened.wire.close();
  }
});

test("http: a call whose stream breaks and whose server is gone then was sent, and is never sent again", async () => {
  const posts: string[] = [];
  const server = await serveRaw(({ method, body }, socket) => {
    if (method === "POST") posts.push(String(body));
    socket.end(stream("id: 7\nretry: 10\ndata:\n\n"));
    void server[Symbol.asyncDispose]();
  });
  const opened = open(server.origin);
  const outcome = await send(opened, 1);
  assert.equal(neverSent(outcome), false);
  assert.equal(posts.length, 1);
  await opened.wire.close();
});

test("http: a stream that ends with an id is asked for again as often as it takes, and never without a pause", async () => {
  let gets = 0;
  const asked: string[] = [];
  const startedAt = Date.now();
  await using server = await serveRaw(({ method, head }, socket) => {
    if (method === "POST") return socket.end(stream("id: 0\nretry: 0\ndata:\n\n"));
    asked.push(/last-event-id: (\d+)/i.exec(head)?.[1] ?? "");
    gets += 1;
    if (gets === 2) return socket.write("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n");
    const done = gets === 8 ? `data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n` : "";
    return socket.end(stream(`id: ${gets}\ndata:\n\n${done}`));
  });
  const opened = open(server.origin);
  const outcome = await send(opened, 1);
  await opened.wire.close();
  assert.equal(outcome, "ended");
  assert.deepEqual(asked, ["0", "1", "1", "3", "4", "5", "6", "7"]);
  assert.ok(Date.now() - startedAt >= 8 * 40);
});

test("http: the standalone stream is asked for again after a conflict, and never where there is none", async () => {
  for (const [status, again] of [
    ["409 Conflict", true],
    ["405 Method Not Allowed", false],
  ] as const) {
    const sockets: Socket[] = [];
    await using server = await serveRaw((_request, socket) => {
      sockets.push(socket);
      socket.write(answer(status, ""));
    });
    const opened = open(server.origin);
    opened.wire.opened();
    await until(() => sockets.length === (again ? 2 : 1), status);
    await opened.wire.close();
    assert.equal(sockets.length, again ? 2 : 1);
  }
});

test("http: a stream that is asked for later shows what is good then", async () => {
  const shown: string[] = [];
  let good = "t1";
  let token: string | undefined = "t1";
  const credential: Credential = {
    current: () => token,
    get isNeeded() {
      return token === undefined;
    },
    acquire: async () => Promise.resolve((token = good)),
    refuse: () => (token = undefined),
  };
  await using server = await serveRaw(({ head }, socket) => {
    const value = /authorization: (\w+)/i.exec(head)?.[1] ?? "";
    shown.push(value);
    if (value !== good) return void socket.write("HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n");
    const events = stream("retry: 10\n\n");
    if (shown.length > 1) return void socket.write(events);
    good = "t2";
    socket.end(events);
  });
  const { wire } = open(server.origin, credential);
  wire.negotiated("2025-11-25");
  wire.opened();
  await until(() => shown.length === 3 && wire.hears === true, "the stream is open again");
  assert.deepEqual(shown, ["t1", "t1", "t2"]);
  await wire.close();
});
