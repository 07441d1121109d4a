// The raw server misbehaves as its flags say, over both transports.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { connectClient } from "./client.ts";
import { isAlive, runtimeCommand, startHttpServer, startScript } from "./process.ts";
import type { Proc } from "./process.ts";
import { rawResult } from "./raw-answers.ts";
import { RawClient } from "./raw-client.ts";

const script = "test/kit/raw-server.ts";
const startStdio = (...flags: string[]): Proc => startScript(script, ["stdio", ...flags]);
const line = (id: number, method: string, params: object = {}): string =>
  `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;
const initialize = line(0, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: {} });

test("raw server: results are the bytes that were written", async () => {
  await using proc = startStdio();
  proc.write(initialize + line(7, "tools/call", { name: "raw" }));
  const [answer] = await proc.line(/^.*"id":7.*$/);
  assert.equal(answer, `{"jsonrpc":"2.0","id":7,"result":${rawResult}}`);
});

test("raw server: the SDK client reads it, over stdio and over HTTP with event streams", async () => {
  await using one = await connectClient({ command: runtimeCommand(script, "stdio") });
  assert.equal((await one.client.listTools()).tools.length, 5);
  await using server = await startHttpServer(script, ["--sse", "--pages", "3"]);
  await using two = await connectClient({ url: server.url });
  const first = await two.client.listTools();
  assert.deepEqual([first.tools.map(({ name }) => name), first.nextCursor], [["page_0"], "1"]);
});

test("raw server: silent, garbage and delay", async () => {
  await using silent = startStdio("--silent");
  silent.write(initialize + line(1, "ping"));
  await silent.line(/"id":1/);
  assert.doesNotMatch(silent.stdout, /"id":0/);
  await using garbage = startStdio("--garbage", "--delay", "50");
  garbage.write(initialize);
  await garbage.line(/"id":0/);
  assert.match(garbage.stdout, /\{broken\n/);
});

test("raw server: it exits after the handshake and on a reset", async () => {
  await using polite = startStdio("--exit-after-init");
  polite.write(`${initialize}{"jsonrpc":"2.0","method":"notifications/initialized"}\n`);
  assert.equal((await polite.exited).code, 0);
  assert.match(polite.stdout, /"id":0/);
  await using reset = startStdio();
  reset.write(initialize + line(1, "tools/call", { name: "reset" }));
  assert.equal((await reset.exited).code, 1);
});

test("raw server: a grandchild outlives it, and SIGTERM can be ignored", async () => {
  await using proc = startStdio("--grandchild", "--ignore-sigterm");
  proc.write(initialize + line(1, "tools/call", { name: "pid" }));
  const [, grandchild = "0"] = await proc.line(/grandchild\\":(\d+)/);
  const pid = Number(grandchild);
  try {
    proc.kill("SIGTERM");
    proc.end();
    proc.write(line(2, "ping"));
    assert.ok(isAlive(proc.pid));
    proc.kill("SIGKILL");
    assert.equal((await proc.exited).signal, "SIGKILL");
    assert.ok(isAlive(pid));
  } finally {
    process.kill(pid, "SIGKILL");
  }
});

test("raw server: it records what it receives, byte for byte", async () => {
  const folder = await mkdtemp(join(tmpdir(), "raw-server-"));
  try {
    const file = join(folder, "received");
    await using server = await startHttpServer(script, ["--record", file, "--version", "2025-03-26", "--name", "n"]);
    const client = new RawClient(server.url);
    assert.match(await client.initialize(), /"protocolVersion":"2025-03-26".*"name":"n"/);
    const body = '{ "jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"n":1.50}}}';
    assert.match((await client.post(body)).text, /\\"n\\":1\.50/);
    const received = (await readFile(file, "utf8")).trimEnd().split("\n");
    assert.deepEqual(received.slice(1), ['{"jsonrpc":"2.0","method":"notifications/initialized"}', body]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("raw server: HTTP sessions are lost, GET can be refused, and a reset ends the connection", async () => {
  await using server = await startHttpServer(script, ["--session-loss", "2", "--no-get"]);
  const client = new RawClient(server.url);
  const ping = async (): Promise<number> => (await client.post({ jsonrpc: "2.0", id: 1, method: "ping" })).status;
  assert.equal(await ping(), 400);
  await client.initialize();
  assert.deepEqual([await ping(), await ping(), await ping(), await ping()], [200, 200, 404, 404]);
  await client.initialize();
  assert.equal(await ping(), 200);
  await using stream = await client.get();
  assert.equal(stream.status, 405);
  await assert.rejects(client.request("tools/call", { name: "reset" }));
});
