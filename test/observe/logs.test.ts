// The log: as JSON or for people, as much of each component as is asked for, a line for each request, and no secrets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, rawStdio, recordOf, until } from "../e2e/kit.ts";
import { mcpctl } from "../cli/kit.ts";
import type { Proc } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";
import { FaultyServer } from "./kit.ts";

type Line = Readonly<Record<string, unknown>>;

const linesOf = (proc: Proc, stream: "stdout" | "stderr" = "stderr"): readonly Line[] =>
  proc[stream]
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => recordOf(JSON.parse(line)));

async function callAll(url: string, names: readonly string[]): Promise<void> {
  const client = new RawClient(url);
  await client.initialize();
  for (const [at, name] of names.entries())
    await client.request("tools/call", { name, arguments: { password: "hunter2" } }, at + 1);
}

test("log: as JSON every line is an object, with the request's id, principal, backend, tool, class and times", async () => {
  await using server = await FaultyServer.start();
  const log = { format: "json", requests: "all" };
  await using gateway = await Gateway.start({ backends: { b: { url: `${server.url}?key=s3cret` } }, log });
  await until(() => gateway.proc.stderr.includes('"is up'), "the backend is up");
  await callAll(gateway.url(), ["b__ok", "b__fail", "b__drop"]);
  const requests = (): readonly Line[] => linesOf(gateway.proc).filter(({ component }) => component === "request");
  await until(() => requests().filter(({ method }) => method === "tools/call").length === 3, "three requests");
  const [ok, fail, drop] = requests().filter(({ method }) => method === "tools/call");
  assert.deepEqual(
    [ok, fail, drop].map((line) => [line?.["level"], line?.["id"], line?.["tool"], line?.["backend"], line?.["class"]]),
    [
      ["info", "1", "b__ok", "b", "ok"],
      ["warn", "2", "b__fail", "b", "tool_error"],
      ["warn", "3", "b__drop", "b", "lost"],
    ],
  );
  assert.equal(ok?.["principal"], "anonymous");
  for (const key of ["ms", "backendMs", "overheadMs"]) assert.ok(Number(ok?.[key]) > 0, key);
  assert.ok(Math.abs(Number(ok?.["ms"]) - Number(ok?.["backendMs"]) - Number(ok?.["overheadMs"])) < 0.01);
  // Why it failed, down to the first reason.
  const error = recordOf(drop?.["error"]);
  assert.equal(error["code"], "lost");
  assert.match(String(error["stack"]), /GatewayError/);
  assert.ok(Array.isArray(error["causes"]));
  for (const line of linesOf(gateway.proc)) {
    assert.ok(!Number.isNaN(Date.parse(String(line["time"]))) && typeof line["message"] === "string");
  }
  for (const secret of ["hunter2", "s3cret"]) assert.ok(!gateway.proc.stderr.includes(secret), secret);
});

test("log: each component has a level of its own, and requests are logged only where they are wanted", async () => {
  await using server = await FaultyServer.start();
  const backends = { b: { url: server.url }, c: { url: server.url } };
  const log = { format: "json", level: "error", levels: { "backend b": "info" }, requests: "failed" };
  await using gateway = await Gateway.start({
    backends,
    log: { ...log, levels: { ...log.levels, gateway: "info", request: "warn" } },
  });
  await until(() => gateway.proc.stderr.includes('"backend":"b"'), "a line of b");
  await callAll(gateway.url(), ["b__ok", "c__ok", "c__fail"]);
  await until(() => gateway.proc.stderr.includes("tool_error"), "the failed request");
  const lines = linesOf(gateway.proc);
  assert.ok(lines.some(({ backend, component }) => backend === "b" && component === "backend"));
  assert.ok(!lines.some(({ backend, component }) => backend === "c" && component === "backend"));
  const requests = lines.filter(({ component }) => component === "request");
  assert.deepEqual(
    requests.map(({ tool }) => tool),
    ["c__fail"],
  );
});

test("log: what a child prints to stderr comes with its backend's name, in both forms", async () => {
  const backends = { noisy: rawStdio("--stderr-lines", "3") };
  for (const format of ["human", "json"] as const) {
    await using gateway = await Gateway.start({ backends, log: { format } });
    await gateway.proc.line(/e{99}/, "stderr");
    if (format === "human") assert.match(gateway.proc.stderr, /info {2}backend noisy: e{99}\n/);
    else {
      const line = linesOf(gateway.proc).find(({ message }) => message === "e".repeat(99));
      assert.deepEqual([line?.["backend"], line?.["stream"], line?.["component"]], ["noisy", "stderr", "backend"]);
    }
  }
});

test("log: flags win over the config, and a word that is none is a mistake", async () => {
  await using server = await FaultyServer.start();
  const config = { backends: { b: { url: server.url } }, log: { format: "human", level: "error" } };
  await using gateway = await Gateway.start(config, "--log-format", "json", "--log-level", "info");
  await until(() => gateway.proc.stderr.includes('"is up'), "the backend is up");
  assert.ok(linesOf(gateway.proc).length > 1);
  assert.equal(mcpctl(["serve", "--demo", "--log-format", "xml"]).code, 2);
});
