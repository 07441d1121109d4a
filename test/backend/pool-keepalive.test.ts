// Idle connections: which one is taken, when one is too old, and races with a server that closes it.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { ask, failure, get, poolFor, post, random, text } from "./pool-kit.ts";
import { response, serveRaw, until } from "./raw-server.ts";

test("pool: a POST is never sent twice, and failures never deny what the server saw", async () => {
  const chance = random(7);
  const seen = new Map<string, number>();
  const idle = new Set<Socket>();
  const close = (socket: Socket): void => {
    const how = chance();
    if (how < 0.4) socket.end();
    else if (how < 0.7) socket.destroy();
    else socket.resetAndDestroy();
  };
  await using server = await serveRaw((request, socket) => {
    const nonce = String(request.body);
    seen.set(nonce, (seen.get(nonce) ?? 0) + 1);
    idle.delete(socket);
    const fate = chance();
    if (fate < 0.05) return close(socket);
    if (fate < 0.1) return void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", () => close(socket));
    socket.write(response(nonce), () => {
      idle.add(socket);
      if (fate < 0.3) close(socket);
    });
    // Closes idle connections of other workers, in this turn or a later one.
    for (const other of idle) {
      const when = chance();
      if (when < 0.2) queueMicrotask(() => close(other));
      else if (when < 0.4) setImmediate(() => close(other));
    }
  });
  await using pool = poolFor(server.origin);
  const outcomes = new Map<string, "answered" | GatewayError>();
  const worker = async (name: number): Promise<void> => {
    for (let index = 0; index < 100; index++) {
      const nonce = `${name}-${index}`;
      const outcome = await ask(pool, post(nonce)).then(
        (answer) => (assert.equal(answer, nonce), "answered" as const),
        (error: unknown) => (assert.ok(error instanceof GatewayError, String(error)), error),
      );
      outcomes.set(nonce, outcome);
    }
  };
  await Promise.all([1, 2, 3, 4, 5, 6].map(worker));
  let answered = 0;
  for (const [nonce, outcome] of outcomes) {
    const times = seen.get(nonce) ?? 0;
    if (outcome === "answered") {
      answered++;
      assert.equal(times, 1, nonce);
    } else {
      assert.ok(times <= 1, `${nonce} was delivered ${times} times`);
      assert.equal(outcome.data["sent"], outcome.code === "lost", outcome.message);
      if (outcome.code !== "lost") assert.equal(times, 0, nonce);
    }
  }
  assert.ok(answered >= 300, `${answered} of ${outcomes.size} were answered`);
  assert.ok(answered < outcomes.size, "some failed");
  assert.ok(pool.stats.reused > 50, `${pool.stats.reused} were sent on a warm connection`);
});

test("pool: a connection that the server closed while it was idle is not used", async () => {
  await using server = await serveRaw((request, socket) => {
    socket.write(response(String(request.body)), () => socket.end());
  });
  await using pool = poolFor(server.origin);
  for (const body of ["a", "b", "c"]) {
    assert.equal(await ask(pool, post(body)), body);
    await until(() => pool.stats.open === 0, "the close is seen");
  }
  assert.equal(server.accepted, 3);
});

test("pool: a close that arrived while this process was busy is seen before a POST is sent", async () => {
  await using server = await serveRaw((request, socket) => socket.write(response(String(request.body))));
  await using pool = poolFor(server.origin);
  for (let index = 0; index < 3; index++) {
    assert.equal(await ask(pool, post("a")), "a");
    assert.equal(pool.stats.idle, 1);
    for (const socket of server.sockets) socket.destroy();
    const end = Date.now() + 520;
    while (Date.now() < end); // busy: no event is handled
    assert.equal(await ask(pool, post("b")), "b");
    await ask(pool, get());
  }
  assert.equal(server.accepted, 4);
});

test("pool: Connection: close and a short Keep-Alive timeout are honoured, a longer one allows reuse", async () => {
  await using server = await serveRaw((request, socket) => {
    socket.write(
      response(
        "ok",
        request.path === "/close" ? "Connection: close" : `Keep-Alive: ${decodeURI(request.path.slice(1))}`,
      ),
    );
  });
  await using pool = poolFor(server.origin);
  for (const path of ["/close", "/timeout=0", "/timeout=1", "/max=1,%20timeout=1"]) {
    await ask(pool, get(path));
    assert.deepEqual([pool.stats.open, pool.stats.idle], [0, 0], path);
  }
  for (const path of ["/timeout=2", "/timeout=5,%20max=100", "/max=100", "/nonsense"]) {
    await ask(pool, get(path));
    assert.deepEqual([pool.stats.open, pool.stats.idle], [1, 1], path);
  }
  assert.equal(server.accepted, 5);
});

test("pool: idle connections are closed after idleMs, without a request", async () => {
  await using server = await serveRaw((_request, socket) => socket.write(response("ok")));
  await using pool = poolFor(server.origin, { idleMs: 20 });
  await Promise.all([ask(pool, get()), ask(pool, get())]);
  await until(() => pool.stats.open === 0 && server.sockets.size === 0, "both are closed");
});

test("pool: a connection that is too old is not used, even before it is closed", async () => {
  await using server = await serveRaw((_request, socket) => socket.write(response("ok")));
  await using pool = poolFor(server.origin, { idleMs: 20 });
  await ask(pool, get());
  const end = Date.now() + 25;
  while (Date.now() < end); // busy: no timer runs
  await ask(pool, get());
  assert.deepEqual([server.accepted, pool.stats.reused], [2, 0]);
});

test("pool: the most recently used connection is taken, and the oldest are dropped over the limit", async () => {
  const waiting: { connection: number; answer: () => void }[] = [];
  await using server = await serveRaw((request, socket) => {
    const answer = (): void => void socket.write(response(String(request.connection)));
    if (request.path === "/wait") waiting.push({ connection: request.connection, answer });
    else answer();
  });
  await using pool = poolFor(server.origin, { maxIdlePerOrigin: 3 });
  const asked = [1, 2, 3, 4, 5].map(() => ask(pool, get("/wait")));
  await until(() => waiting.length === 5, "five are waiting");
  assert.equal(pool.stats.inFlight, 5);
  const order = waiting.map((each) => each.connection);
  for (const [index, each] of waiting.entries()) {
    each.answer();
    await until(() => pool.stats.inFlight === 4 - index, "answered");
  }
  await Promise.all(asked);
  assert.deepEqual([pool.stats.open, pool.stats.idle], [3, 3]);
  for (let index = 0; index < 3; index++) assert.equal(await ask(pool, get()), String(order[4]));
  await until(() => server.sockets.size === 3, "two are closed");
});

test("pool: after an answer that came before the request was read, the connection is not used again", async () => {
  await using server = await serveRaw(() => {}, {
    onSocket: (socket) => {
      socket.once("data", () => {
        socket.pause();
        socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
      });
    },
  });
  await using pool = poolFor(server.origin);
  using scope = new Scope();
  const body = new Uint8Array(32 << 20);
  const reply = await pool.request({ method: "POST", path: "/", headers: [], body }, scope);
  assert.equal(reply.status, 413);
  assert.equal(await text(reply), "big");
  assert.equal(pool.stats.open, 0);
});

test("pool: disposal closes what is idle, fails what is in flight, and refuses what comes", async () => {
  let waiting = 0;
  await using server = await serveRaw((request, socket) => {
    if (request.path === "/wait") waiting++;
    else if (request.path === "/half") socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    else socket.write(response("ok"));
  });
  const pool = poolFor(server.origin);
  using scope = new Scope();
  await Promise.all([ask(pool, get()), ask(pool, get())]);
  const half = await pool.request(get("/half"), scope);
  const waited = failure(ask(pool, post("x", "/wait")));
  await until(() => waiting === 1, "the request arrived");
  await pool[Symbol.asyncDispose]();
  await pool[Symbol.asyncDispose]();
  assert.deepEqual([(await waited).code, (await waited).data["sent"]], ["lost", true]);
  assert.equal((await failure(text(half))).code, "lost");
  // What has a connection is written at once, and what has none yet never is.
  for (const isWarm of [true, false]) {
    const other = poolFor(server.origin);
    if (isWarm) await ask(other, get());
    const racing = failure(ask(other, post("x")));
    await other[Symbol.asyncDispose]();
    assert.equal((await racing).data["sent"], isWarm);
  }
  const refused = await failure(ask(pool, get()));
  assert.deepEqual([refused.code, refused.data["sent"]], ["draining", false]);
  await until(() => server.sockets.size === 0, "the server sees it");
});
