// What peers get wrong, first part: one bad backend never changes the answer for the others.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { call, callText, deadUrl, errorOf, Gateway, listTools, rawStdio, timed } from "../e2e/kit.ts";
import { startHttpServer } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";

const rawScript = "test/kit/raw-server.ts";
/** Far less than any timeout that a bad backend could make a client wait for. */
const promptMs = 2_500;

test("peers: invalid and unreachable backends fail no initialize, no list and no call of others", async () => {
  await using html = await startHttpServer(rawScript, ["--status", "500"]);
  await using gateway = await Gateway.start({
    backends: {
      missing: { command: "no-such-program-anywhere" },
      crash: { command: process.execPath, args: ["--no-such-flag-anywhere"] },
      dead: { url: deadUrl },
      html: { url: html.url },
      old: rawStdio("--version", "1999-01-01"),
      good: rawStdio(),
    },
  });
  const client = new RawClient(gateway.url());
  assert.match(await client.initialize(), /"protocolVersion":"2025-11-25"/);
  const { names, missing } = await listTools(client);
  assert.deepEqual(names, ["good__echo", "good__hang", "good__pid", "good__raw", "good__reset"]);
  assert.deepEqual(missing, ["missing", "crash", "dead", "html", "old"]);
  assert.match(await callText(client, "good__echo"), /"name":"echo"/);
  const { status, backends } = await gateway.health();
  assert.equal(status, "degraded");
  assert.equal(backends["good"]?.state, "up");
  for (const bad of missing) assert.notEqual(backends[bad]?.state, "up", bad);
  assert.match(backends["missing"]?.error ?? "", /could not be started/);
});

test("peers: a silent backend does not delay the port, initialize, or calls of others, and a list only at first", async () => {
  await using gateway = await Gateway.start({
    backends: { silent: rawStdio("--silent"), good: rawStdio() },
    timeouts: { list: "3s" },
  });
  const client = new RawClient(gateway.url());
  assert.ok((await timed(() => client.initialize())) < promptMs);
  await gateway.up("good");
  assert.ok((await timed(() => callText(client, "good__echo"))) < promptMs);
  const first = await timed(() => listTools(client));
  assert.ok(first < 3_000 + promptMs, `the first list took ${first} ms`);
  const again = await timed(async () => {
    for (let count = 0; count < 5; count++) assert.deepEqual((await listTools(client)).missing, ["silent"]);
  });
  assert.ok(again < 6_000, `five more lists took ${again} ms`);
  const other = await gateway.client();
  assert.ok((await timed(() => listTools(other))) < promptMs, "a new client waits again");
});

test("peers: several hung backends cost a list the time of one", async () => {
  const hung = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`hung${index}`, rawStdio("--silent")]));
  await using gateway = await Gateway.start({
    backends: { ...hung, good: rawStdio() },
    timeouts: { list: "1s" },
  });
  const client = await gateway.client();
  const took = await timed(async () => assert.equal((await listTools(client)).missing.length, 6));
  assert.ok(took < 1000 + 2 * promptMs, `${took} ms`);
});

test("peers: a backend that never answers tools/list makes one list wait, and not each", async () => {
  await using gateway = await Gateway.start({
    backends: { hung: rawStdio("--hang-list"), alike: rawStdio("--hang-list"), good: rawStdio() },
    timeouts: { list: "3s" },
  });
  await gateway.up("hung", "alike", "good");
  const client = await gateway.client();
  const first = await timed(() => listTools(client));
  assert.ok(first < 3_000 + promptMs, `${first} ms`);
  const again = await timed(async () => {
    for (let count = 0; count < 5; count++) {
      const { names, missing } = await listTools(client);
      assert.deepEqual([names.length, missing], [5, ["hung", "alike"]]);
    }
  });
  assert.ok(again < 6_000, `five more lists took ${again} ms`);
  // What it cannot list it can still do.
  assert.match(await callText(client, "hung__echo"), /"name":"echo"/);
});

test("peers: a dead backend that is added while the gateway runs fails only its own calls", async () => {
  const good = rawStdio();
  await using gateway = await Gateway.start({ backends: { good } });
  const client = await gateway.client();
  await callText(client, "good__echo");
  gateway.replace({ backends: { good, dead: { url: deadUrl }, gone: { command: "no-such-program-anywhere" } } });
  await gateway.applied("good", "dead", "gone");
  assert.match(await callText(client, "good__echo"), /"name":"echo"/);
  const { names, missing } = await listTools(client);
  assert.deepEqual([names.length, missing], [5, ["dead", "gone"]]);
  assert.match(await (await gateway.client()).request("ping"), /"result":\{\}/);
  assert.equal(await gateway.ready(), 200);
  assert.match(errorOf(await call(client, "dead__any")).message, /backend "dead"/);
});

test("peers: a backend's refusal is a clear error that names the backend and the status", async () => {
  const statuses = ["401", "404", "500"];
  const servers = await Promise.all(statuses.map((status) => startHttpServer(rawScript, ["--status", status])));
  await using stack = new AsyncDisposableStack();
  for (const server of servers) stack.use(server);
  const backends = Object.fromEntries(servers.map(({ url }, index) => [`s${statuses[index] ?? ""}`, { url }]));
  await using gateway = await Gateway.start({ backends });
  const client = await gateway.client();
  for (const status of statuses) {
    const { message, data } = errorOf(await call(client, `s${status}__any`));
    assert.match(message, new RegExp(`backend "s${status}" .*HTTP ${status}`));
    assert.doesNotMatch(message, /<html>/);
    assert.equal(Reflect.get(Object(data), "backend"), `s${status}`);
  }
  assert.equal((await gateway.health()).status, "unavailable");
  assert.equal(await gateway.ready(), 503);
});
