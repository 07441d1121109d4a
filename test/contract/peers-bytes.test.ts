// What peers get wrong, second part: what passes through arrives as it was sent, whatever its size, at the right client.
import assert from "node:assert/strict";
import { test } from "node:test";
import { callText, fixtureStdio, Gateway, rawStdio, recorded, until } from "../e2e/kit.ts";
import { startHttpServer } from "../kit/process.ts";
import { rawResult } from "../kit/raw-answers.ts";
import type { RawClient } from "../kit/raw-client.ts";

const rawScript = "test/kit/raw-server.ts";
const mebibyte = 2 ** 20;

test("peers: a backend's error passes with its code, message and data, byte for byte", async () => {
  await using server = await startHttpServer(rawScript);
  await using gateway = await Gateway.start({ backends: { child: rawStdio(), http: { url: server.url } } });
  const client = await gateway.client();
  const errors = [
    '{"code":-32099,"message":"no \\u00e9 such","data":{"x":[1.50,9007199254740993,null]},"x-more":true}',
    '{"code":12345,"message":"","data":null}',
    '{"code":-32603,"message":"theirs"}',
    '{"code":-32002,"message":"Resource not found","data":{"uri":"a://b"}}',
  ];
  for (const backend of ["child", "http"]) {
    for (const error of errors) {
      const reply = await client.request("tools/call", { name: `${backend}__fail`, arguments: { error } }, "e");
      assert.equal(reply, `{"jsonrpc":"2.0","id":"e","error":${error}}`);
    }
  }
});

test("peers: unknown fields, vendor types and 64-bit integers pass both ways on both links", async () => {
  await using server = await startHttpServer(rawScript);
  await using gateway = await Gateway.start({ backends: { child: rawStdio(), http: { url: server.url } } });
  const client = await gateway.client();
  for (const backend of ["child", "http"]) {
    const reply = await client.request("tools/call", { name: `${backend}__raw` }, 7);
    assert.equal(reply, `{"jsonrpc":"2.0","id":7,"result":${rawResult}}`);
    const rest = `"arguments":{"n":9007199254740993,"f":1.50,"x":{"y":[-0.0,1e+2]}},"x-params":1e400,"_meta":{"v.example/t":18446744073709551615}},"x-top":"\\u00e9"}`;
    const { messages } = await client.post(
      `{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"${backend}__echo",${rest}`,
    );
    const text: string = JSON.parse(messages[0] ?? "").result.content[0].text;
    assert.match(text, /^\{"jsonrpc":"2\.0","id":\d+,"method":"tools\/call","params":\{"name":"echo",/);
    assert.ok(text.endsWith(rest), text);
  }
  assert.match(await client.request("tools/list"), /"x-raw":9007199254740993/);
});

test("peers: arguments and results of 100 kB, 1 MB and 10 MB pass on both links", async () => {
  await using server = await startHttpServer(rawScript);
  await using gateway = await Gateway.start({ backends: { child: rawStdio(), http: { url: server.url } } });
  const client = await gateway.client();
  for (const backend of ["child", "http"]) {
    for (const bytes of [100_001, mebibyte, 10 * mebibyte]) {
      const size = Number(await callText(client, `${backend}__size`, { text: "a".repeat(bytes) }));
      assert.ok(size > bytes && size < bytes + 500, `${backend} got ${size} of ${bytes}`);
      assert.equal((await callText(client, `${backend}__big`, { bytes })).length, bytes);
    }
  }
});

test("peers: progress, log messages and cancellation stay with the client that they belong to", async () => {
  await using gateway = await Gateway.start({ backends: { fix: fixtureStdio() } });
  await gateway.up("fix");
  const [one, two] = [await gateway.client(), await gateway.client()];
  for (const client of [one, two]) await client.request("logging/setLevel", { level: "debug" });
  // The same id and the same progress token in both.
  const start = (client: RawClient, nonce: string, ms: number): ReturnType<RawClient["postStream"]> => {
    const params = { name: "fix__slow", arguments: { ms, nonce }, _meta: { progressToken: "token" } };
    return client.postStream({ jsonrpc: "2.0", id: 5, method: "tools/call", params });
  };
  await using short = await start(one, "short", 150);
  await using long = await start(two, "long", 60_000);
  const shortEvents: string[] = [];
  for (let event = await short.next(); event !== undefined; event = await short.next()) shortEvents.push(event.data);
  assert.match(shortEvents.at(-1) ?? "", /done after 150 ms/);
  assert.ok(shortEvents.some((data) => data.includes('"total":150') && data.includes('"progressToken":"token"')));
  assert.ok(!shortEvents.some((data) => data.includes('"total":60000')));
  // Cancelling id 5 is each client's own business: the first one has no call of that id any more.
  await one.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5 } });
  assert.equal(await callText(one, "fix__cancelled", {}), "[]");
  await two.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5 } });
  assert.equal(await callText(two, "fix__cancelled", { nonce: "long" }), '["long"]');
  const longEvents: string[] = [];
  for (let event = await long.next(); event !== undefined; event = await long.next()) longEvents.push(event.data);
  const messages = longEvents.filter((data) => data !== "");
  assert.ok(messages.length > 0 && messages.every((data) => data.includes('"total":60000')), messages.join("\n"));
});

test("peers: a log message reaches the caller's stream and no other client", async () => {
  await using gateway = await Gateway.start({ backends: { fix: fixtureStdio() } });
  await gateway.up("fix");
  const [one, two] = [await gateway.client(), await gateway.client()];
  for (const client of [one, two]) await client.request("logging/setLevel", { level: "debug" });
  await using stream = await two.get();
  const reply = await one.post({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "fix__log", arguments: { text: "for one" } },
  });
  assert.ok(reply.messages.some((message) => message.includes('"data":"for one"')));
  // What comes to the other client next is what it is sent itself.
  await two.request("tools/call", { name: "fix__grow", arguments: { name: "grown" } });
  for (let event = await stream.next(); event !== undefined; event = await stream.next()) {
    assert.doesNotMatch(event.data, /for one/);
    if (event.data.includes("list_changed")) break;
  }
});

test("peers: each link is initialised once, whatever clients send", async () => {
  await using gateway = await Gateway.start({ backends: {} });
  const [file, httpFile] = [gateway.path("child"), gateway.path("http")];
  await using server = await startHttpServer(rawScript, ["--record", httpFile]);
  gateway.replace({ backends: { child: rawStdio("--record", file), http: { url: server.url } } });
  await gateway.applied("child", "http");
  await gateway.up("child", "http");
  for (let count = 0; count < 3; count++) {
    const client = await gateway.client();
    await client.post({ jsonrpc: "2.0", method: "notifications/initialized" });
    await callText(client, "child__echo");
    await callText(client, "http__echo");
    const again = await client.post({ jsonrpc: "2.0", id: 1, method: "ping" });
    assert.equal(again.status, 200);
  }
  for (const each of [file, httpFile]) {
    // What is sent without an answer may still be on its way.
    await until(() => recorded(each).length > 3, "the calls are recorded");
    const all = recorded(each);
    // The one question that finds out the era comes before the handshake.
    const lines = all.filter((line) => !line.includes('"server/discover"'));
    assert.equal(all.length - lines.length, 1, each);
    assert.ok(all[0]?.includes('"server/discover"'), each);
    assert.equal(lines.filter((line) => line.includes('"notifications/initialized"')).length, 1, each);
    assert.equal(lines.filter((line) => line.includes('"initialize"')).length, 1, each);
    assert.ok(lines[0]?.includes('"initialize"') && lines[1]?.includes('"notifications/initialized"'), each);
  }
});
