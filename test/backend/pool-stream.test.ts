// Bodies: streams, back-pressure both ways, size limits, and cancellation before the head and in the middle.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { HttpReply } from "../../lib/backend/pool.ts";
import { Scope } from "../../lib/core/scope.ts";
import { ask, failure, get, poolFor, post, text } from "./pool-kit.ts";
import { response, serveRaw, until } from "./raw-server.ts";

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Bytes that repeat late, so that a lost, doubled or moved piece shows. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let index = 0; index + 4 <= size; index += 4) bytes.writeUInt32LE(Math.imul(index, 2654435761) >>> 0, index);
  return bytes;
}

async function readAll(reply: HttpReply): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let piece = await reply.body.read(); piece !== undefined; piece = await reply.body.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Writes `bytes` in pieces as the socket accepts them, and counts what it has accepted. */
function writeSlowly(
  socket: Socket,
  bytes: Buffer,
  count: (accepted: number) => void,
  done: () => void = () => {},
): void {
  let offset = 0;
  const pump = (): void => {
    while (offset < bytes.length && !socket.destroyed) {
      const piece = bytes.subarray(offset, offset + 65536);
      offset += piece.length;
      if (!socket.write(piece)) {
        socket.once("drain", () => {
          count(offset);
          pump();
        });
        return;
      }
      count(offset);
    }
    done();
  };
  pump();
}

test("pool: 5 MB go up and come back, with a length, in chunks and up to the close", async () => {
  const bytes = pattern(5_000_000);
  await using server = await serveRaw((request, socket) => {
    assert.equal(digest(request.body), digest(bytes));
    const size = request.body.length;
    if (request.path === "/length") socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
    if (request.path === "/close") socket.write("HTTP/1.1 200 OK\r\n\r\n");
    if (request.path !== "/chunked")
      return void socket.write(request.body, () => request.path === "/close" && socket.end());
    socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (let at = 0; at < size; at += 70_001) {
      const piece = request.body.subarray(at, at + 70_001);
      socket.write(`${piece.length.toString(16)}\r\n`);
      socket.write(piece);
      socket.write("\r\n");
    }
    socket.write("0\r\n\r\n");
  });
  await using pool = poolFor(server.origin);
  for (const path of ["/length", "/chunked", "/close"]) {
    using scope = new Scope();
    const reply = await pool.request({ method: "POST", path, headers: [], body: bytes }, scope);
    assert.equal(digest(await reply.body.bytes(bytes.length)), digest(bytes), path);
  }
  assert.equal(server.accepted, 1);
});

test("pool: 16 MiB go up to a server that reads slowly, and arrive whole", async () => {
  const bytes = pattern(16 << 20);
  await using server = await serveRaw((request, socket) => socket.write(response(digest(request.body))));
  await using pool = poolFor(server.origin);
  const asked = ask(pool, { method: "POST", path: "/", headers: [], body: bytes });
  await until(() => server.sockets.size === 1, "connected");
  const [socket] = server.sockets;
  for (let index = 0; index < 20; index++) {
    socket?.pause();
    await new Promise((resolve) => setImmediate(resolve));
    socket?.resume();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await asked, digest(bytes));
  assert.equal(pool.stats.idle, 1);
});

test("pool: a slow reader stops the server, and loses nothing even when the server closes meanwhile", async () => {
  const bytes = pattern(32 << 20);
  for (const [head, close] of [
    [`Content-Length: ${bytes.length}\r\n`, false],
    [`Content-Length: ${bytes.length}\r\n`, true],
    ["", true],
  ] as const) {
    let accepted = 0;
    await using server = await serveRaw((_request, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n`);
      const done = (): void => void (close && socket.end());
      writeSlowly(socket, bytes, (count) => (accepted = count), done);
    });
    await using pool = poolFor(server.origin);
    using scope = new Scope();
    const reply = await pool.request(get(), scope);
    let before = -1;
    await until(() => {
      const still = accepted === before && accepted > 0;
      before = accepted;
      return still;
    }, "the server is stopped");
    const first = accepted;
    for (let index = 0; index < 20; index++) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.ok(accepted < bytes.length / 2, `${accepted} bytes were accepted from the server, ${first} at first`);
    assert.equal(digest(await readAll(reply)), digest(bytes));
  }
});

test("pool: a connection whose last bytes paused it is used again", async () => {
  // One byte over what the reader may be behind: only the last piece pauses the socket, and completes the answer.
  const body = "x".repeat(256 * 1024 + 1);
  await using server = await serveRaw((_request, socket) => socket.write(response(body)));
  await using pool = poolFor(server.origin);
  using scope = new Scope();
  const unread = await pool.request(get(), scope);
  await until(() => pool.stats.idle === 1, "the answer is complete");
  assert.equal((await ask(pool, get())).length, body.length);
  assert.equal((await text(unread)).length, body.length);
  assert.equal(server.accepted, 1);
});

test("pool: 300 open streams do not keep another request waiting", async () => {
  const streams: Socket[] = [];
  await using server = await serveRaw((request, socket) => {
    if (request.path !== "/stream") return void socket.write(response("ok"));
    socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    streams.push(socket);
  });
  await using pool = poolFor(server.origin);
  using scope = new Scope();
  const replies = await Promise.all(Array.from({ length: 300 }, () => pool.request(get("/stream"), scope)));
  assert.equal(await ask(pool, post("x")), "ok");
  assert.equal(pool.stats.inFlight, 300);
  const first = replies.map((reply) => reply.body.read());
  for (const socket of streams) socket.write("8\r\ndata: 1\n\r\n");
  for (const piece of await Promise.all(first)) assert.equal(String(Buffer.from(piece ?? [])), "data: 1\n");
  scope.cancel();
  await until(() => server.sockets.size === 1, "the streams are closed, the idle connection is not");
});

test("pool: a cancelled request closes its connection, before the head and in the body", async () => {
  let arrived = 0;
  await using server = await serveRaw((request, socket) => {
    arrived++;
    if (request.path === "/half") socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
  });
  await using pool = poolFor(server.origin);
  const reason = new Error("the client went away");
  for (const method of ["POST", "GET"] as const) {
    arrived = 0;
    using scope = new Scope();
    const waiting = pool.request({ method, path: "/wait", headers: [] }, scope);
    await until(() => arrived === 1, "the request arrived");
    scope.cancel(reason);
    await assert.rejects(waiting, (error) => error === reason);
    await until(() => server.sockets.size === 0, "the server sees the close");

    using second = new Scope();
    const reply = await pool.request({ method, path: "/half", headers: [] }, second);
    assert.equal(String(Buffer.from((await reply.body.read()) ?? [])), "half");
    const rest = reply.body.read();
    second.cancel(reason);
    await assert.rejects(rest, (error) => error === reason);
    await assert.rejects(reply.body.read(), (error) => error === reason);
    await until(() => server.sockets.size === 0, "the server sees the close");
  }
  using unread = new Scope();
  const reply = await pool.request(get("/half"), unread);
  unread.cancel(reason);
  await assert.rejects(reply.body.read(), (error) => error === reason);
  using late = new Scope();
  late.cancel(reason);
  await assert.rejects(pool.request(get(), late), (error) => error === reason);
  assert.equal(pool.stats.open, 0);
});

test("pool: a scope that ends after the body is complete leaves the connection alone", async () => {
  await using server = await serveRaw((_request, socket) => socket.write(response("ok")));
  await using pool = poolFor(server.origin);
  for (let index = 0; index < 3; index++) {
    const scope = new Scope();
    const reply = await pool.request(get(), scope);
    scope.cancel();
    assert.equal(await text(reply), "ok");
  }
  assert.equal(server.accepted, 1);
});

test("pool: what came before a connection died can be read, then the loss is reported", async () => {
  await using server = await serveRaw((request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`, () => {
      setImmediate(() => (request.path === "/bad" ? socket.write("no size") : socket.end()));
    });
  });
  await using pool = poolFor(server.origin);
  for (const [path, code] of [
    ["/lost", "lost"],
    ["/bad", "badProtocol"],
  ] as const) {
    using scope = new Scope();
    const reply = await pool.request(get(path), scope);
    await until(() => pool.stats.open === 0, "the failure is seen");
    assert.equal(String(Buffer.from((await reply.body.read()) ?? [])), "half");
    const error = await failure(reply.body.read());
    assert.deepEqual([error.code, error.data["sent"]], [code, true]);
  }
});

test("pool: a body over the limit is refused, at once where its length is known", async () => {
  await using server = await serveRaw((request, socket) => {
    const framing = request.path === "/length" ? "Content-Length: 1000" : "Transfer-Encoding: chunked";
    socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`);
    if (request.path === "/chunked") socket.write("b\r\n0123456789a\r\n");
  });
  await using pool = poolFor(server.origin);
  for (const path of ["/length", "/chunked"]) {
    using scope = new Scope();
    const reply = await pool.request(get(path), scope);
    assert.equal((await failure(reply.body.bytes(10))).code, "replyTooLarge");
    await until(() => server.sockets.size === 0, "the connection is closed");
  }
});

test("pool: a reader that gives up closes the connection, unless the body is complete", async () => {
  await using server = await serveRaw((request, socket) => {
    socket.write(request.path === "/half" ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf" : response("ok"));
  });
  await using pool = poolFor(server.origin);
  using scope = new Scope();
  const whole = await pool.request(get(), scope);
  whole.body.cancel();
  assert.equal(pool.stats.idle, 1);
  const half = await pool.request(get("/half"), scope);
  half.body.cancel();
  half.body.cancel();
  assert.equal((await failure(half.body.read())).code, "lost");
  await until(() => server.sockets.size === 0 && pool.stats.open === 0, "the connection is closed");
});
