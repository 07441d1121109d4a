// The front as an HTTP/1.1 server: what it answers to good, odd and hostile clients, and which connections go on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeText } from "../../lib/core/text.ts";
import type { HttpReply } from "../../lib/front/exchange.ts";
import { emptyReply, eventReply, textReply } from "../../lib/front/reply.ts";
import { refusedRequests } from "../fixtures/http1-refusals.ts";
import { getP, host, oddRequests, request, type RequestCase } from "../fixtures/http1-requests.ts";
import { answersIn, answersOn, echo, rpcCode, serve, type Server } from "./echo.ts";
import { Queue } from "./peer.ts";

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const rpcCodes: Readonly<Record<number, number>> = { 400: -32600, 417: -32600, 431: -32600 };

/** Sends a case and compares what comes, and whether the connection can be used on. */
async function run(server: Server, { name, text, answers, closes }: RequestCase): Promise<void> {
  const wire = await server.wire();
  wire.socket.write(latin1(text));
  const expected = closes ? answers : [...answers, "GET /after "];
  if (!closes) wire.socket.write(request("GET /after HTTP/1.1", host));
  const got = await answersOn(wire, expected.length);
  assert.deepEqual(
    got.map(({ status, body }) => (status === 200 ? body : status)),
    expected,
    name,
  );
  for (const answer of got) if (answer.status !== 200) assert.equal(rpcCode(answer), rpcCodes[answer.status], name);
  const isLast = got.map(({ headers }) => headers.get("connection") === "close");
  assert.deepEqual(
    isLast,
    got.map((_, index) => closes && index === got.length - 1),
    name,
  );
  if (closes) await wire.when(`the end after ${name}`, () => wire.isEnded);
  assert.equal(wire.error, undefined, name);
  assert.equal(answersIn(wire.text).length, expected.length, name);
  wire.socket.destroy();
}

test("server: a corpus of odd and hostile requests gets the answers that it should, and nothing is smuggled", async () => {
  await using server = await serve(echo);
  const cases = [...oddRequests, ...refusedRequests].values();
  const worker = async (): Promise<void> => {
    for (const one of cases) await run(server, one);
  };
  await Promise.all([1, 2, 3, 4, 5, 6].map(worker));
});

test("server: a row of requests is answered the same wherever it is cut", async () => {
  await using server = await serve(echo);
  const chunked = request("POST /c HTTP/1.1", host, "Transfer-Encoding: chunked");
  const text = `${getP}${request("POST /l HTTP/1.1", host, "Content-Length: 4")}body${chunked}3\r\nabc\r\n0\r\n\r\n\r\n${getP}`;
  const expected = ["GET /p ", "POST /l body", "POST /c abc", "GET /p "];
  const cuts = Array.from({ length: text.length }, (_, at) => at).values();
  const worker = async (): Promise<void> => {
    for (const cut of cuts) {
      const wire = await server.wire();
      wire.socket.write(text.slice(0, cut));
      await turn();
      wire.socket.write(text.slice(cut));
      const got = await answersOn(wire, expected.length);
      assert.deepEqual(
        got.map(({ body }) => body),
        expected,
        `cut at ${cut}`,
      );
      wire.socket.destroy();
    }
  };
  await Promise.all([1, 2, 3, 4].map(worker));
});

test("server: requests in a row are handed on one by one, and answered in their order", async () => {
  const handed: string[] = [];
  const held: ((reply: HttpReply) => void)[] = [];
  await using server = await serve(({ path }) => {
    handed.push(path);
    return path === "/now" ? textReply(path, {}) : new Promise((resolve) => held.push(resolve));
  });
  const wire = await server.wire();
  const paths = ["/a", "/now", "/b", "/now", "/c"];
  wire.socket.write(paths.map((path) => request(`GET ${path} HTTP/1.1`, host)).join(""));
  for (let answered = 0; answered < 3; answered += 1) {
    await answersOn(wire, answered * 2);
    while (held.length === answered) await turn();
    assert.deepEqual(handed, paths.slice(0, answered * 2 + 1));
    held[answered]?.(textReply(paths[answered * 2] ?? "", {}));
  }
  const got = await answersOn(wire, paths.length);
  assert.deepEqual(
    got.map(({ body }) => body),
    paths,
  );
});

test("server: an answer says its length and its date, and HEAD gets the same head without the body", async () => {
  await using server = await serve(echo);
  const wire = await server.wire();
  wire.socket.write(request("HEAD /p HTTP/1.1", host) + getP);
  const [head, get] = await answersOn(wire, 2, [0]);
  assert.equal(head?.headers.get("content-length"), String("HEAD /p ".length));
  assert.equal(get?.body, "GET /p ");
  assert.ok(Math.abs(Date.parse(get.headers.get("date") ?? "") - Date.now()) < 5_000);
});

test("server: an answer without content has no length, or one of zero", async () => {
  await using server = await serve(({ path }) => emptyReply(Number(path.slice(1))));
  const wire = await server.wire();
  wire.socket.write([202, 204, 304].map((status) => request(`GET /${status} HTTP/1.1`, host)).join(""));
  const lengths = (await answersOn(wire, 3)).map(({ headers }) => headers.get("content-length"));
  assert.deepEqual(lengths, ["0", undefined, undefined]);
});

/** A route whose answer is a stream of two events, of which the second waits. */
function streaming(): { handle: () => HttpReply; goOn: PromiseWithResolvers<void>; gone: Queue<void> } {
  const goOn = Promise.withResolvers<void>();
  const gone = new Queue<void>();
  const handle = (): HttpReply =>
    eventReply((sink) => {
      sink.write(encodeText("data: 1\n\n"));
      void goOn.promise.then(() => {
        sink.write(encodeText("data: 2\n\n"));
        sink.end();
      });
      return () => gone.push();
    });
  return { handle, goOn, gone };
}

test("server: a stream comes in chunks, and the connection goes on after it", async () => {
  const { handle, goOn, gone } = streaming();
  await using server = await serve((incoming) => (incoming.path === "/s" ? handle() : echo(incoming)));
  const wire = await server.wire();
  wire.socket.write(request("GET /s HTTP/1.1", host) + getP);
  await wire.until(/transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n$/);
  goOn.resolve();
  await wire.until(/9\r\ndata: 2\n\n\r\n0\r\n\r\nHTTP\/1.1 200 OK\r\n[^]*GET \/p $/);
  wire.socket.destroy();
  assert.equal(gone.size, 0);
});

test("server: HTTP/1.0 gets no chunks, and is told whether the connection stays", async () => {
  const { handle, goOn } = streaming();
  goOn.resolve();
  await using server = await serve((incoming) => (incoming.path === "/s" ? handle() : echo(incoming)));
  const kept = await server.wire();
  kept.socket.write(request("GET /p HTTP/1.0", "Connection: keep-alive"));
  assert.equal((await answersOn(kept, 1))[0]?.headers.get("connection"), "keep-alive");
  kept.socket.write(request("GET /s HTTP/1.0", "Connection: keep-alive"));
  await kept.closed();
  assert.match(kept.text, /content-type: text\/event-stream\r\n[^]*connection: close\r\n\r\ndata: 1\n\ndata: 2\n\n$/);
  assert.doesNotMatch(kept.text, /transfer-encoding/);
});
