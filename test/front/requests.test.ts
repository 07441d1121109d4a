// What the endpoint makes of each kind of request, good and bad.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, callMessage, codeOf, FrontClient, read, resultText, startBench } from "./kit.ts";

const ping = (id: unknown = 1): object => ({ jsonrpc: "2.0", id, method: "ping" });

function assertRefused(answer: Answer, status: number, code: number, what: string): void {
  assert.equal(answer.status, status, `${what}: ${answer.text}`);
  assert.equal(answer.headers.get("content-type"), "application/json", what);
  assert.equal(codeOf(answer), code, what);
  assert.equal(answer.json["jsonrpc"], "2.0", what);
}

test("front: a content type other than JSON is 415, parameters of it are fine", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  for (const type of ["text/plain", "application/jsonp", "", undefined]) {
    assertRefused(await client.post(JSON.stringify(ping()), { "content-type": type }), 415, -32600, String(type));
  }
  for (const type of ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8", " application/json ;x=y"]) {
    assert.equal((await client.post(ping(), { "content-type": type })).status, 200, type);
  }
});

test("front: a POST accepts both forms of answer, or is 406; wildcards accept everything", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  for (const accept of ["application/json", "text/event-stream", "text/html", undefined]) {
    const answer = await client.post(ping(), { accept });
    // Some runtimes' requests accept everything where the header is left out.
    if (accept !== undefined) assertRefused(answer, 406, -32600, accept);
  }
  for (const accept of [
    "*/*",
    "application/*, text/*",
    "text/event-stream;q=0.5,application/json",
    "APPLICATION/JSON, Text/Event-Stream",
  ]) {
    assert.equal((await client.post(ping(), { accept })).status, 200, accept);
  }
});

test("front: a GET that does not accept an event stream is 406", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  assertRefused(await read(await client.send("GET", undefined, { accept: "application/json" })), 406, -32600, "GET");
});

test("front: other methods are 405 and say which there are", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  for (const method of ["PUT", "PATCH", "OPTIONS"]) {
    const answer = await read(await client.send(method));
    assertRefused(answer, 405, -32600, method);
    assert.equal(answer.headers.get("allow"), "POST, GET, DELETE");
  }
  assert.equal((await client.send("HEAD")).status, 405);
});

test("front: what is no JSON is 400 and -32700, what is no JSON-RPC is 400 and -32600", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const notJson = [
    "",
    " ",
    "{",
    "nonsense",
    '{"jsonrpc":"2.0"',
    "[".repeat(300) + "]".repeat(300),
    new Uint8Array([0x22, 0xff, 0x22]),
  ];
  for (const body of notJson) assertRefused(await client.post(body), 400, -32700, String(body).slice(0, 20));
  const notRpc = [
    "1",
    "null",
    '"x"',
    "{}",
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1,"method":7}',
  ];
  for (const body of [
    ...notRpc,
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
  ]) {
    assertRefused(await client.post(body), 400, -32600, body);
  }
  const answer = await client.post('{"jsonrpc":"2.0","id":"seven","method":7}');
  assert.equal(answer.json["id"], "seven");
});

test("front: a refused request's id is in the answer", async () => {
  await using bench = await startBench();
  const client = new FrontClient(bench.gateway);
  const answer = await client.post(ping("mine"));
  assertRefused(answer, 400, -32600, "no session");
  assert.equal(answer.json["id"], "mine");
});

test("front: notifications and answers get 202 and no body", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const messages = [
    { jsonrpc: "2.0", method: "notifications/initialized" },
    { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "unknown" } },
    { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "unknown", progress: 1 } },
    { jsonrpc: "2.0", id: 99, result: {} },
    { jsonrpc: "2.0", id: 99, error: { code: 1, message: "no" } },
    { jsonrpc: "2.0", error: { code: 1, message: "no" } },
  ];
  for (const message of messages) {
    const answer = await client.post(message);
    assert.equal(answer.status, 202, JSON.stringify(message));
    assert.equal(answer.text, "");
    assert.equal(answer.headers.get("content-type"), null);
  }
});

test("front: a second initialize opens another session and leaves the first one as it is", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  const other = new FrontClient(bench.gateway);
  other.sessionId = client.sessionId;
  await other.initialize();
  assert.notEqual(other.sessionId, client.sessionId);
  assert.equal((await client.post(ping())).status, 200);
});

test("front: an initialize without what it must say is answered with -32602 and opens no session", async () => {
  await using bench = await startBench();
  const client = new FrontClient(bench.gateway);
  for (const params of [undefined, {}, { protocolVersion: 1 }, { protocolVersion: "2025-11-25", capabilities: [] }]) {
    const answer = await client.post({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    assert.equal(codeOf(answer), -32602, JSON.stringify(params));
    assert.equal(answer.headers.get("mcp-session-id"), null);
  }
});

test("front: initialize answers with the client's revision, or with the newest", async () => {
  await using bench = await startBench();
  const client = new FrontClient(bench.gateway);
  for (const version of ["2025-11-25", "2025-06-18", "2025-03-26"]) {
    assert.equal((await client.initialize(version))["protocolVersion"], version);
    client.version = undefined;
  }
  assert.equal((await client.initialize("2099-01-01"))["protocolVersion"], "2025-11-25");
});

test("front: an unsupported MCP-Protocol-Version is 400 on every method, a missing or another supported one is not", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  for (const version of ["2099-01-01", "nonsense", "", "2025-11-25, 2025-11-25"]) {
    const changes = { "mcp-protocol-version": version };
    for (const method of ["GET", "DELETE"])
      assert.equal((await client.send(method, undefined, changes)).status, 400, `${method} ${version}`);
    assert.equal((await client.post(ping(), changes)).status, 400, version);
  }
  // The session knows what was negotiated.
  for (const version of [undefined, "2025-06-18", " 2025-11-25 "]) {
    assert.equal((await client.post(ping(), { "mcp-protocol-version": version })).status, 200, String(version));
  }
});

test("front: what a modern client tries first gets a 400 after which it falls back to initialize", async () => {
  await using bench = await startBench();
  const client = new FrontClient(bench.gateway);
  const discover = { jsonrpc: "2.0", id: 1, method: "server/discover", params: { _meta: {} } };
  const modernCodes = new Set([-32020, -32021, -32022]);
  for (const version of [undefined, "2026-07-28"]) {
    const answer = await client.post(discover, { "mcp-protocol-version": version, "mcp-method": "server/discover" });
    assert.equal(answer.status, 400);
    assert.equal(modernCodes.has(Number(codeOf(answer))), false);
  }
  await client.initialize();
});

test("front: unknown paths are 404, a trailing slash is not another path", async () => {
  await using bench = await startBench();
  const client = await bench.client();
  client.path = "/";
  assertRefused(await client.post(ping()), 404, -32600, "a client at the page for people");
  for (const path of ["/mcp/unknown", "/mcpx", "/mcp//", "/mcp/peer/more", "/mcp/%", "/favicon.ico"]) {
    client.path = path;
    for (const method of ["GET", "HEAD", "DELETE"])
      assert.equal((await client.send(method)).status, 404, `${method} ${path}`);
    assertRefused(await client.post(ping()), 404, -32600, path);
  }
  client.path = "/mcp/";
  assert.equal((await client.post(ping())).status, 200);
  const direct = new FrontClient(bench.gateway);
  direct.path = "/mcp/peer/";
  await direct.initialize();
  assert.equal((await direct.post(ping())).status, 200);
});

test("front: a body over the limit is 413 as JSON-RPC, whether its length is declared or not", async () => {
  await using bench = await startBench({ limits: { bodyBytes: 1000 } });
  const client = await bench.client();
  const large = JSON.stringify({ ...ping(), params: { text: "x".repeat(1000) } });
  assertRefused(await client.post(large), 413, -32600, "a string");
  assertRefused(await client.post(large, { "content-length": "5000" }), 413, -32600, "declared");
  assertRefused(
    await client.post(large, { "content-length": "10", "transfer-encoding": "chunked" }),
    413,
    -32600,
    "declared smaller",
  );
  const exact = JSON.stringify(ping()).padEnd(1000, " ");
  assert.equal((await client.post(exact)).status, 200);
});

test("batch: of 2025-03-26 is answered as an array, with every id once", async () => {
  await using bench = await startBench();
  const client = await bench.client("2025-03-26");
  const answer = await client.post([
    ping(1),
    { jsonrpc: "2.0", method: "notifications/initialized" },
    ping("two"),
    { jsonrpc: "2.0", id: 5, result: {} },
  ]);
  assert.equal(answer.status, 200);
  const replies: unknown = JSON.parse(answer.text);
  assert.deepEqual(replies, [
    { jsonrpc: "2.0", id: 1, result: {} },
    { jsonrpc: "2.0", id: "two", result: {} },
  ]);
  const single: unknown = JSON.parse((await client.post([ping(3)])).text);
  assert.deepEqual(single, [{ jsonrpc: "2.0", id: 3, result: {} }]);
  const alone = client.post([callMessage(4)]);
  (await bench.peer.call()).reply("done");
  const called: unknown = JSON.parse((await alone).text);
  assert.ok(Array.isArray(called) && called.length === 1, "one call, which would go straight by itself");
});

test("batch: without requests is 202, and a bad one is 400 as a whole", async () => {
  await using bench = await startBench();
  const client = await bench.client("2025-03-26");
  const note = { jsonrpc: "2.0", method: "notifications/initialized" };
  const accepted = await client.post([note, { jsonrpc: "2.0", id: 5, result: {} }]);
  assert.equal(accepted.status, 202);
  assert.equal(accepted.text, "");
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-03-26" } };
  const bad = [
    [],
    [ping(), initialize],
    [[ping()]],
    [ping(), 1],
    [callMessage(1), {}],
    Array.from({ length: 1001 }, () => ping()),
  ];
  for (const batch of bad) assertRefused(await client.post(batch), 400, -32600, JSON.stringify(batch).slice(0, 100));
  assert.equal(bench.peer.calls.size, 0, "nothing of a refused batch was run");
});

test("batch: is refused by every other revision", async () => {
  await using bench = await startBench();
  for (const version of ["2025-06-18", "2025-11-25"]) {
    const client = await bench.client(version);
    assertRefused(await client.post([ping()]), 400, -32600, version);
    // The header does not change what was negotiated.
    assertRefused(await client.post([ping()], { "mcp-protocol-version": "2025-03-26" }), 400, -32600, version);
  }
});

test("batch: one taken back leaves the others, which are answered", async () => {
  await using bench = await startBench();
  const client = await bench.client("2025-03-26");
  const answer = client.post([callMessage("a"), callMessage("b")]);
  const calls = [await bench.peer.call(), await bench.peer.call()];
  await client.notify("notifications/cancelled", { requestId: "a" });
  // Which of the two reached the backend first is not said; the one that lives answers.
  await Promise.race(calls.map((call) => call.dropped()));
  for (const call of calls) call.reply("done");
  const replies: unknown = JSON.parse((await answer).text);
  assert.ok(Array.isArray(replies) && replies.length === 1, JSON.stringify(replies));
  assert.deepEqual([replies[0].id, resultText(replies[0])], ["b", "done"]);
});

test("batch: with progress comes as a stream, with every reply on it", async () => {
  await using bench = await startBench();
  const client = await bench.client("2025-03-26");
  const head = client.send("POST", [callMessage("a"), ping("b")]);
  const call = await bench.peer.call();
  call.progress(1);
  const response = await head;
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  call.reply("done");
  const { text } = await read(response);
  assert.match(text, /"id":"b","result":\{\}/);
  assert.match(text, /"progress":1/);
  assert.match(text, /"id":"a".*done/);
});
