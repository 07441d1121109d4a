// The front on real sockets: connections that stay usable, clients that vanish or do not read, and the end of the process.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpReply, HttpRequest } from "../../lib/front/exchange.ts";
import { defaultPatience, type Patience } from "../../lib/front/patience.ts";
import { type Listener, listen } from "../../lib/listen.ts";
import { startScript } from "../kit/process.ts";
import { type Bench, callMessage, type FrontClient, type Settings, startBench } from "./kit.ts";
import { type PeerCall, Queue, startPeer, within } from "./peer.ts";
import { openWire, type Wire } from "./wire.ts";

interface Served extends AsyncDisposable {
  readonly bench: Bench;
  readonly listener: Listener;
  readonly client: FrontClient;
  /** GET requests whose client is gone. */
  readonly gone: Queue<void>;
  wire(): Promise<Wire>;
}

async function serve(settings: Settings = {}, patience: Patience = defaultPatience): Promise<Served> {
  const bench = await startBench(settings);
  const gone = new Queue<void>();
  const handle = (request: HttpRequest): HttpReply | Promise<HttpReply> => {
    const reply = bench.gateway.handle(request);
    // The waiter wakes up in another turn, and so after the gateway has let go of the stream.
    if (request.method === "GET") request.whenGone(() => gone.push());
    return reply;
  };
  const listener = await listen({ host: "127.0.0.1", port: 0, handle, patience });
  const client = await bench.client();
  const wires: Wire[] = [];
  return {
    bench,
    listener,
    client,
    gone,
    wire: async () => {
      const wire = await openWire(Number(listener.url.port));
      wires.push(wire);
      return wire;
    },
    [Symbol.asyncDispose]: async () => {
      for (const wire of wires) wire.socket.destroy();
      await bench[Symbol.asyncDispose]();
      await listener.close(true);
    },
  };
}

const ping = (id: string): string => JSON.stringify({ jsonrpc: "2.0", id, method: "ping" });

test("socket: a connection is used on after every kind of refusal", async () => {
  await using served = await serve();
  const { client } = served;
  const wire = await served.wire();
  const refusals: readonly (readonly [number, () => void])[] = [
    [400, () => wire.request("POST", client, "nonsense")],
    [415, () => wire.request("POST", client, ping("x"), { "content-type": "text/plain" })],
    [406, () => wire.request("POST", client, ping("x"), { accept: "text/html" })],
    [404, () => wire.request("POST", client, ping("x"), { "mcp-session-id": "unknown" })],
    [405, () => wire.request("PUT", client)],
    [403, () => wire.request("POST", client, ping("x"), { origin: "https://evil.example" })],
  ];
  for (const [status, request] of refusals) {
    wire.text = "";
    request();
    // The body too: the next answer must not begin with the rest of this one.
    await wire.until(new RegExp(`^HTTP/1.1 ${status} [^]*"hint"[^]*\\}\\}$`));
  }
  wire.text = "";
  wire.request("POST", client, ping("alive"));
  await wire.until(/^HTTP\/1.1 200 [^]*"id":"alive"/);
});

test("socket: a body that is too large is 413, and the connection goes on or ends, never in between", async () => {
  await using served = await serve({ limits: { bodyBytes: 100_000 } });
  const { client } = served;
  const size = 3_000_000;
  for (const isChunked of [false, true]) {
    const wire = await served.wire();
    wire.request(
      "POST",
      client,
      "",
      isChunked ? { "transfer-encoding": "chunked", "content-length": "" } : { "content-length": String(size) },
    );
    const piece = "x".repeat(size / 30);
    for (let n = 0; n < 30 && !wire.isClosed; n += 1) {
      wire.socket.write(isChunked ? `${piece.length.toString(16)}\r\n${piece}\r\n` : piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (isChunked) wire.socket.write("0\r\n\r\n");
    await wire.until(/^HTTP\/1.1 413 [^]*"code":-32600[^]*\}\}/);
    if (/^connection: close/im.test(wire.text)) continue;
    wire.text = "";
    wire.request("POST", client, ping("alive"));
    await wire.until(/^HTTP\/1.1 200 [^]*"id":"alive"/);
  }
});

test("socket: a client that vanishes before the head of its answer cancels the call", async () => {
  await using served = await serve();
  const wire = await served.wire();
  wire.request("POST", served.client, JSON.stringify(callMessage("a")));
  const call = await served.bench.peer.call();
  wire.socket.destroy();
  await call.dropped();
});

test("socket: a client that has its answer cancels nothing when it goes", async () => {
  await using served = await serve();
  const wire = await served.wire();
  wire.request("POST", served.client, JSON.stringify(callMessage("a")));
  (await served.bench.peer.call()).reply("done");
  await wire.until(/"text":"done"/);
  wire.socket.destroy();
  await served.client.post(ping("after"));
  const heard = served.bench.peer.heard;
  while (heard.size > 0)
    assert.notEqual((await heard.next("what was said to the backend"))["method"], "notifications/cancelled");
});

test("socket: a client that vanishes in the middle of its body is no bug of the gateway", async () => {
  await using served = await serve();
  const wire = await served.wire();
  wire.request("POST", served.client, '{"jsonrpc":', { "content-length": "1000" });
  wire.socket.destroy();
  await wire.closed();
  const next = await served.wire();
  next.request("POST", served.client, ping("next"));
  await next.until(/"id":"next"/);
  assert.deepEqual(
    served.bench.logged.filter((line) => line.startsWith("error")),
    [],
  );
});

/** A call whose stream has begun, with the id of the event that its client has. */
async function streamed(served: Served): Promise<{ wire: Wire; call: PeerCall; lastId: string }> {
  const wire = await served.wire();
  wire.request("POST", served.client, JSON.stringify(callMessage("a")));
  const call = await served.bench.peer.call();
  call.progress(1);
  await wire.until(/"progress":1/);
  const ids = [...wire.text.matchAll(/^id: (\S+)/gm)].map(([, id]) => id ?? "");
  return { wire, call, lastId: ids.at(-1) ?? "" };
}

test("socket: a stream that is cut is resumed on another connection, with what was missed", async () => {
  await using served = await serve();
  const { wire, call, lastId } = await streamed(served);
  wire.socket.destroy();
  await wire.closed();
  call.progress(2);
  call.reply("done");
  const next = await served.wire();
  next.request("GET", served.client, "", { "last-event-id": lastId });
  await next.until(/"text":"done"[^]*\n\n/);
  assert.equal(/"progress":1\b/.test(next.text), false);
  assert.equal([...next.text.matchAll(/"progress":2\b/g)].length, 1);
});

test("socket: a dropped GET stream is noticed, and what comes then waits for the next one", async () => {
  await using served = await serve({ timeouts: { keepAliveMs: 40 } });
  const { client, bench } = served;
  const wire = await served.wire();
  wire.request("GET", client);
  await wire.until(/: keep-alive/);
  wire.socket.destroy();
  await wire.closed();
  // The runtime tells the gateway a little later than this side of the connection.
  await served.gone.next("the end of the GET");
  await bench.peer.notify("notifications/vendor/note", { n: 1 });
  const events = await client.listen();
  let message = await events.message();
  while (message["method"] !== "notifications/vendor/note") message = await events.message();
});

/** Sends events on a call's stream as fast as they are taken; resolves to their number once they have not been for a while. */
async function fill(call: PeerCall, data: string, most: number): Promise<number> {
  for (let sent = 0; sent < most; sent += 1) {
    const isTaken = call.offer({ method: "notifications/message", params: { level: "info", data, n: sent } });
    const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), 300));
    if (!(await Promise.race([isTaken, late]))) return sent + 1;
  }
  return most;
}

test("socket: a client that reads slowly slows its backend down, and gets every event", async () => {
  await using served = await serve();
  const wire = await served.wire();
  wire.socket.pause();
  wire.request("POST", served.client, JSON.stringify(callMessage("a")));
  const call = await served.bench.peer.call();
  const data = "x".repeat(2 ** 18);
  const sent = await fill(call, data, 400);
  assert.ok(sent < 160, `${sent / 4} MiB were taken from the backend`);
  wire.socket.resume();
  call.reply("done");
  await wire.until(/"text":"done"[^]*\n\n/);
  const numbers = [...wire.text.matchAll(/"n":(\d+)\}/g)].map(([, n]) => Number(n));
  assert.deepEqual(
    numbers,
    Array.from({ length: sent }, (_, n) => n),
  );
});

test("socket: a client that leaves the stream that it could not keep up with can go on with it", async () => {
  await using served = await serve();
  const { wire, call, lastId } = await streamed(served);
  wire.socket.pause();
  await fill(call, "x".repeat(2 ** 18), 400);
  wire.socket.destroy();
  call.reply("done");
  const next = await served.wire();
  next.request("GET", served.client, "", { "last-event-id": lastId });
  await next.until(/"text":"done"[^]*\n\n/);
});

test("socket: a stream that goes on elsewhere is not held up by the connection that its client has lost unseen", async () => {
  await using served = await serve();
  const { wire, call, lastId } = await streamed(served);
  // Neither closed nor read.
  wire.socket.pause();
  await fill(call, "x".repeat(2 ** 18), 400);
  const next = await served.wire();
  next.request("GET", served.client, "", { "last-event-id": lastId });
  await next.until(/"n":\d+\}/);
  call.progress(2);
  await next.until(/"progress":2\b/);
  call.reply("done");
  await next.until(/"text":"done"[^]*\n\n/);
  assert.equal(wire.isClosed, false);
});

test("socket: a client that does not read its stream is left in the end, and its call with it", async () => {
  await using served = await serve({ timeouts: { resumeMs: 50 } }, { ...defaultPatience, writingMs: 100 });
  const wire = await served.wire();
  wire.socket.pause();
  wire.request("POST", served.client, JSON.stringify(callMessage("a")));
  const call = await served.bench.peer.call();
  await fill(call, "x".repeat(2 ** 20), 200);
  await call.dropped();
});

test("socket: a reply of 20 MiB arrives whole, as JSON and on a stream", async () => {
  await using served = await serve();
  const text = "y".repeat(20 * 2 ** 20);
  for (const isStreamed of [false, true]) {
    const wire = await served.wire();
    wire.request("POST", served.client, JSON.stringify(callMessage("a")));
    const call = await served.bench.peer.call();
    if (isStreamed) call.progress(1);
    call.reply(text);
    let length = 0;
    wire.socket.on("data", (chunk: Uint8Array) => (length += chunk.length));
    await within(
      (async () => {
        while (length < text.length) await new Promise((resolve) => wire.socket.once("data", resolve));
      })(),
      "all of the reply",
    );
    wire.socket.destroy();
  }
});

test("socket: closing with streams open lets the process end", async () => {
  await using peer = await startPeer();
  const proc = startScript("test/front/front-server.ts", [peer.url, "40"]);
  await using _ = proc;
  const [, href = ""] = await proc.line(/^listening (\S+)$/);
  const url = new URL(href);
  const open = async (): Promise<Wire> => openWire(Number(url.port));
  const first = await open();
  const client = { sessionId: "" };
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {} },
  };
  first.request("POST", client, JSON.stringify(initialize));
  await first.until(/mcp-session-id: (\S+)[^]*"result"/i);
  client.sessionId = /mcp-session-id: (\S+)/i.exec(first.text)?.[1] ?? "";
  const stream = await open();
  stream.request("GET", client);
  await stream.until(/: keep-alive/);
  const slow = await open();
  slow.request("POST", client, JSON.stringify(callMessage("slow")));
  await peer.call();
  const half = await open();
  half.request("POST", client, "{", { "content-length": "1000" });
  proc.kill("SIGTERM");
  await slow.until(/"id":"slow"[^]*E4108/);
  const exit = await within(proc.exited, "the end of the process");
  assert.equal(exit.code, 0, proc.stderr);
  for (const wire of [first, stream, slow, half]) wire.socket.destroy();
});
