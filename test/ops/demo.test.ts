// The demo backends as a client sees them: the handshake, the wire, and a real child of the SDK's client.
import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  InitializeResultSchema,
  ListResourcesResultSchema,
  ListToolsResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { demoNames, runDemo } from "../../lib/ops/demo.ts";
import { DemoPeer, member, structuredOf } from "../kit/demo-peer.ts";
import { runtimeCommand } from "../kit/process.ts";

test("demo: every backend answers initialize with the client's revision, or with the newest", async () => {
  for (const name of demoNames) {
    await using peer = new DemoPeer(name);
    for (const version of ["2025-11-25", "2025-06-18", "2025-03-26"]) {
      const result = InitializeResultSchema.parse(await peer.initialize(version));
      assert.equal(result.protocolVersion, version);
      assert.ok(result.instructions && result.serverInfo.title);
    }
    assert.equal((await peer.initialize("1999-01-01"))["protocolVersion"], "2025-11-25");
    assert.deepEqual(await peer.result("ping"), {});
  }
});

test("demo: what a backend declares it has, and nothing else", async () => {
  const lists = { tools: "tools/list", prompts: "prompts/list", resources: "resources/list" };
  for (const name of demoNames) {
    await using peer = new DemoPeer(name);
    const declared = member(await peer.initialize("2025-11-25"), "capabilities");
    for (const [capability, method] of Object.entries(lists)) {
      const answer = await peer.send(method);
      assert.equal("result" in answer, capability in declared, `${name} ${method}`);
    }
    assert.equal((await peer.error("server/discover"))["code"], -32601);
  }
});

test("demo: tools are listed with title, description, both schemas and hints", async () => {
  const withoutOutput = new Set(["add_note", "search_notes"]);
  for (const name of demoNames) {
    await using peer = new DemoPeer(name);
    const { tools } = ListToolsResultSchema.parse(await peer.result("tools/list"));
    assert.ok(tools.length >= 2);
    for (const tool of tools) {
      assert.ok(tool.title && tool.description, tool.name);
      assert.equal(tool.outputSchema === undefined, withoutOutput.has(tool.name), tool.name);
      assert.equal(tool.annotations?.readOnlyHint, tool.name !== "add_note", tool.name);
      assert.equal(tool.annotations?.idempotentHint, true, tool.name);
    }
  }
});

test("demo server: ids of every kind come back as they were sent", async () => {
  await using peer = new DemoPeer("text");
  for (const id of [0, -7, "", "1", "ü\n"]) assert.deepEqual((await peer.send("ping", {}, id))["result"], {});
  const huge = "9007199254740993123";
  peer.write(`{"jsonrpc":"2.0","id":${huge},"method":"ping"}\n`);
  await peer.send("ping");
  assert.ok(peer.lines.includes(`{"jsonrpc":"2.0","id":${huge},"result":{}}`), peer.lines.join("\n"));
  // The SDK's schema takes no integer beyond 2^53; other clients' do.
  assert.equal(peer.invalid.splice(0).length, 1);
});

test("demo server: bad messages get the right code, and the next one is served", async () => {
  await using peer = new DemoPeer("text");
  const cases: readonly (readonly [string, number])[] = [
    ["{nonsense", -32700],
    ['"text"', -32600],
    ["[]", -32600],
    ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0"}', -32600],
  ];
  for (const [line, code] of cases) {
    peer.write(`${line}\r\n\n`);
    await peer.send("ping");
    const refused = peer.notified.pop();
    assert.equal(member(refused, "error")["code"], code, line);
    assert.equal("id" in (refused ?? {}), false, line);
  }
  const unversioned = peer.answer("x");
  peer.write('{"id":"x","method":"ping"}\n');
  assert.equal(member(await unversioned, "error")["code"], -32600);
  assert.equal((await peer.error("ping", [1]))["code"], -32602);
  assert.equal((await peer.error("initialize", {}))["code"], -32602);
  assert.equal((await peer.error("tools/call", {}))["code"], -32602);
  assert.equal((await peer.error("ping/pong"))["code"], -32601);
  assert.match(String((await peer.error("tools/call", { name: "nope" }))["message"]), /unknown tool "nope".*reverse/);
});

test("demo server: notifications and stray responses are never answered", async () => {
  await using peer = new DemoPeer("text");
  peer.notify("notifications/initialized");
  peer.notify("notifications/cancelled", { requestId: 99 });
  peer.notify("notifications/cancelled");
  peer.notify("tools/call", { name: "nope" });
  peer.write('{"jsonrpc":"2.0","id":5,"result":{}}\n{"jsonrpc":"2.0","id":6,"error":{"code":1,"message":"x"}}\n');
  await peer.send("ping");
  assert.equal(peer.lines.length, 1);
});

test("demo server: the one revision that has batches gets its answers as one array", async () => {
  await using peer = new DemoPeer("text");
  await peer.initialize("2025-03-26");
  const both = Promise.all([peer.answer("a"), peer.answer("b"), peer.answer("c")]);
  const ping = { jsonrpc: "2.0", method: "ping" };
  const again = { ...ping, method: "initialize", params: { protocolVersion: "2025-03-26" } };
  peer.write(`${JSON.stringify([{ ...ping, id: "a" }, ping, { ...ping, id: "b" }, { ...again, id: "c" }])}\n`);
  const [, , refused] = await both;
  assert.equal(member(refused, "error")["code"], -32600);
  const arrays = peer.lines.filter((line) => line.startsWith("["));
  assert.equal(arrays.length, 1);
  assert.equal(JSON.parse(arrays[0] ?? "").length, 3);
});

test("demo server: a message may arrive in pieces, several at once, and without a last line break", async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const chunks: string[] = [];
  output.setEncoding("utf8").on("data", (text: string) => chunks.push(text));
  const ended = runDemo("text", "a", input, output);
  const call = { name: "reverse", arguments: { text: "añ😀" } };
  const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
  const line = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params: call });
  const bytes = new TextEncoder().encode(`${ping}\n${line}\n${ping.replace("1", "3")}`);
  for (const byte of bytes) input.write(Uint8Array.of(byte));
  input.end();
  await ended;
  const replies = chunks.join("").trimEnd().split("\n");
  assert.equal(replies.length, 3);
  assert.match(replies[1] ?? "", /"reversed":"😀ña"/);
});

test("demo server: a line over the limit is refused, and the next one is served", async () => {
  await using peer = new DemoPeer("text");
  const part = new Uint8Array(1024 * 1024).fill(0x78);
  for (let count = 0; count < 17; count++) peer.write(part);
  peer.write("\n");
  assert.deepEqual(await peer.result("ping"), {});
  assert.match(String(member(peer.notified, 0, "error")["message"]), /more than 16777216 characters/);
});

test("demo server: a message of 5 MB is answered", async () => {
  await using peer = new DemoPeer("text");
  const text = "word ".repeat(1_000_000);
  assert.equal(structuredOf(await peer.call("reverse", { text, by: "lines" }))["reversed"], text);
});

test("demo server: reading stops while the client does not read", async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const ended = runDemo("text", "a", input, output);
  const line = `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })}\n`;
  const stopped = once(input, "pause");
  let sent = 0;
  while (input.write(line) && sent++ < 10_000);
  await stopped;
  assert.ok(output.readableLength + output.writableLength < 2_000_000);
  output.resume();
  input.end();
  await ended;
});

test("demo server: it ends when the client stops listening", async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const ended = runDemo("clock", "a", input, output);
  output.destroy(new Error("gone"));
  await ended;
});

test("demo server: a cursor that it did not write is refused, in every list", async () => {
  await using notes = new DemoPeer("notes");
  await using text = new DemoPeer("text");
  const { nextCursor } = ListResourcesResultSchema.parse(await notes.result("resources/list"));
  assert.ok(nextCursor);
  for (const cursor of [
    "",
    "x",
    1,
    null,
    `${nextCursor}!`,
    `${nextCursor}=`,
    Buffer.from("tools\nx").toString("base64"),
  ]) {
    assert.equal((await notes.error("resources/list", { cursor }))["code"], -32602, String(cursor));
  }
  const others = [
    [notes, "resources/templates/list"],
    [notes, "tools/list"],
    [text, "tools/list"],
    [text, "prompts/list"],
  ] as const;
  for (const [peer, method] of others) assert.equal((await peer.error(method, { cursor: nextCursor }))["code"], -32602);
});

test("demo: the SDK's client talks to each backend as a child process, which ends with its input", async () => {
  for (const name of demoNames) {
    const [command, args] = runtimeCommand("test/fixtures/demo.ts", name, "b");
    const transport = new StdioClientTransport({ command, args });
    const client = new Client({ name: "test", version: "1" });
    await client.connect(transport);
    const { tools } = await client.listTools();
    assert.ok(tools.length > 0);
    if (name === "clock") {
      const result = await client.callTool({ name: "now", arguments: {} });
      assert.equal(member(result, "structuredContent")["replica"], "b");
    }
    if (name === "text") {
      // Aborted by its first progress: this client drops progress that arrives in one read with the result.
      const controller = new AbortController();
      const onprogress = ({ progress }: { progress: number }): void => controller.abort(`at ${progress}`);
      const call = { name: "repeat_slowly", arguments: { text: "hi", times: 100, pauseMs: 10_000 } };
      const options = { onprogress, signal: controller.signal };
      await assert.rejects(client.callTool(call, undefined, options), /at 1/);
      await client.ping();
    }
    if (name === "notes") {
      const { resources, nextCursor } = await client.listResources();
      assert.equal(resources.length, 10);
      assert.notEqual((await client.listResources({ cursor: nextCursor ?? "" })).resources[0]?.uri, resources[0]?.uri);
    }
    await client.close();
  }
});
