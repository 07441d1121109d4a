// Clients of the first revision: one stream for everything, a POST a message, and a session as long as the stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import { callMessage, codeOf, progressOf, resultText } from "./kit.ts";
import { record, within } from "./peer.ts";
import { SseTestClient, startSseBench, withoutSse } from "./sse-kit.ts";
import { openWire } from "./wire.ts";

const limits = { timeout: 120_000 };

test("sse front: the endpoint comes first, and every answer comes on the stream", limits, async () => {
  await using bench = await startSseBench();
  const client = await bench.open();
  assert.match(client.endpoint, /^\/messages\?sessionId=[\w-]{60,300}$/);
  assert.deepEqual((await client.request("ping"))["result"], {});
  assert.equal(record((await client.request("tools/list"))["error"])["code"], -32_600);
  const { protocolVersion, serverInfo } = await client.initialize();
  assert.deepEqual([protocolVersion, record(serverInfo)["name"]], ["2024-11-05", "mcpctl"]);
  assert.equal((await client.post({ jsonrpc: "2.0", method: "notifications/initialized" })).status, 202);
  assert.match(JSON.stringify(await client.request("tools/list")), /"name":"peer__work"/);
  assert.match(String(record((await client.request("initialize"))["error"])["message"]), /initialized already/);
  assert.equal(client.response.headers.get("cache-control"), "no-cache, no-transform");
  client.drop();
});

test("sse front: a client of any legacy revision gets its own", limits, async () => {
  await using bench = await startSseBench();
  for (const version of ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2031-01-01"]) {
    const client = await bench.open();
    const { protocolVersion } = await client.initialize(version);
    assert.equal(protocolVersion, version === "2031-01-01" ? "2025-11-25" : version);
    client.drop();
  }
});

test("sse front: progress, requests of the backend and its notifications share the stream", limits, async () => {
  await using bench = await startSseBench();
  const client = await bench.client("2025-06-18", { sampling: {} });
  assert.equal((await client.post(callMessage("a"))).status, 202);
  const call = await bench.peer.call();
  call.progress(1);
  const progress = await client.message();
  assert.deepEqual([progressOf(progress), record(progress["params"])["progressToken"]], [1, "ta"]);
  call.send({ id: "up", method: "sampling/createMessage", params: { messages: [] } });
  const asked = await client.message();
  assert.equal(asked["method"], "sampling/createMessage");
  await client.post({ jsonrpc: "2.0", id: asked["id"], result: { role: "assistant" } });
  const answer = await bench.peer.heard.next("the client's answer");
  // Also the notification that ends the gateway's own handshake is heard there.
  const own = answer["method"] === undefined ? answer : await bench.peer.heard.next("the client's answer");
  assert.deepEqual([own["id"], own["result"]], ["up", { role: "assistant" }]);
  call.progress(2);
  call.reply("done");
  assert.equal(progressOf(await client.message()), 2);
  assert.equal(resultText(await client.message()), "done");
  await bench.peer.notify("notifications/vendor/note");
  assert.equal((await client.message())["method"], "notifications/vendor/note");
  client.drop();
});

test("sse front: one backend alone is at its own path, with its own names", limits, async () => {
  await using bench = await startSseBench();
  const client = await bench.open("/sse/peer");
  assert.match(client.endpoint, /^\/messages\/peer\?sessionId=/);
  await client.initialize();
  assert.match(JSON.stringify(await client.request("tools/list")), /"name":"work"/);
  // Its id is of no use at another endpoint.
  const elsewhere = client.endpoint.replace("/messages/peer", "/messages");
  assert.equal((await client.post(callMessage("a"), {}, elsewhere)).status, 404);
  assert.equal((await fetch(bench.url("/sse/other"))).status, 404);
  client.drop();
});

test("sse front: is off unless the config says otherwise, and switching it off ends its streams", limits, async () => {
  await using off = await startSseBench({ plan: { front: { sse: false } } });
  for (const path of ["/sse", "/sse/peer", "/messages", "/messages?sessionId=x"]) {
    const answer = await fetch(off.url(path), { headers: { accept: "text/event-stream" } });
    assert.equal(answer.status, 404, path);
    await answer.text();
  }
  await using on = await startSseBench();
  const client = await on.client();
  await on.gateway.apply(withoutSse(on.plan));
  assert.deepEqual(await client.rest(), []);
  assert.equal((await client.post(callMessage("a"))).status, 404);
});

test("sse front: what is no message for an open stream is refused in the answer to the POST", limits, async () => {
  await using bench = await startSseBench({ limits: { bodyBytes: 2_000 } });
  const client = await bench.client();
  const [path = "", id = ""] = client.endpoint.split("sessionId=");
  const forged = `${path}sessionId=${id.slice(0, -4)}${id.endsWith("AAAA") ? "BBBB" : "AAAA"}`;
  const message = callMessage("a");
  const batch = [message];
  const cases: readonly (readonly [number, string | object, Record<string, string | undefined>, string])[] = [
    [400, message, {}, "/messages"],
    [400, message, {}, "/messages?session=1"],
    [404, message, {}, "/messages?sessionId="],
    [404, message, {}, forged],
    [404, message, {}, `${path}sessionId=nonsense`],
    [415, message, { "content-type": "text/plain" }, client.endpoint],
    [415, message, { "content-type": undefined }, client.endpoint],
    [413, JSON.stringify({ ...message, x: "x".repeat(3_000) }), {}, client.endpoint],
    [400, "{", {}, client.endpoint],
    [400, '{"jsonrpc":"2.0"}', {}, client.endpoint],
    [400, batch, {}, client.endpoint],
    [403, message, { origin: "https://evil.example" }, client.endpoint],
  ];
  for (const [status, body, headers, to] of cases) {
    const answer = await client.post(body, headers, to);
    assert.equal(answer.status, status, `${to} ${answer.text}`);
    assert.equal(typeof codeOf(answer), "number", answer.text);
  }
  for (const [method, path, allow] of [
    ["POST", "/sse", "GET"],
    ["DELETE", "/sse", "GET"],
    ["GET", client.endpoint, "POST"],
    ["PUT", client.endpoint, "POST"],
  ] as const) {
    const answer = await fetch(bench.url(path), { method });
    assert.deepEqual([answer.status, answer.headers.get("allow")], [405, allow]);
    await answer.text();
  }
  const picky = await fetch(bench.url(), { headers: { accept: "application/json" } });
  assert.equal(picky.status, 406);
  await picky.text();
  // The session has taken no harm.
  assert.deepEqual((await client.request("ping"))["result"], {});
  client.drop();
});

test(
  "sse front: foreign hosts and pages are refused, and a page that is allowed gets its headers",
  limits,
  async () => {
    await using bench = await startSseBench();
    for (const headers of [{ origin: "https://evil.example" }, { origin: "null" }, { host: "evil.example" }]) {
      const wire = await openWire(bench.port);
      const lines = Object.entries({ host: "localhost", accept: "text/event-stream", ...headers });
      wire.socket.write(`GET /sse HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
      await wire.until(/^HTTP\/1\.1 403 /);
      wire.socket.destroy();
    }
    const headers = { accept: "text/event-stream", origin: "http://localhost:5173" };
    const abort = new AbortController();
    const page = await fetch(bench.url(), { headers, signal: abort.signal });
    assert.equal(page.headers.get("access-control-allow-origin"), "http://localhost:5173");
    abort.abort();
  },
);

test("sse front: streams are apart from each other, and one that is gone takes its calls along", limits, async () => {
  await using bench = await startSseBench();
  const [first, second] = [await bench.client(), await bench.client()];
  assert.notEqual(first.endpoint, second.endpoint);
  await first.post(callMessage("same"));
  const one = await bench.peer.call();
  await second.post(callMessage("same"));
  const two = await bench.peer.call();
  first.drop();
  await one.dropped();
  const cancelled = async (): Promise<unknown> => {
    for (;;) {
      const { method, params } = await bench.peer.heard.next("the cancellation");
      if (method === "notifications/cancelled") return record(params)["requestId"];
    }
  };
  assert.equal(await cancelled(), one.message["id"]);
  assert.equal((await first.post(callMessage("late"))).status, 404);
  const { sessions } = await bench.gateway.settled(0);
  assert.equal(sessions, 1);
  two.reply("done");
  const reply = await second.message();
  assert.deepEqual([reply["id"], resultText(reply)], ["same", "done"]);
  second.drop();
});

test("sse front: a call that the client takes back gets no answer", limits, async () => {
  await using bench = await startSseBench();
  const client = await bench.client();
  await client.post(callMessage("a"));
  const call = await bench.peer.call();
  await client.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "a" } });
  await call.dropped();
  assert.deepEqual((await client.request("ping"))["result"], {});
  client.drop();
});

test("sse front: a body that comes after the end of its stream is for nobody", limits, async () => {
  await using bench = await startSseBench();
  const client = await bench.client();
  const body = JSON.stringify(callMessage("a"));
  const wire = await openWire(bench.port);
  const head = `POST ${client.endpoint} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`;
  wire.socket.write(`${head}expect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n`);
  await wire.until(/^HTTP\/1\.1 100 /);
  client.drop();
  const gone = async (): Promise<void> => {
    while ((await client.post({ jsonrpc: "2.0", method: "notifications/x" })).status !== 404);
  };
  await within(gone(), "the end of the session");
  wire.socket.write(body);
  await wire.until(/HTTP\/1\.1 404 /);
  assert.equal(bench.peer.calls.size, 0);
  wire.socket.destroy();
});

test("sse front: there are no more streams than sessions, and one that ends makes room", limits, async () => {
  await using bench = await startSseBench({ limits: { sessions: 2 } });
  const [first, second] = [await bench.client(), await bench.client()];
  const third = await fetch(bench.url());
  assert.deepEqual([third.status, third.headers.get("retry-after")], [503, "1"]);
  await third.text();
  first.drop();
  const opens = async (): Promise<SseTestClient> => {
    for (;;) {
      const response = await fetch(bench.url(), { headers: { accept: "application/json" } });
      await response.text();
      const next = await SseTestClient.open(bench.url()).catch(() => undefined);
      if (next) return next;
    }
  };
  const next = await within(opens(), "room for another stream");
  await next.initialize();
  next.drop();
  second.drop();
});

test("sse front: a batch is answered as an array by the revision that has them", limits, async () => {
  await using bench = await startSseBench();
  const client = await bench.client("2025-03-26");
  const ping = (id: number): object => ({ jsonrpc: "2.0", id, method: "ping" });
  assert.equal((await client.post([ping(1), { jsonrpc: "2.0", method: "notifications/x" }, ping(2)])).status, 202);
  const event = await client.next();
  const ids = (JSON.parse(event?.text ?? "[]") as { id: number }[]).map(({ id }) => id);
  assert.deepEqual(ids, [1, 2]);
  for (const bad of [[], [1], [[ping(1)]]]) assert.equal((await client.post(bad)).status, 400);
  client.drop();
});
