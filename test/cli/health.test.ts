// `mcpctl health` against a gateway, against servers that are none, and against nobody.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { GatewayError } from "../../lib/index.ts";
import { checkHealth } from "../../lib/toolbox.ts";
import { startScript } from "../kit/process.ts";
import { createFolder } from "./kit.ts";

const limits = { timeout: 120_000 };

interface Fake extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly string[];
}

/** Answers every request with this; 0 = with half an answer, and no end. */
async function startFake(status: number, body: string): Promise<Fake> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(status === 0 ? 200 : status, { "content-type": "application/json", location: "/elsewhere" });
    if (status === 0) response.write(body);
    else response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const healthText = (status: string): string =>
  JSON.stringify({
    status,
    version: "1.2.3",
    uptimeSeconds: 4,
    sessions: 5,
    inFlight: 6,
    backends: { a: { state: "up", transport: "stdio" } },
    new: 1,
  });

async function failure(address: string, timeoutMs: number = 5000): Promise<string> {
  try {
    await checkHealth(address, timeoutMs);
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    return `${error.code} ${error.row.exit}`;
  }
  return "none";
}

/** Not spawnSync: this process is the server. */
async function health(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await using proc = startScript("cli/main.ts", ["health", ...args]);
  const { code } = await proc.exited;
  return { code, stdout: proc.stdout, stderr: proc.stderr };
}

test("health: ok and degraded are yes, everything else is no", limits, async () => {
  for (const [status, http, healthy] of [
    ["ok", 200, true],
    ["degraded", 200, true],
    ["starting", 200, false],
    ["unavailable", 503, false],
    ["draining", 503, false],
  ] as const) {
    await using fake = await startFake(http, healthText(status));
    const answer = await checkHealth(fake.url, 5000);
    assert.deepEqual([answer.healthy, answer.status, answer.version, answer.sessions], [healthy, status, "1.2.3", 5]);
    assert.equal(answer.document["new"], 1);
    assert.deepEqual(answer.backends, [{ name: "a", state: "up", transport: "stdio", error: "" }]);
  }
});

test("health: any address of the gateway leads to /health", limits, async () => {
  await using fake = await startFake(200, healthText("ok"));
  const { host } = new URL(fake.url);
  for (const address of [
    host,
    fake.url,
    `${fake.url}/`,
    `${fake.url}/mcp`,
    `${fake.url}/mcp/fs`,
    `${fake.url}/health?x=1#y`,
  ]) {
    await checkHealth(address, 5000);
  }
  await checkHealth(`${fake.url}/behind/a/proxy/mcp`, 5000);
  assert.deepEqual(fake.asked, [...Array.from({ length: 6 }, () => "/health"), "/behind/a/proxy/health"]);
});

test("health: asks once, and says why there is no answer", limits, async () => {
  await using broken = await startFake(500, "{}");
  assert.equal(await failure(broken.url), "badProtocol 6");
  await using page = await startFake(200, "<html>");
  assert.equal(await failure(page.url), "badProtocol 6");
  await using locked = await startFake(401, "");
  assert.equal(await failure(locked.url), "unauthorized 5");
  await using moved = await startFake(302, "");
  assert.equal(await failure(moved.url), "badProtocol 6");
  for (const { asked } of [broken, page, locked, moved]) assert.deepEqual(asked, ["/health"]);
  for (const address of ["", "a:b:c", "ftp://127.0.0.1/", "http://"])
    assert.equal(await failure(address), "usage 2", address);
});

test("health: nobody there, a silent one and half an answer are unreachable, in time", limits, async () => {
  const gone = await startFake(200, "");
  await gone[Symbol.asyncDispose]();
  assert.equal(await failure(gone.url), "unreachable 4");
  await using half = await startFake(0, '{"status":');
  const startedAt = performance.now();
  assert.equal(await failure(half.url, 200), "unreachable 4");
  assert.ok(performance.now() - startedAt < 20_000);
});

test("health: the command's exit codes and formats", limits, async () => {
  await using good = await startFake(200, healthText("degraded"));
  const text = await health(good.url);
  assert.equal(text.code, 0, text.stderr);
  assert.match(
    text.stdout,
    /^degraded {2}mcpctl 1\.2\.3 at http:\/\/127\.0\.0\.1:\d+\n.*sessions: 5.*\n {2}up {2}a {2}stdio\n$/,
  );
  assert.deepEqual(JSON.parse((await health(good.url, "-o", "json")).stdout), {
    apiVersion: "mcpctl/v1",
    kind: "Health",
    ...JSON.parse(healthText("degraded")),
  });
  await using bad = await startFake(503, healthText("unavailable"));
  assert.equal((await health(bad.url, "-o", "json")).code, 1);
  await using half = await startFake(0, "{");
  const late = await health(half.url, "--timeout", "200ms");
  assert.deepEqual([late.code, late.stdout], [4, ""]);
  assert.match(late.stderr, /^error\[E4101\] .*did not answer within 200 ms\n {2}cause: .*\n {2}fix: /);
});

test("health: a real gateway, and the same one when all its backends are gone", limits, async () => {
  await using demo = startScript("cli/main.ts", ["serve", "--demo", "--port", "0"]);
  const [url] = await demo.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  await demo.line(/up +notes/, "stderr");
  const { code, stdout } = await health(url);
  assert.equal(code, 0);
  for (const line of [/^ok {2}mcpctl /, /^ {2}up {2}text /m, /^ {2}up {2}clock /m, /^ {2}up {2}notes /m])
    assert.match(stdout, line);

  using folder = createFolder({ "mcpctl.json": '{ "backends": { "gone": { "command": "/no/such/program" } } }' });
  await using dead = startScript("cli/main.ts", ["serve", "--port", "0", "-c", `${folder.path}/mcpctl.json`]);
  const [deadUrl] = await dead.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  await dead.line(/reconnecting +gone/, "stderr");
  const answer = await health(deadUrl);
  assert.equal(answer.code, 1);
  assert.match(answer.stdout, /^ {2}\w+ {2}gone {2}stdio {2}E4102 /m);
});
