// Opening connections: several addresses, names in TLS, resumed sessions, and unix sockets.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Address, connectFirst, interleave } from "../../lib/backend/race.ts";
import { endpointOf, targetOf } from "../../lib/backend/target.ts";
import { Scope } from "../../lib/core/scope.ts";
import { localhostCert } from "../fixtures/localhost.ts";
import { bunExecutable, projectRoot, runtime, startProcess } from "../kit/process.ts";
import { ask, failure, get, poolFor, post } from "./pool-kit.ts";
import { response, serveRaw, until } from "./raw-server.ts";

const v4 = (address: string): Address => ({ address, family: 4 });
const v6 = (address: string): Address => ({ address, family: 6 });
const resolving =
  (...addresses: Address[]) =>
  (): Promise<Address[]> =>
    Promise.resolve(addresses);

/** The connections that another process's deaf server holds: with them its queue is full. */
async function fillQueue(host: string, port: number): Promise<net.Socket[]> {
  const sockets: net.Socket[] = [];
  for (let hangs = false; !hangs;) {
    const socket = net.connect({ host, port });
    socket.on("error", () => {});
    sockets.push(socket);
    assert.ok(sockets.length < 20, "the queue is never full");
    hangs = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(false));
      setTimeout(resolve, 100, true);
    });
  }
  return sockets;
}

test("dial: addresses of both families take turns, starting with the resolver's choice", () => {
  const [a, b, c, d] = [v6("::a"), v6("::b"), v4("1.1.1.1"), v4("1.1.1.2")];
  assert.deepEqual(interleave([a, b, c, d]), [a, c, b, d]);
  assert.deepEqual(interleave([c, d, a]), [c, a, d]);
  assert.deepEqual(interleave([a, b]), [a, b]);
  assert.deepEqual(interleave([]), []);
});

test("dial: an address that refuses gives way to the next one at once", async () => {
  await using server = await serveRaw((_request, socket) => socket.write(response("ok")));
  const resolve = resolving(v4("127.0.0.6"), v6("::1"), v4("127.0.0.7"), v4("127.0.0.1"));
  await using pool = poolFor(new URL(`http://many.test:${server.port}`), { resolve, environment: {} });
  const startedAt = Date.now();
  assert.equal(await ask(pool, get()), "ok");
  assert.ok(Date.now() - startedAt < 700, "no attempt was waited for");
});

test("dial: an address that does not answer is overtaken after 250 ms, and given up when another one wins", async () => {
  await using server = await serveRaw((_request, socket) => socket.write(response("ok")));
  // Under Deno in any case: Bun's queue is never as short as it is told to be.
  const deno = join(projectRoot, "node_modules/.bin/deno");
  const deafServer = ["run", "-A", "--no-check", "test/backend/deaf-server.ts"];
  await using deaf = startProcess(deno, [...deafServer, "127.0.0.8", String(server.port)]);
  await deaf.line(/^listening$/);
  const fillers = await fillQueue("127.0.0.8", server.port);
  try {
    const resolve = resolving(v4("127.0.0.8"), v4("127.0.0.1"));
    await using pool = poolFor(new URL(`http://many.test:${server.port}`), { resolve, environment: {} });
    const startedAt = Date.now();
    assert.equal(await ask(pool, get()), "ok");
    const took = Date.now() - startedAt;
    assert.ok(took >= 240 && took < 4_000, `${took} ms`);
    assert.equal(pool.stats.open, 1);

    const slow = resolving(v4("127.0.0.8"), v4("127.0.0.8"));
    await using other = poolFor(new URL(`http://many.test:${server.port}`), {
      resolve: slow,
      connectTimeoutMs: 300,
      environment: {},
    });
    const error = await failure(ask(other, post("x")));
    assert.deepEqual([error.code, error.data], ["connectTimeout", { sent: false }]);
    const sockets: net.Socket[] = [];
    const dial = ({ address }: Address): net.Socket => {
      const socket = net.connect({ host: address, port: server.port });
      sockets.push(socket);
      return socket;
    };
    using scope = new Scope();
    const winner = await connectFirst([v4("127.0.0.8"), v4("127.0.0.1"), v4("127.0.0.8")], dial, scope);
    assert.deepEqual([sockets.length, sockets[0]?.destroyed, sockets[1] === winner], [2, true, true]);
    winner.destroy();
    const reason = new Error("enough");
    const given = connectFirst([v4("127.0.0.8"), v4("127.0.0.8")], dial, scope);
    const waiting = other.request(get(), scope);
    scope.cancel(reason);
    await assert.rejects(waiting, (thrown) => thrown === reason);
    await assert.rejects(given, (thrown) => thrown === reason);
    assert.ok(sockets.every((socket) => socket.destroyed));
  } finally {
    for (const socket of fillers) socket.destroy();
  }
});

test("dial: when every address fails, the message names each of them", async () => {
  const free = net.createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const address = free.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  await new Promise((resolve) => free.close(resolve));
  const resolve = resolving(v4("127.0.0.1"), v4("127.0.0.2"), v6("::1"));
  await using pool = poolFor(new URL(`http://many.test:${port}`), { resolve, environment: {} });
  const error = await failure(ask(pool, post("x")));
  assert.deepEqual([error.code, error.data], ["unreachable", { sent: false }]);
  assert.match(
    error.message,
    /^many\.test:\d+ refused the connection \(127\.0\.0\.1 ECONNREFUSED, ::1 ECONN\w+, 127\.0\.0\.2 ECONNREFUSED\)$/,
  );
});

test("dial: a name that nobody knows, or without addresses, is unreachable and not sent", async () => {
  const unknown = (): Promise<never> => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" }));
  for (const [resolve, words] of [
    [unknown, "nope.test:80 is not a known host name (ENOTFOUND)"],
    [resolving(), "nope.test:80 is not a known host name (ENODATA)"],
  ] as const) {
    await using pool = poolFor(new URL("http://nope.test"), { resolve, environment: {} });
    const error = await failure(ask(pool, post("x")));
    assert.deepEqual([error.code, error.data, error.message], ["unreachable", { sent: false }, words]);
  }
});

test("dial: a resolver that does not answer is given up with the request", async () => {
  const resolve = (): Promise<never> => new Promise(() => {});
  await using pool = poolFor(new URL("http://slow.test"), { resolve, connectTimeoutMs: 30, environment: {} });
  assert.equal((await failure(ask(pool, get()))).code, "connectTimeout");
  using scope = new Scope();
  const waiting = pool.request(get(), scope);
  scope.cancel("enough");
  await assert.rejects(waiting, (reason) => reason === "enough");
  assert.equal(pool.stats.inFlight, 0);
});

test("dial: the certificate must name the host, not the address that it resolved to", async () => {
  await using server = await serveRaw((_request, socket) => socket.write(response("ok")), { secure: true });
  const resolve = resolving(v4("127.0.0.1"));
  const tls = { ca: localhostCert };
  await using pool = poolFor(new URL(`https://other.test:${server.port}`), { resolve, tls, environment: {} });
  const error = await failure(ask(pool, post("x")));
  assert.deepEqual([error.code, error.data["sent"]], ["unreachable", false]);
  assert.match(
    error.message,
    /^other\.test:\d+ has a certificate that is not trusted \(ERR_TLS_CERT_ALTNAME_INVALID\)$/,
  );
  await until(() => server.sockets.size === 0, "the socket is closed");
});

for (const version of ["TLSv1.2", "TLSv1.3"]) {
  test(`dial: ${version} offers http/1.1 and names alone, and resumes its session where the runtime does`, async () => {
    // Under Bun in any case: Deno's server does not say whether a session was resumed.
    await using server = startProcess(bunExecutable(), ["test/backend/tls-server.ts", version]);
    const port = (await server.line(/^listening (\d+)$/))[1];
    const trusted = { tls: { ca: localhostCert }, environment: {} };
    await using pool = poolFor(new URL(`https://localhost:${port}`), trusted);
    const handshakes: unknown[] = [];
    const next = async (): Promise<void> => void handshakes.push(JSON.parse(await ask(pool, get())));
    for (let index = 0; index < 3; index++) await next();
    // Deno takes a session and does not offer it to the server.
    const again = runtime === "bun" ? "resumed" : "full";
    assert.deepEqual(
      handshakes.map((each) => Array.isArray(each) && each.slice(0, 3)),
      [
        ["full", version, "http/1.1"],
        [again, version, "http/1.1"],
        [again, version, "http/1.1"],
      ],
    );
    assert.equal(Array.isArray(handshakes[0]) && handshakes[0][3], "localhost");
    assert.equal(pool.stats.opened, 3);

    await using bare = poolFor(new URL(`https://127.0.0.1:${port}`), trusted);
    assert.deepEqual(JSON.parse(await ask(bare, get())), ["full", version, "http/1.1", ""]);
    // A server that was restarted does not know the ticket: a full handshake, no failure.
    server.write("restart\n");
    await until(() => server.stdout.split("\n").length > 2, "the next server listens");
    assert.match(await ask(pool, get()), /^\["full"/);
  });
}

test("dial: a unix socket is a backend, with localhost as its host", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mcpctl-"));
  const socketPath = join(folder, "a b.sock");
  try {
    await using server = await serveRaw(
      (request, socket) => socket.write(response(`${request.head}|${String(request.body)}`)),
      { socketPath },
    );
    // The environment's proxy is for the network.
    await using pool = poolFor(server.origin, { environment: { all_proxy: "http://127.0.0.1:9" } });
    for (const body of ["a", "x".repeat(300_000), "b"]) {
      assert.equal(
        await ask(pool, post(body)),
        `POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}|${body}`,
      );
    }
    assert.equal(server.accepted, 1);
    await using absent = poolFor(new URL(`unix:${folder}/none.sock:/mcp`));
    const error = await failure(ask(absent, post("x")));
    assert.deepEqual([error.code, error.data], ["unreachable", { sent: false }]);
    assert.equal(error.message, `unix:${folder}/none.sock does not exist (ENOENT)`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("dial: URLs of unix sockets are read as nginx writes them", () => {
  const cases: readonly (readonly [url: string, file: string, path: string])[] = [
    ["unix:/run/mcp.sock", "/run/mcp.sock", "/"],
    ["unix:/run/mcp.sock:/mcp", "/run/mcp.sock", "/mcp"],
    ["unix:///run/mcp.sock:/mcp?a=b:c", "/run/mcp.sock", "/mcp?a=b:c"],
    ["unix:/run/a%3Ab%20c.sock:/x:y", "/run/a:b c.sock", "/x:y"],
    ["unix:/run/100%.sock", "/run/100%.sock", "/"],
  ];
  for (const [written, file, path] of cases) {
    const url = new URL(written);
    const { socketPath, authority, name } = targetOf(url);
    assert.deepEqual([socketPath, authority, name], [file, "localhost", `unix:${file}`], written);
    assert.deepEqual(endpointOf(url), { path, origin: "http://localhost" }, written);
  }
  for (const written of [
    "unix:run/mcp.sock",
    "unix:",
    "unix:/",
    "unix://host/run/mcp.sock",
    "unix:/a.sock:mcp",
    "unix:/a.sock:",
  ]) {
    assert.throws(() => targetOf(new URL(written)), /a unix URL names an absolute file/, written);
  }
});
