// A running gateway follows its config: what changed is replaced, what did not change lives on, mistakes change nothing.
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { callText, deadUrl, Gateway, gone, listTools, pidsOf, rawStdio, recorded, until } from "./kit.ts";
import type { GatewayConfig } from "./kit.ts";
import { isAlive } from "../kit/process.ts";

const good = rawStdio();
const extra = rawStdio("--tools", "more");

test("reload: a rename adds, changes and removes backends; the others keep their links and their calls", async () => {
  await using gateway = await Gateway.start({ backends: { good, extra } });
  const client = await gateway.client();
  await using stream = await client.get();
  const { pid } = await pidsOf(client, "good__pid");
  const held = callText(client, "good__wait", { ms: 1500 });
  gateway.replace({ backends: { good, fresh: extra } });
  await gateway.applied("good", "fresh");
  for (let event = await stream.next(); !event?.data.includes("tools/list_changed"); event = await stream.next())
    assert.ok(event);
  const { names } = await listTools(client);
  assert.ok(names.includes("fresh__more") && !names.includes("extra__more"), names.join(" "));
  gateway.replace({ backends: { fresh: rawStdio("--tools", "changed"), good } });
  await gateway.applied("fresh", "good");
  assert.match(await callText(client, "fresh__changed"), /"name":"changed"/);
  assert.ok(!(await listTools(client)).names.includes("fresh__more"));
  assert.equal((await pidsOf(client, "good__pid")).pid, pid, "an unchanged backend was started again");
  assert.equal(await held, "done");
});

test("reload: clients hear of a backend that is only removed", async () => {
  await using gateway = await Gateway.start({ backends: { good, extra } });
  const client = await gateway.client();
  await using stream = await client.get();
  let changes = 0;
  const reading = (async () => {
    for (let event = await stream.next(); event !== undefined; event = await stream.next()) {
      if (event.data.includes("tools/list_changed")) changes += 1;
    }
  })().catch(() => {});
  await listTools(client);
  // What the start itself had to tell has been told by then.
  await callText(client, "good__wait", { ms: 200 });
  const before = changes;
  gateway.replace({ backends: { good } });
  await gateway.applied("good");
  await until(() => changes > before, "tools/list_changed", 2000);
  await stream.close();
  await reading;
});

test("reload: a call in flight on a removed or changed backend ends before its link does", async () => {
  await using gateway = await Gateway.start({ backends: {} });
  const [one, two] = [gateway.path("one"), gateway.path("two")];
  gateway.replace({ backends: { one: rawStdio("--record", one), two: rawStdio("--record", two) } });
  await gateway.applied("one", "two");
  const client = await gateway.client();
  const pids = [(await pidsOf(client, "one__pid")).pid, (await pidsOf(client, "two__pid")).pid];
  const calls = [callText(client, "one__wait", { ms: 1500 }), callText(client, "two__wait", { ms: 1500 })];
  await until(() => [one, two].every((file) => recorded(file).some((text) => text.includes('"wait"'))), "both calls");
  gateway.replace({ backends: { two: rawStdio("--tools", "changed") } });
  await gateway.applied("two");
  assert.match(await callText(client, "two__changed"), /"name":"changed"/);
  assert.ok(pids.every(isAlive));
  assert.deepEqual(await Promise.all(calls), ["done", "done"]);
  await gone(...pids);
});

test("reload: a file that is written in place, bit by bit, is read when it is complete", async () => {
  await using gateway = await Gateway.start({ backends: { good } });
  const client = await gateway.client();
  const { pid } = await pidsOf(client, "good__pid");
  // Each part of it is no config; the first one is empty.
  const text = JSON.stringify({ backends: { good, extra } });
  writeFileSync(gateway.file, "");
  for (let at = 0; at < text.length; at += Math.ceil(text.length / 3)) {
    // So slow that a watcher finds the same part of it twice.
    await callText(client, "good__wait", { ms: 600 });
    appendFileSync(gateway.file, text.slice(at, at + Math.ceil(text.length / 3)));
  }
  await gateway.applied("good", "extra");
  assert.ok((await listTools(client)).names.includes("extra__more"));
  assert.equal((await pidsOf(client, "good__pid")).pid, pid);
  assert.doesNotMatch(gateway.proc.stderr, /mistake|config applied: no backends/);
});

test("reload: a symlink swap of a mounted config map is a change", async () => {
  await using gateway = await Gateway.start({ backends: { good } });
  const at = (name: string): string => join(gateway.folder, name);
  const mount = (version: string, config: GatewayConfig): void => {
    mkdirSync(at(version));
    writeFileSync(at(`${version}/mcpctl.json`), JSON.stringify(config));
    symlinkSync(version, at("..data_tmp"));
    renameSync(at("..data_tmp"), at("..data"));
  };
  mount("..v1", { backends: { good, first: extra } });
  unlinkSync(gateway.file);
  symlinkSync("..data/mcpctl.json", gateway.file);
  await gateway.applied("good", "first");
  const client = await gateway.client();
  const { pid } = await pidsOf(client, "good__pid");
  mount("..v2", { backends: { second: extra, good } });
  await gateway.applied("second", "good");
  assert.ok((await listTools(client)).names.includes("second__more"));
  assert.equal((await pidsOf(client, "good__pid")).pid, pid);
});

test("reload: SIGHUP applies a change at once", async () => {
  await using gateway = await Gateway.start({ backends: { good } });
  const client = await gateway.client();
  const { pid } = await pidsOf(client, "good__pid");
  const config = JSON.stringify({ backends: { good, extra } });
  writeFileSync(gateway.file, config);
  // A file that is written in place again and again never counts as complete.
  const writing = setInterval(() => writeFileSync(gateway.file, config), 50);
  try {
    process.kill(gateway.proc.pid, "SIGHUP");
    await gateway.applied("good", "extra");
  } finally {
    clearInterval(writing);
  }
  assert.match(await callText(client, "extra__more"), /"name":"more"/);
  assert.equal((await pidsOf(client, "good__pid")).pid, pid);
});

test("reload: a config with mistakes leaves the running one in place and says where they are", async () => {
  await using gateway = await Gateway.start({ backends: { good } });
  const client = await gateway.client();
  const { pid } = await pidsOf(client, "good__pid");
  gateway.replace('{\n  "backends": {\n    "good": { "comand": "x" }\n  }\n}\n');
  await gateway.proc.line(/the running one stays in place/, "stderr");
  await gateway.proc.line(/mcpctl\.json:3:15/, "stderr");
  gateway.replace("{ this is no JSON");
  await gateway.proc.line(/mcpctl\.json:1:\d+/, "stderr");
  unlinkSync(gateway.file);
  process.kill(gateway.proc.pid, "SIGHUP");
  assert.equal((await pidsOf(client, "good__pid")).pid, pid);
  assert.equal(await gateway.ready(), 200);
  gateway.replace({ backends: { good, dead: { url: deadUrl } } });
  await gateway.applied("good", "dead");
  assert.equal((await pidsOf(client, "good__pid")).pid, pid);
});

test("reload: an endpoint of one backend comes and goes with it", async () => {
  await using gateway = await Gateway.start({ backends: { good } });
  const client = await gateway.client();
  assert.deepEqual((await listTools(await gateway.client("good"))).names.length, 5);
  assert.equal((await fetch(gateway.url("extra"), { method: "POST", body: "{}" })).status, 404);
  gateway.replace({ backends: { good, extra } });
  await gateway.applied("good", "extra");
  assert.deepEqual((await listTools(await gateway.client("extra"))).names, ["more"]);
  gateway.replace({ backends: { good } });
  await gateway.applied("good");
  assert.equal((await fetch(gateway.url("extra"), { method: "POST", body: "{}" })).status, 404);
  assert.equal((await listTools(client)).missing.length, 0);
});
