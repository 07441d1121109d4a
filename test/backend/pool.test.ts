// The pool: reuse of connections, what a failure says about the request, and that a POST never goes out twice.
import assert from "node:assert/strict";
import * as net from "node:net";
import { test } from "node:test";
import type { HttpRequest } from "../../lib/backend/pool.ts";
import { Scope } from "../../lib/core/scope.ts";
import { maxHeadBytes } from "../fixtures/http1-case.ts";
import { responseCases } from "../fixtures/http1-responses.ts";
import { ask, failure, get, poolFor, post, utf8 } from "./pool-kit.ts";
import { response, serveRaw, until } from "./raw-server.ts";

test(`pool: each of the ${responseCases.length} responses of the corpus, from a real server`, async () => {
  await using server = await serveRaw((request, socket) => {
    const each = responseCases[Number(request.path.slice(1))];
    socket.write(Buffer.from(each?.bytes ?? "", "latin1"), () => {
      if (each?.close === true) socket.end();
    });
  });
  for (const [index, each] of responseCases.entries()) {
    await using pool = poolFor(server.origin, { maxHeadBytes });
    using scope = new Scope();
    const body = pool.request(get(`/${index}`), scope).then(async (reply) => {
      const bytes = await reply.body.bytes(Number.MAX_SAFE_INTEGER);
      return { reply, body: Buffer.from(bytes).toString("latin1") };
    });
    if (typeof each.expect === "string") {
      const error = await failure(body);
      assert.equal(error.code, each.expect, each.name);
      assert.equal(error.data["sent"], true, each.name);
      await until(() => pool.stats.open === 0, `${each.name}: the connection is closed`);
      continue;
    }
    const got = await body;
    assert.equal(got.reply.status, each.expect.status, each.name);
    assert.equal(got.body, each.expect.body, each.name);
    for (const [name, value] of Object.entries(each.expect.headers ?? {})) {
      assert.equal(got.reply.headers.get(name), value, each.name);
    }
    assert.equal(pool.stats.idle, each.expect.reusable ? 1 : 0, each.name);
  }
});

test("pool: requests one after the other share one connection", async () => {
  await using server = await serveRaw((request, socket) =>
    socket.write(response(`${request.method} ${String(request.body)}`)),
  );
  await using pool = poolFor(server.origin);
  for (let index = 0; index < 50; index++) {
    assert.equal(await ask(pool, post(String(index))), `POST ${index}`);
    assert.equal(await ask(pool, get()), "GET ");
    assert.equal(await ask(pool, { method: "DELETE", path: "/mcp", headers: [] }), "DELETE ");
  }
  assert.equal(server.accepted, 1);
  assert.deepEqual(pool.stats, { open: 1, idle: 1, inFlight: 0, opened: 1, reused: 149, retried: 0 });
});

test("pool: head and body of a small request arrive together, with nothing added", async () => {
  const arrived: string[] = [];
  await using server = await serveRaw(() => {}, {
    onSocket: (socket) =>
      socket.on("data", (bytes: Buffer) => {
        arrived.push(bytes.toString("latin1"));
        socket.write(response("ok"));
      }),
  });
  await using pool = poolFor(server.origin);
  await ask(pool, {
    method: "POST",
    path: "/mcp?a=b",
    headers: [
      ["X-A", "b c"],
      ["accept", "*/*"],
    ],
    body: utf8("{}"),
  });
  await ask(pool, { method: "POST", path: "/", headers: [] });
  await ask(pool, get("/"));
  const host = `host: 127.0.0.1:${server.port}\r\n`;
  assert.deepEqual(arrived, [
    `POST /mcp?a=b HTTP/1.1\r\n${host}X-A: b c\r\naccept: */*\r\ncontent-length: 2\r\n\r\n{}`,
    `POST / HTTP/1.1\r\n${host}content-length: 0\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}\r\n`,
  ]);
});

test("pool: a request that could break out of its framing is refused before anything is sent", async () => {
  await using server = await serveRaw((_request, socket) => socket.write(response("ok")));
  await using pool = poolFor(server.origin);
  const headers: (readonly [string, string])[] = [
    ["x", "a\r\nb: c"],
    ["x", "a\nb"],
    ["x", "a\0"],
    ["x", "\u0161"],
    ["x y", "a"],
    ["x:", "a"],
    ["", "a"],
    ["Content-Length", "1"],
    ["transfer-encoding", "chunked"],
    ["Host", "a"],
    ["connection", "close"],
  ];
  const requests = [
    ...headers.map((header): HttpRequest => ({ method: "GET", path: "/", headers: [header] })),
    ...["", "mcp", "/a b", "/a\r\nx: y", "http://a/", "/\u0161"].map((path) => get(path)),
  ];
  for (const request of requests) {
    const error = await failure(ask(pool, request));
    assert.equal(error.data["sent"], false);
    assert.ok(!error.message.includes("\n"));
  }
  assert.equal(server.accepted, 0);
});

test("pool: a refused connection was not sent, and the message says where and why, without secrets", async () => {
  const free = net.createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const address = free.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  await new Promise((resolve) => free.close(resolve));
  await using pool = poolFor(new URL(`http://user:hunter2@127.0.0.1:${port}/?key=hunter2`));
  const error = await failure(ask(pool, post("x", "/mcp?key=hunter2")));
  assert.equal(error.code, "unreachable");
  assert.deepEqual(error.data, { sent: false });
  assert.equal(error.message, `127.0.0.1:${port} refused the connection (ECONNREFUSED)`);
});

test("pool: a reset after the request was read is lost, and the request is delivered once", async () => {
  const seen: string[] = [];
  await using server = await serveRaw((request, socket) => {
    if (request.method === "POST") seen.push(String(request.body));
    if (String(request.body) === "die") socket.resetAndDestroy();
    else socket.write(response("ok"));
  });
  await using pool = poolFor(server.origin);
  const fresh = await failure(ask(pool, post("die")));
  assert.equal(fresh.code, "lost");
  assert.equal(fresh.data["sent"], true);
  assert.equal(await ask(pool, post("live")), "ok");
  const warm = await failure(ask(pool, post("die")));
  assert.equal(warm.code, "lost");
  assert.equal(warm.data["sent"], true);
  assert.match(warm.message, /^127\.0\.0\.1:\d+ closed the connection before it answered/);
  assert.equal(pool.stats.reused, 1);
  assert.deepEqual(seen, ["die", "live", "die"]);
});

test("pool: a GET on a warm connection that dies without a byte is sent once more, on a new one", async () => {
  let deliveries = 0;
  let deadly = 1;
  await using server = await serveRaw((request, socket) => {
    if (request.path === "/die") deliveries++;
    if (request.path === "/die" && deadly-- > 0) socket.destroy();
    else socket.write(response("ok"));
  });
  await using pool = poolFor(server.origin);
  await ask(pool, get());
  assert.equal(await ask(pool, get("/die")), "ok");
  assert.deepEqual([deliveries, server.accepted, pool.stats.retried], [2, 2, 1]);

  deadly = Infinity;
  const twice = await failure(ask(pool, get("/die")));
  assert.deepEqual([twice.code, deliveries, pool.stats.retried], ["lost", 4, 2]);
  const cold = await failure(ask(pool, get("/die")));
  assert.deepEqual([cold.code, deliveries, pool.stats.retried], ["lost", 5, 2]);
});

test("pool: a GET that got any byte of an answer, or a DELETE, is not sent again", async () => {
  const seen: string[] = [];
  await using server = await serveRaw((request, socket) => {
    seen.push(`${request.method} ${request.path}`);
    if (request.path !== "/die") return void socket.write(response("ok"));
    if (request.method === "DELETE") socket.destroy();
    else socket.write("H", () => socket.end());
  });
  await using pool = poolFor(server.origin);
  for (const method of ["GET", "DELETE"] as const) {
    await ask(pool, get());
    assert.equal((await failure(ask(pool, { method, path: "/die", headers: [] }))).code, "lost");
  }
  assert.deepEqual(seen, ["GET /mcp", "GET /die", "GET /mcp", "DELETE /die"]);
});

test("pool: bytes on an idle connection never become the next answer", async () => {
  await using server = await serveRaw((request, socket) => socket.write(response(String(request.body))));
  await using pool = poolFor(server.origin);
  for (const body of ["a", "b", "c"]) {
    assert.equal(await ask(pool, post(body)), body);
    assert.equal(pool.stats.idle, 1);
    for (const socket of server.sockets) socket.write(response("evil"));
    await until(() => pool.stats.open === 0, "the connection is given up");
  }
  assert.equal(server.accepted, 3);
});
