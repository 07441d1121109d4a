// How `mcpctl serve` starts and ends: draining, signals, the end of its input, exit codes.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { call, callText, errorOf, Gateway, gone, pidsOf, rawStdio, recorded, timed, until } from "./kit.ts";
import { isAlive, runtimeCommand, startProcess } from "../kit/process.ts";
import type { Exit } from "../kit/process.ts";
import type { RawClient, RawResponse } from "../kit/raw-client.ts";

/** Waits until a call of the tool has reached the raw server that records to `file`. */
async function arrived(file: string, tool: string): Promise<void> {
  await until(() => recorded(file).some((line) => line.includes(`"name":"${tool}"`)), `a call of ${tool}`);
}

/** True where the gateway takes no new call: the connection is refused, or the answer is 503 as JSON-RPC. */
async function isRefused(client: RawClient): Promise<boolean> {
  let response: RawResponse;
  try {
    response = await client.post({ jsonrpc: "2.0", id: 9, method: "ping" });
  } catch {
    return true;
  }
  if (response.status === 200) return false;
  assert.equal(response.status, 503);
  assert.match(response.text, /"error":\{"code":-32000,"message":"the gateway is shutting down"/);
  return true;
}

test("lifecycle: SIGTERM lets a call in flight end, takes no new one, ends the children and exits with 0", async () => {
  await using gateway = await Gateway.start({ backends: {} });
  const file = gateway.path("record");
  gateway.replace({ backends: { child: rawStdio("--record", file) }, timeouts: { drain: "20s" } });
  await gateway.applied("child");
  const [client, other] = [await gateway.client(), await gateway.client()];
  const { pid } = await pidsOf(client, "child__pid");
  const slow = callText(client, "child__wait", { ms: 3000 });
  await arrived(file, "wait");
  gateway.proc.kill("SIGTERM");
  await until(() => isRefused(other), "new calls are refused", 2_800);
  assert.equal(gateway.proc.exit, undefined);
  assert.equal(await slow, "done");
  assert.deepEqual(await gateway.proc.exited, { code: 0, signal: null });
  assert.ok(!isAlive(pid));
});

test("lifecycle: an open event stream and idle connections do not hold the end", async () => {
  await using gateway = await Gateway.start({ backends: { child: rawStdio() }, timeouts: { drain: "20s" } });
  const client = await gateway.client();
  await callText(client, "child__echo");
  await using stream = await client.get();
  assert.equal(stream.status, 200);
  gateway.proc.kill("SIGTERM");
  const took = await timed(() => gateway.proc.exited);
  assert.equal(gateway.proc.exit?.code, 0);
  assert.ok(took < 15_000, `${took} ms`);
});

test("lifecycle: a call that is slower than the drain timeout is cut", async () => {
  await using gateway = await Gateway.start({ backends: { child: rawStdio() }, timeouts: { drain: "300ms" } });
  const client = await gateway.client();
  const { pid } = await pidsOf(client, "child__pid");
  const hung = client.request("tools/call", { name: "child__hang" }).catch(String);
  await until(
    async () => (await fetch(new URL("/health", gateway.url())).then((r) => r.text())).includes('"inFlight":1'),
    "the call is in flight",
  );
  gateway.proc.kill("SIGTERM");
  const took = await timed(() => gateway.proc.exited);
  assert.deepEqual(gateway.proc.exit, { code: 0, signal: null });
  assert.ok(took > 250 && took < 20_000, `${took} ms`);
  assert.doesNotMatch(await hung, /"result"/);
  assert.ok(!isAlive(pid));
});

test("lifecycle: a second signal ends it at once, and no child is left", async () => {
  await using gateway = await Gateway.start({
    backends: { child: rawStdio("--grandchild", "--ignore-sigterm") },
    timeouts: { drain: "60s" },
  });
  const client = await gateway.client();
  const { pid, grandchild } = await pidsOf(client, "child__pid");
  const hung = client.request("tools/call", { name: "child__hang" }).catch(String);
  const other = await gateway.client();
  gateway.proc.kill("SIGTERM");
  await until(() => isRefused(other), "it drains");
  gateway.proc.kill("SIGTERM");
  const took = await timed(() => gateway.proc.exited);
  assert.ok(took < 20_000, `${took} ms`);
  assert.equal(gateway.proc.exit?.code, 143);
  await hung;
  await gone(pid, grandchild);
});

const line = (message: object): string => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;
const hello =
  line({ id: 0, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: {} } }) +
  line({ method: "notifications/initialized" });
const calling = (id: number, name: string): string => line({ id, method: "tools/call", params: { name } });

test("lifecycle: serve --stdio ends with 0 when its input ends, and its children are gone", async () => {
  await using gateway = Gateway.startStdio({ backends: { child: rawStdio("--grandchild") } });
  gateway.proc.write(hello + calling(1, "child__pid"));
  const [, pid = "", grandchild = ""] = await gateway.proc.line(/"id":1,.*pid\\":(\d+).*grandchild\\":(\d+)/);
  gateway.proc.end();
  assert.deepEqual(await gateway.proc.exited, { code: 0, signal: null });
  // A signal that was sent may still be on its way.
  await gone(Number(pid), Number(grandchild));
  for (const text of gateway.proc.stdout.split("\n").filter(Boolean)) assert.match(text, /^\{"jsonrpc":"2\.0",/);
});

test("lifecycle: serve --stdio drains on SIGTERM as well", async () => {
  await using gateway = Gateway.startStdio({ backends: { child: rawStdio() } });
  gateway.proc.write(hello + calling(1, "child__pid"));
  const [, pid = ""] = await gateway.proc.line(/"id":1,.*pid\\":(\d+)/);
  gateway.proc.kill("SIGTERM");
  assert.deepEqual(await gateway.proc.exited, { code: 0, signal: null });
  assert.ok(!isAlive(Number(pid)));
});

/** Runs `mcpctl` to its end. */
async function run(cwd: string, ...args: string[]): Promise<Exit & { stderr: string }> {
  await using proc = startProcess(...runtimeCommand("cli/main.ts", ...args), { cwd });
  const exit = await proc.exited;
  assert.equal(proc.stdout, "");
  return { ...exit, stderr: proc.stderr };
}

test("lifecycle: mistakes have exit codes and messages that name the place and the remedy", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lifecycle-"));
  try {
    writeFileSync(join(folder, "bad.yaml"), "backends:\n  one:\n    comand: x\n  two:\n    url: 12\nnaming: both\n");
    const bad = await run(folder, "serve", "-c", "bad.yaml", "--port", "0");
    assert.equal(bad.code, 3);
    assert.match(bad.stderr, /bad\.yaml:3:5/);
    assert.match(bad.stderr, /command/);
    assert.match(bad.stderr, /bad\.yaml:5:/);
    assert.match(bad.stderr, /bad\.yaml:6:/);
    const none = await run(folder, "serve", "-c", "absent.yaml");
    assert.equal(none.code, 3);
    assert.match(none.stderr, /absent\.yaml/);
    const flag = await run(folder, "serve", "--prot", "1");
    assert.deepEqual([flag.code, /--port/.test(flag.stderr)], [2, true], flag.stderr);
    const port = await run(folder, "serve", "--demo", "--port", "70000");
    assert.equal(port.code, 2, port.stderr);
    const command = await run(folder, "sevre");
    assert.deepEqual([command.code, /serve/.test(command.stderr)], [2, true], command.stderr);
    const open = await run(folder, "serve", "--demo", "--host", "0.0.0.0", "--port", "0");
    assert.equal(open.code, 3);
    assert.match(open.stderr, /0\.0\.0\.0[^]*--insecure/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("lifecycle: a port that is in use is said clearly, and its child is not left behind", async () => {
  await using gateway = await Gateway.start({ backends: { child: rawStdio() } });
  const { port } = new URL(gateway.url());
  const second = await run(gateway.folder, "serve", "-c", gateway.file, "--port", port);
  assert.equal(second.code, 3, second.stderr);
  assert.match(second.stderr, new RegExp(`127\\.0\\.0\\.1:${port} is in use`));
  assert.doesNotMatch(second.stderr, /\n\s+at /);
  const client = await gateway.client();
  assert.match(errorOf(await call(client, "child__fail", { error: '{"code":1,"message":"here"}' })).message, /here/);
});
