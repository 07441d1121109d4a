// Links that die: the next call finds a new one, a call in flight gets the truth, and nothing runs twice.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import {
  call,
  callText,
  errorOf,
  Gateway,
  gone,
  listTools,
  pidsOf,
  rawStdio,
  recorded,
  recordOf,
  until,
} from "./kit.ts";
import { connectClient } from "../kit/client.ts";
import { isAlive, startHttpServer } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";

const rawScript = "test/kit/raw-server.ts";

/** How often a line with this text was received. */
const countOf = (file: string, text: string): number => recorded(file).filter((line) => line.includes(text)).length;

/** A gateway over nothing yet, so that its folder can hold what backends record. */
const startEmpty = (): Promise<Gateway> => Gateway.start({ backends: {} });

test("crash: a killed child is replaced for the next call; the call in flight is told the truth and not repeated", async () => {
  await using gateway = await startEmpty();
  const file = gateway.path("record");
  gateway.replace({ backends: { child: rawStdio("--record", file), other: rawStdio() } });
  await gateway.applied("child", "other");
  const client = await gateway.client();
  const first = await pidsOf(client, "child__pid");
  const other = await pidsOf(client, "other__pid");
  const hung = call(client, "child__hang", { nonce: "only-once" });
  await until(() => countOf(file, "only-once") === 1, "the call has arrived");
  process.kill(first.pid, "SIGKILL");
  const { code, message, data } = errorOf(await hung);
  assert.equal(code, -32000);
  assert.match(message, /backend "child" was ended by SIGKILL/);
  assert.deepEqual([recordOf(data)["backend"], recordOf(data)["sent"]], ["child", true]);
  const second = await pidsOf(client, "child__pid");
  assert.notEqual(second.pid, first.pid);
  assert.equal(countOf(file, "only-once"), 1);
  assert.equal((await pidsOf(client, "other__pid")).pid, other.pid);
  await gone(first.pid);
});

test("crash: twenty calls right after the child died all succeed, on one new child", async () => {
  await using gateway = await startEmpty();
  const file = gateway.path("record");
  gateway.replace({ backends: { child: rawStdio("--record", file) } });
  await gateway.applied("child");
  const client = await gateway.client();
  const { pid } = await pidsOf(client, "child__pid");
  errorOf(await call(client, "child__reset"));
  const clients = await Promise.all(Array.from({ length: 20 }, () => gateway.client()));
  const texts = await Promise.all(clients.map((each, index) => callText(each, "child__echo", { nonce: `n${index}.` })));
  for (const [index, text] of texts.entries()) assert.ok(text.includes(`n${index}.`));
  for (let index = 0; index < 20; index++) assert.equal(countOf(file, `"n${index}."`), 1);
  assert.equal(countOf(file, '"initialize"'), 2);
  assert.ok(!isAlive(pid));
});

test("crash: when the first replica dies the second one serves", async () => {
  const one = await startHttpServer(rawScript, ["--no-get"]);
  await using two = await startHttpServer(rawScript);
  await using gateway = await Gateway.start({
    backends: {
      both: { balance: "priority", replicas: [{ url: one.url }, { url: two.url }] },
      mixed: { balance: "priority", replicas: [{ url: one.url }, rawStdio()] },
    },
  });
  for (const backend of ["both", "mixed"])
    for (const replica of [0, 1])
      await gateway.proc.line(new RegExp(`backend ${backend}: is up.*: replica ${replica}`), "stderr");
  const client = await gateway.client();
  assert.equal((await pidsOf(client, "both__pid")).pid, one.proc.pid);
  await one[Symbol.asyncDispose]();
  // A call that leaves before the gateway has heard of the end is lost, and must not be sent again.
  const moved = async (): Promise<boolean> => {
    const { both, mixed } = (await gateway.health()).backends;
    return both?.replica === 1 && mixed?.replica === 1;
  };
  await until(moved, "the second replicas serve");
  assert.equal((await pidsOf(client, "both__pid")).pid, two.proc.pid);
  assert.notEqual((await pidsOf(client, "mixed__pid")).pid, two.proc.pid);
  assert.equal((await gateway.health()).status, "ok");
  assert.deepEqual((await listTools(client)).missing, []);
});

test("crash: a lost HTTP session is opened again once for twenty calls at the same time, each delivered once", async () => {
  await using gateway = await startEmpty();
  const file = gateway.path("record");
  await using server = await startHttpServer(rawScript, ["--record", file, "--no-get"]);
  gateway.replace({ backends: { http: { url: server.url } } });
  await gateway.applied("http");
  const client = await gateway.client();
  await callText(client, "http__forget");
  const calls = Array.from({ length: 20 }, (_, index) => callText(client, "http__echo", { nonce: `n${index}.` }));
  for (const [index, text] of (await Promise.all(calls)).entries()) assert.ok(text.includes(`n${index}.`));
  assert.equal(countOf(file, '"initialize"'), 2);
  assert.equal(countOf(file, '"notifications/initialized"'), 2);
  // The server records what it refuses as well, and runs none of it.
  for (let index = 0; index < 20; index++) assert.ok(countOf(file, `"n${index}."`) <= 2, `call ${index}`);
});

test("crash: a server that forgets its sessions again and again costs no call", async () => {
  await using server = await startHttpServer(rawScript, ["--session-loss", "4"]);
  await using gateway = await Gateway.start({ backends: { http: { url: server.url } } });
  const client = await gateway.client();
  for (let count = 0; count < 30; count++)
    assert.match(await callText(client, "http__echo", { count }), new RegExp(`"count\\\\?":${count}`));
});

test("crash: a POST is delivered once when its connection is reset, also on a connection that was used before", async () => {
  await using gateway = await startEmpty();
  const file = gateway.path("record");
  await using server = await startHttpServer(rawScript, ["--record", file]);
  gateway.replace({ backends: { http: { url: server.url } } });
  await gateway.applied("http");
  const client = await gateway.client();
  for (let count = 0; count < 5; count++) {
    await callText(client, "http__echo");
    const { code, message, data } = errorOf(await call(client, "http__reset", { nonce: `reset-${count}` }));
    assert.equal(code, -32000);
    assert.match(message, /backend "http".*closed the connection/);
    assert.equal(recordOf(data)["sent"], true);
  }
  for (let count = 0; count < 5; count++) assert.equal(countOf(file, `reset-${count}`), 1);
  assert.match(await callText(client, "http__echo"), /echo/);
});

test("crash: a stream that ends before its answer is resumed with Last-Event-ID, and the call is not repeated", async () => {
  await using gateway = await startEmpty();
  const file = gateway.path("record");
  await using server = await startHttpServer(rawScript, ["--record", file, "--cut"]);
  gateway.replace({ backends: { http: { url: server.url } } });
  await gateway.applied("http");
  // A client of the newest revision is told to poll; for others the gateway does so.
  await using polling = await connectClient({ url: gateway.url() });
  assert.match(await polling.callText("http__echo", { nonce: "cut-one" }), /cut-one/);
  const waiting = new RawClient(gateway.url());
  await waiting.initialize("2025-06-18");
  assert.match(await callText(waiting, "http__echo", { nonce: "cut-two" }), /cut-two/);
  for (const nonce of ["cut-one", "cut-two"]) assert.equal(countOf(file, nonce), 1);
});

test("crash: a redirect to the same server is followed with method and body", async () => {
  await using gateway = await startEmpty();
  const file = gateway.path("record");
  await using server = await startHttpServer(rawScript, ["--record", file, "--redirect"]);
  gateway.replace({ backends: { http: { url: server.url } } });
  await gateway.applied("http");
  const client = await gateway.client();
  assert.match(await callText(client, "http__echo", { nonce: "moved" }), /moved/);
  assert.equal((await listTools(client)).names.length, 5);
  assert.equal(countOf(file, '"moved"'), 1);
  assert.equal((await gateway.health()).status, "ok");
});

test("crash: a child that dies at every start is tried again with growing pauses, and is named", async () => {
  await using gateway = await startEmpty();
  const file = gateway.path("record");
  gateway.replace({ backends: { child: rawStdio("--exit-after-init", "--record", file), good: rawStdio() } });
  await gateway.applied("child", "good");
  const client = await gateway.client();
  await gateway.up("good");
  await until(async () => (await gateway.health()).backends["child"]?.state === "reconnecting", "it counts as down");
  assert.match(
    (await gateway.health()).backends["child"]?.error ?? "",
    /backend "child" (?:exited with code 0|closed its output)/,
  );
  assert.equal(await callText(client, "good__wait", { ms: 700 }), "done");
  const starts = countOf(file, '"initialize"');
  assert.ok(starts >= 2 && starts <= 3, `${starts} starts`);
});
