// Connecting: TLS, names, time limits, and that none of these failures counts as sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../../lib/core/scope.ts";
import { localhostCert } from "../fixtures/localhost.ts";
import { ask, failure, get, poolFor, post } from "./pool-kit.ts";
import { response, serveRaw, until } from "./raw-server.ts";

test("pool: TLS with a trusted certificate, by address and by name, reuses its connection", async () => {
  await using server = await serveRaw((request, socket) => socket.write(response(String(request.body))), {
    secure: true,
  });
  for (const host of ["127.0.0.1", "localhost"]) {
    const before = server.accepted;
    await using pool = poolFor(new URL(`https://${host}:${server.port}`), { tls: { ca: localhostCert } });
    const large = "x".repeat(500_000);
    for (const body of ["a", large, "b"]) assert.equal(await ask(pool, post(body)), body);
    assert.equal(server.accepted - before, 1);
  }
});

test("pool: a TLS failure is unreachable and not sent", async () => {
  let requests = 0;
  await using secure = await serveRaw((_request, socket) => void (requests++, socket.write(response("ok"))), {
    secure: true,
  });
  await using plain = await serveRaw(() => {}, {
    onSocket: (socket) => socket.on("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
  });
  await using deaf = await serveRaw(() => {}, { onSocket: (socket) => socket.on("data", () => socket.destroy()) });
  const trusted = { tls: { ca: localhostCert } };
  for (const [url, options, words] of [
    [`https://127.0.0.1:${secure.port}`, {}, /certificate that is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/],
    [`https://127.0.0.2:${secure.port}`, trusted, /refused|ALTNAME/],
    [`https://127.0.0.1:${plain.port}`, trusted, /does not speak TLS as expected/],
    [`https://127.0.0.1:${deaf.port}`, trusted, /\(ECONNRESET\)/],
  ] as const) {
    await using pool = poolFor(new URL(url), options);
    const error = await failure(ask(pool, post("x")));
    assert.deepEqual([error.code, error.data["sent"]], ["unreachable", false], url);
    assert.match(error.message, words);
  }
  await using lax = poolFor(new URL(`https://127.0.0.1:${secure.port}`), { tls: { rejectUnauthorized: false } });
  assert.equal(await ask(lax, post("x")), "ok");
  assert.equal(requests, 1);
});

test("pool: a server that is silent in the handshake is given up after connectTimeoutMs", async () => {
  await using server = await serveRaw(() => {}, { onSocket: (socket) => socket.resume() });
  await using pool = poolFor(new URL(`https://127.0.0.1:${server.port}`), { connectTimeoutMs: 30 });
  const error = await failure(ask(pool, post("x")));
  assert.deepEqual([error.code, error.data["sent"]], ["connectTimeout", false]);
  assert.match(error.message, /^127\.0\.0\.1:\d+ did not accept a connection within 30 ms$/);
  await until(() => server.sockets.size === 0, "the socket is closed");
  assert.deepEqual([pool.stats.open, pool.stats.inFlight], [0, 0]);
});

test("pool: a request that is cancelled while it connects leaves nothing behind", async () => {
  await using server = await serveRaw(() => {}, { onSocket: (socket) => socket.resume() });
  await using pool = poolFor(new URL(`https://127.0.0.1:${server.port}`));
  using scope = new Scope();
  const waiting = pool.request(get(), scope);
  await until(() => server.sockets.size === 1, "connected");
  const reason = new Error("enough");
  scope.cancel(reason);
  await assert.rejects(waiting, (error) => error === reason);
  await until(() => server.sockets.size === 0, "the socket is closed");
});

test("pool: disposal ends what is still connecting", async () => {
  await using server = await serveRaw(() => {}, { onSocket: (socket) => socket.resume() });
  const pool = poolFor(new URL(`https://127.0.0.1:${server.port}`));
  const waiting = failure(ask(pool, post("x")));
  await until(() => server.sockets.size === 1, "connected");
  await pool[Symbol.asyncDispose]();
  assert.deepEqual([(await waiting).code, (await waiting).data["sent"]], ["draining", false]);
  await until(() => server.sockets.size === 0, "the socket is closed");
});

test("pool: localhost reaches a server that listens on 127.0.0.1 alone", async () => {
  await using server = await serveRaw((request, socket) => socket.write(response(request.head)));
  await using pool = poolFor(new URL(`http://localhost:${server.port}`));
  assert.ok((await ask(pool, get())).includes(`host: localhost:${server.port}\r\n`.trimEnd()));
});

test("pool: another scheme than http, https and unix is refused", () => {
  assert.throws(() => poolFor(new URL("ftp://127.0.0.1/")), /not a scheme of an HTTP backend/);
});
