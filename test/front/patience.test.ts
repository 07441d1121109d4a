// Clients that are slow, silent or gone, and those that send or read less or more than they should.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../lib/core/errors.ts";
import type { EventSink } from "../../lib/front/eventlog.ts";
import type { HttpReply, HttpRequest } from "../../lib/front/exchange.ts";
import { errorReply, eventReply, jsonReply } from "../../lib/front/reply.ts";
import { getP, host, request } from "../fixtures/http1-requests.ts";
import { answersIn, answersOn, echo, rpcCode, serve, type Server } from "./echo.ts";
import { Queue, within } from "./peer.ts";
import type { Wire } from "./wire.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const post = (...headers: readonly string[]): string => request("POST /p HTTP/1.1", host, ...headers);
const shortMs = 40;
const mebibyte = 2 ** 20;

/** Writes again and again until the server closes its side. */
async function trickle(wire: Wire, text: string): Promise<void> {
  while (!wire.isEnded) {
    wire.socket.write(text);
    await turn();
  }
}

async function ended(wire: Wire): Promise<readonly (readonly [number, string | undefined])[]> {
  await wire.when("the end", () => wire.isEnded);
  return answersIn(wire.text).map(({ status, headers }) => [status, headers.get("connection")]);
}

test("patience: a head that does not come to its end is 408, silent or not", async () => {
  await using server = await serve(echo, { silentMs: shortMs });
  const silent = await server.wire();
  silent.socket.write(`GET /p HTTP/1.1\r\n${host}\r\n`);
  assert.deepEqual(await ended(silent), [[408, "close"]]);
  const [answer] = answersIn(silent.text);
  assert.equal(answer && rpcCode(answer), -32600);
  const slow = await server.wire();
  slow.socket.write(`GET /p HTTP/1.1\r\n${host}\r\nX: `);
  await trickle(slow, "y");
  assert.equal((await ended(slow))[0]?.[0], 408);
});

test("patience: a body that does not come to its end is 408, silent or not", async () => {
  await using server = await serve(echo, { silentMs: shortMs });
  for (const header of ["Content-Length: 10", "Transfer-Encoding: chunked"]) {
    const wire = await server.wire();
    wire.socket.write(`${getP}${post(header)}5\r\nhe`);
    assert.deepEqual(await ended(wire), [
      [200, undefined],
      [408, "close"],
    ]);
  }
  await using strict = await serve(echo, { requestMs: shortMs });
  const slow = await strict.wire();
  slow.socket.write(post("Content-Length: 1000000"));
  await trickle(slow, "x");
  assert.deepEqual(await ended(slow), [[408, "close"]]);
});

test("patience: a connection without a request is closed without a word, a used one too", async () => {
  await using server = await serve(echo, { idleMs: shortMs });
  const [fresh, used] = [await server.wire(), await server.wire()];
  used.socket.write(getP);
  assert.deepEqual(await ended(used), [[200, undefined]]);
  assert.deepEqual(await ended(fresh), []);
});

test("patience: the rest of a refused body that does not come ends the connection, without a second answer", async () => {
  await using server = await serve(() => errorReply(new GatewayError("mediaType", "no"), undefined), {
    silentMs: shortMs,
  });
  const wire = await server.wire();
  wire.socket.write(`${post("Content-Length: 10")}hello`);
  assert.deepEqual(await ended(wire), [[415, undefined]]);
});

test("patience: a client that goes on sending after its last answer is cut", async () => {
  await using server = await serve(echo, { endingMs: shortMs });
  const wire = await server.wire();
  wire.socket.write(request("GET /p HTTP/1.1", host, "Connection: close"));
  assert.deepEqual(await ended(wire), [[200, "close"]]);
  while (!wire.isClosed) {
    wire.socket.write("x".repeat(1000));
    await turn();
  }
});

test("patience: calls and streams may take as long as they like", async () => {
  const replies = new Queue<(reply: HttpReply) => void>();
  const sinks = new Queue<EventSink>();
  const handle = ({ path }: HttpRequest): HttpReply | Promise<HttpReply> =>
    path === "/call"
      ? new Promise((resolve) => replies.push(resolve))
      : eventReply((sink) => (sinks.push(sink), () => {}));
  const patience = { idleMs: 20, silentMs: 20, requestMs: 20, writingMs: 20, endingMs: 20 };
  await using server = await serve(handle, patience);
  const [call, stream] = [await server.wire(), await server.wire()];
  call.socket.write(request("GET /call HTTP/1.1", host));
  stream.socket.write(request("GET /stream HTTP/1.1", host));
  const [reply, sink] = [await replies.next("the call"), await sinks.next("the stream")];
  // Each of these is open for longer than any time that a connection has.
  for (let n = 0; n < 4; n += 1) await ended(await server.wire());
  sink.write(Buffer.from("data: late\n\n"));
  reply(jsonReply(Buffer.from('"late"')));
  await call.until(/"late"$/);
  await stream.until(/data: late/);
});

/** A stream that is written as fast as its connection takes it, until the client is given up. */
function flood(): { handle: () => HttpReply; lost: Queue<number> } {
  const lost = new Queue<number>();
  const handle = (): HttpReply =>
    eventReply((sink) => {
      const reader = { isGone: false };
      const write = async (): Promise<void> => {
        let written = 0;
        for (; !reader.isGone && written < 200; written += 1) {
          sink.write(Buffer.from(`data: ${"x".repeat(mebibyte)}\n\n`));
          await turn();
        }
        lost.push(written);
      };
      void write();
      return () => void (reader.isGone = true);
    });
  return { handle, lost };
}

test("patience: a client that does not read its stream is cut before it costs much memory", async () => {
  const { handle, lost } = flood();
  await using server = await serve(handle);
  const wire = await server.wire();
  wire.socket.pause();
  wire.socket.write(getP);
  const written = await lost.next("the end of the stream");
  assert.ok(written < 60, `${written} MiB were written`);
});

test("patience: a client that takes nothing of its answer is cut after a time", async () => {
  const gone = new Queue<void>();
  const large = Buffer.alloc(15 * mebibyte);
  const handle = (): HttpReply => eventReply((sink) => (sink.write(large), () => gone.push()));
  await using server = await serve(handle, { writingMs: shortMs });
  const wire = await server.wire();
  wire.socket.pause();
  wire.socket.write(getP);
  await gone.next("the end of the one that does not read");
});

test("patience: a client that reads slowly gets all of a large answer", async () => {
  const body = Buffer.alloc(24 * mebibyte, "z");
  const writingMs = 150;
  await using server = await serve(() => jsonReply(body), { writingMs });
  const wire = await server.wire();
  wire.socket.pause();
  wire.socket.write(getP);
  let length = 0;
  wire.socket.on("data", (chunk: Uint8Array) => {
    length += chunk.length;
    wire.socket.pause();
    setTimeout(() => wire.socket.resume(), chunk.length / 32_000);
  });
  const startedAt = Date.now();
  wire.socket.resume();
  await wire.when("all of it", () => length > body.length || wire.isClosed);
  assert.ok(length > body.length, `${length} of ${body.length}`);
  assert.ok(Date.now() - startedAt > 2 * writingMs, "it was slow");
});

test("patience: requests wait while the answers before them are not read, and all of them are answered", async () => {
  const handed = new Queue<string>();
  const body = Buffer.from("x".repeat(4 * mebibyte));
  await using server = await serve(({ path }) => (handed.push(path), jsonReply(body)));
  const wire = await server.wire();
  wire.socket.pause();
  wire.socket.write(getP.repeat(20));
  await handed.next("the first request");
  for (let n = 0; n < 50; n += 1) await turn();
  assert.ok(handed.size < 10, `${handed.size} more were begun`);
  let length = 0;
  wire.socket.on("data", (chunk: Uint8Array) => void (length += chunk.length));
  wire.socket.resume();
  await wire.when("all answers", () => length > 20 * body.length);
  assert.equal(handed.size, 19);
});

test("patience: a body over the limit is refused while it is sent, and the client gets to read that", async () => {
  const limited = async (incoming: HttpRequest): Promise<HttpReply> => jsonReply(await incoming.body(1000));
  await using server = await serve(limited);
  for (const isChunked of [false, true]) {
    const wire = await server.wire();
    wire.socket.pause();
    wire.socket.write(post(isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${8 * mebibyte}`));
    const piece = "x".repeat(mebibyte / 4);
    // A client that writes all it has before it reads.
    for (let n = 0; n < 32; n += 1) {
      const text = isChunked ? `${piece.length.toString(16)}\r\n${piece}\r\n` : piece;
      await within(new Promise<void>((resolve) => wire.socket.write(text, () => resolve())), `piece ${n}`);
    }
    wire.socket.resume();
    const [answer] = await answersOn(wire, 1);
    assert.deepEqual([answer?.status, answer && rpcCode(answer)], [413, -32600]);
    assert.equal(wire.error, undefined);
  }
});

test("patience: a body arrives whole in pieces of any size", async () => {
  const bodies = new Queue<Uint8Array>();
  await using server = await serve(async (incoming) => {
    bodies.push(await incoming.body(64 * mebibyte));
    return jsonReply(Buffer.from("{}"));
  });
  const sent = Buffer.from(Array.from({ length: 3 * mebibyte }, (_, at) => (at * 7 + (at >> 8)) & 0xff));
  const wire = await server.wire();
  wire.socket.write(post(`Content-Length: ${sent.length}`));
  wire.socket.write(sent);
  assert.equal(Buffer.compare(await bodies.next("the body"), sent), 0);
  wire.socket.write(post("Transfer-Encoding: chunked"));
  const tiny = sent.subarray(0, 50_000);
  wire.socket.write(Buffer.concat(Array.from(tiny, (byte) => Buffer.from([0x31, 13, 10, byte, 13, 10]))));
  wire.socket.write("0\r\n\r\n");
  assert.equal(Buffer.compare(await bodies.next("the chunks"), tiny), 0);
  // All of it with its head: more than is read before anybody asks for it.
  const whole = Buffer.concat([Buffer.from(post("Content-Length: 100000")), sent.subarray(0, 100_000)]);
  for (let n = 0; n < 3; n += 1) {
    wire.socket.write(whole);
    assert.equal((await bodies.next(`body ${n}`)).length, 100_000);
  }
});

/** A server whose calls wait, with what was handed on and what was called off. */
async function serveCalls(): Promise<{ server: Server; calls: Queue<(reply: HttpReply) => void>; gone: Queue<void> }> {
  const calls = new Queue<(reply: HttpReply) => void>();
  const gone = new Queue<void>();
  const server = await serve((incoming) => {
    if (incoming.path === "/stream") return eventReply(() => () => gone.push());
    if (incoming.path === "/p") return echo(incoming);
    incoming.whenGone(() => gone.push());
    return new Promise((resolve) => calls.push(resolve));
  });
  return { server, calls, gone };
}

test("patience: a client that is gone before its answer, or in its stream, calls off what it waits for", async () => {
  const { server, calls, gone } = await serveCalls();
  await using _ = server;
  for (const leave of ["destroy", "resetAndDestroy", "end"] as const) {
    for (const path of ["/call", "/stream"]) {
      const wire = await server.wire();
      wire.socket.write(request(`GET ${path} HTTP/1.1`, host));
      if (path === "/call") await calls.next("the call");
      else await wire.until(/event-stream[^]*\r\n\r\n/);
      wire.socket[leave]();
      await gone.next(`that a client is gone from ${path} by ${leave}`);
    }
  }
  assert.equal(gone.size, 0);
});

test("patience: a client that has closed its side still gets the answers that nobody calls off", async () => {
  const { server, calls, gone } = await serveCalls();
  await using _ = server;
  const simple = await server.wire();
  simple.socket.end(getP);
  await simple.closed();
  assert.equal(answersIn(simple.text)[0]?.body, "GET /p ");
  const waiting = await server.wire();
  waiting.socket.end(request("GET /call HTTP/1.1", host));
  const reply = await calls.next("the call");
  await gone.next("that its client is gone");
  reply(jsonReply(Buffer.from('"late"')));
  await waiting.closed();
  assert.equal(answersIn(waiting.text)[0]?.body, '"late"');
  const cut = await server.wire();
  cut.socket.end(`${post("Content-Length: 10")}hello`);
  await cut.closed();
  assert.deepEqual(
    answersIn(cut.text).map(({ status }) => status),
    [400],
  );
  const partial = await server.wire();
  partial.socket.end("GET /p HT");
  await partial.closed();
  assert.equal(partial.text, "");
});

test("patience: a request whose client has left before its turn is not begun", async () => {
  const { server, calls, gone } = await serveCalls();
  await using _ = server;
  const wire = await server.wire();
  wire.socket.write(request("GET /call HTTP/1.1", host).repeat(2));
  const reply = await calls.next("the first call");
  wire.socket.destroy();
  await gone.next("that the client is gone");
  // A stream that comes too late is left at once by its client.
  reply(eventReply(() => () => gone.push()));
  await gone.next("that nobody reads the stream");
  assert.equal(calls.size, 0);
});
