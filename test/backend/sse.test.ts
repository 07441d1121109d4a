// Calls to a backend over HTTP+SSE: their answers on the shared stream, and what is said of them when something breaks.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Link } from "../../lib/backend/link.ts";
import type { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { decodeText } from "../../lib/core/text.ts";
import { neverSent } from "../../lib/resilience/classes.ts";
import { cancelBy } from "./link-kit.ts";
import { until } from "./raw-server.ts";
import {
  accepted,
  answerTo,
  call,
  failureOf,
  isTool,
  openTo,
  plain,
  type Post,
  serveSse,
  sse,
  streamHead,
} from "./sse-kit.ts";

const limits = { timeout: 120_000 };

const failing = (link: Link, id?: number): Promise<GatewayError> =>
  call(link, id).then((reply) => assert.fail(reply), failureOf);

test("sse: messages arrive whole however the stream is cut and its lines end", limits, async () => {
  for (const lineEnd of ["\n", "\r\n", "\r"]) {
    // Two lines of data are joined with a line feed, which is white space to JSON.
    const text = `: hi\n\nid: 1\nevent: message\ndata: {"jsonrpc":"2.0",\ndata: "id":ID,"result":{"é":"\u{1f600}"}}\n\n`;
    await using server = await serveSse({
      onPost: (post) => {
        if (!isTool(post)) return false;
        post.socket.write(accepted);
        const bytes = Buffer.from(text.replace("ID", String(post.message["id"])).replaceAll("\n", lineEnd));
        const stream = server.streams.at(-1)?.setNoDelay(true);
        const next = (at: number): void => {
          if (at < bytes.length) stream?.write(bytes.subarray(at, at + 1), () => setImmediate(next, at + 1));
          // A CR ends the line; only what follows shows that no LF does.
          else if (lineEnd === "\r") stream?.write(": \r");
        };
        next(0);
        return true;
      },
    });
    await using opened = await openTo(server.url, sse);
    assert.match(await call(opened.link, 3), /"id":3,"result":\{"é":"\u{1f600}"\}/u);
  }
});

test("sse: an answer may come before its POST is accepted, after it, in it, or in both", limits, async () => {
  const held: Post[] = [];
  const inBody = ({ message }: Post): string =>
    plain("200 OK", JSON.stringify({ jsonrpc: "2.0", id: message["id"], result: { ok: true } }), "application/json");
  const ways: Readonly<Record<string, (post: Post) => void>> = {
    before: (post) => (post.say(answerTo(post)), held.push(post)),
    "in the body": (post) => post.socket.write(inBody(post)),
    both: (post) => (post.say(answerTo(post)), post.socket.write(inBody(post))),
    "with other JSON": (post) => (
      post.socket.write(plain("200 OK", '{"id":2}', "application/json")),
      post.say(answerTo(post))
    ),
    "with a page": (post) => (post.socket.write(plain("200 OK", "ok")), post.say(answerTo(post))),
    "with an empty 204": (post) => (post.socket.write("HTTP/1.1 204 No\r\n\r\n"), post.say(answerTo(post))),
    "with a stream": (post) => (post.socket.write(`${streamHead}: hi\n\n`), post.say(answerTo(post))),
  };
  for (const [way, answer] of Object.entries(ways)) {
    await using server = await serveSse({ onPost: (post) => isTool(post) && (answer(post), true) });
    await using opened = await openTo(server.url, sse);
    assert.equal(await call(opened.link, 9), '{"jsonrpc":"2.0","id":9,"result":{"ok":true}}', way);
    assert.equal(opened.link.calls.size, 0);
    assert.equal(server.posts.filter(isTool).length, 1);
  }
});

test("sse: what a refused message says of its call", limits, async () => {
  const error = (id: unknown): string => `{"jsonrpc":"2.0","id":${String(id)},"error":{"code":-5,"message":"no"}}`;
  const cases: readonly (readonly [status: string, code: string, sent: boolean, retires: boolean])[] = [
    ["404 Not Found", "sessionLost", false, true],
    ["400 No transport found for sessionId", "badProtocol", false, false],
    ["401 Unauthorized", "unauthorized", false, false],
    ["429 Slow Down", "unavailable", false, false],
    ["500 Oops", "badProtocol", true, false],
    ["503 Busy", "unavailable", true, false],
    ["302 Found", "badProtocol", false, false],
  ];
  for (const [status, code, sent, retires] of cases) {
    await using server = await serveSse({ onPost: (post) => isTool(post) && post.socket.write(plain(status)) });
    await using opened = await openTo(server.url, sse);
    const failure = await failing(opened.link);
    assert.deepEqual([failure.code, failure.data["sent"], !opened.link.usable], [code, sent, retires], status);
    assert.equal(server.posts.filter(isTool).length, 1);
  }
  await using server = await serveSse({
    onPost: (post) =>
      isTool(post) && post.socket.write(plain("500 Oops", error(post.message["id"]), "application/json")),
  });
  await using opened = await openTo(server.url, sse);
  assert.equal(await call(opened.link, 4), error(4));
  await using gone = await serveSse({
    onPost: (post) => isTool(post) && post.socket.write(plain("400 Bad Request", "unknown session")),
  });
  await using second = await openTo(gone.url, sse);
  assert.equal((await failing(second.link)).code, "sessionLost");
});

test("sse: a stream that is cut ends the link, and calls in flight with it, which were sent and may have run", async () => {
  for (const cut of ["end", "reset"] as const) {
    await using server = await serveSse({ onPost: (post) => isTool(post) && post.socket.write(accepted) });
    await using opened = await openTo(server.url, sse);
    const failures = Promise.all([failing(opened.link, 1), failing(opened.link, 2)]);
    await until(() => server.posts.filter(isTool).length === 2, "both calls");
    const [stream] = server.streams;
    if (cut === "end") stream?.end();
    else stream?.resetAndDestroy();
    for (const failure of await failures) {
      assert.deepEqual([failure.code, failure.data["sent"], failure.backend], ["lost", true, "b"]);
      assert.equal(neverSent(failure), false);
    }
    await opened.link.gone;
    assert.equal(opened.link.usable, false);
    assert.equal(server.posts.filter(isTool).length, 2);
    const later = await failing(opened.link, 3);
    assert.ok(neverSent(later), later.message);
    await until(() => server.raw.sockets.size === 0, "the end of its connections");
  }
});

test("sse: a message whose connection breaks is never sent twice, and one that cannot leave was never sent", async () => {
  await using server = await serveSse({
    onPost: (post) => isTool(post) && Boolean(post.socket.resetAndDestroy()),
  });
  await using opened = await openTo(server.url, sse);
  const lost = await failing(opened.link);
  assert.deepEqual([lost.code, lost.data["sent"]], ["lost", true]);
  assert.equal(server.posts.filter(isTool).length, 1);
  assert.ok(opened.link.usable);
});

test("sse: a call that is taken back is cancelled at the server, and its late answer is nobody's", limits, async () => {
  await using server = await serveSse({ onPost: (post) => isTool(post) && post.socket.write(accepted) });
  await using opened = await openTo(server.url, sse);
  const scope = new Scope();
  const outcome = call(opened.link, 5, scope).catch((error: unknown) => error);
  await until(() => server.posts.some(isTool), "the call");
  scope.cancel(cancelBy('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5,"reason":"r"}}'));
  await outcome;
  await until(() => server.posts.at(-1)?.message["method"] === "notifications/cancelled", "the notice");
  const tool = server.posts.find(isTool);
  assert.deepEqual(server.posts.at(-1)?.message["params"], { requestId: tool?.message["id"], reason: "r" });
  if (tool) tool.say(answerTo(tool));
  assert.match(decodeText(await opened.link.request("ping", undefined, new Scope())), /"result":\{\}/);
});

test("sse: what the server says on its own is heard, and a message over the limit ends the link", limits, async () => {
  await using server = await serveSse({ onPost: (post) => isTool(post) && post.socket.write(accepted) });
  await using opened = await openTo(server.url, sse, { maxMessageBytes: 2_000 });
  const [stream] = server.streams;
  const log = { jsonrpc: "2.0", method: "notifications/message", params: { data: "é" } };
  stream?.write(`: ping\r\n\r\nevent: other\ndata: {}\n\ndata: ${JSON.stringify(log)}\n\n`);
  stream?.write("event: endpoint\ndata: http://127.0.0.1:1/steal\n\n");
  await until(() => opened.notified.length === 1, "the notification");
  assert.equal(opened.notified[0], JSON.stringify(log));
  const failure = failing(opened.link);
  await until(() => server.posts.some(isTool), "the call");
  assert.equal(server.posts.at(-1)?.path, "/messages?id=1");
  stream?.write(`data: {"x":"${"x".repeat(3_000)}`);
  assert.equal((await failure).code, "badProtocol");
  assert.match((await failure).message, /larger than 2000 bytes/);
});

test("sse: closing a link ends its stream, and an attempt that is given up leaves none", limits, async () => {
  await using server = await serveSse();
  const opened = await openTo(server.url, sse);
  await opened.link.close();
  await until(() => server.raw.sockets.size === 0, "the end of the connections");
  await using silent = await serveSse({ first: ": nothing\n\n" });
  await assert.rejects(openTo(silent.url, sse, { connectMs: 100 }));
  await until(() => silent.raw.sockets.size === 0, "the end of the attempt");
});
