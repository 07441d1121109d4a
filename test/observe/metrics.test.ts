// Metrics: what they are called, how many there can be, who gets them, and what is never in them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { observeDefaults } from "../../lib/config/observe.ts";
import type { Plan } from "../../lib/config/plan.ts";
import type { Gateway } from "../../lib/gateway.ts";
import { authPlan, keyOf } from "../front/auth-kit.ts";
import { callMessage, createGateway, FrontClient, read } from "../front/kit.ts";
import { promtool, prometheusFolder } from "../kit/prometheus.ts";
import { FaultyServer, metricsOf, parseMetrics, scrape, sumOf, tool } from "./kit.ts";

const openMetrics = "application/openmetrics-text; version=1.0.0";

const compare = (a = "", b = ""): number => (a < b ? -1 : 1);

/** A gateway with one backend, up and listed. */
async function started(server: FaultyServer, more: Partial<Plan> = {}): Promise<Gateway> {
  const gateway = await createGateway({ plan: more }, { peer: server.url });
  await gateway.arrivals(60_000);
  return gateway;
}

test("metrics: requests are counted by method, tool and kind of error", async () => {
  await using server = await FaultyServer.start();
  const gateway = await started(server);
  const client = new FrontClient(gateway);
  await client.initialize();
  for (const [at, name] of ["ok", "ok", "fail", "wrong", "own", "drop"].entries())
    await client.post(tool(`peer__${name}`, at + 1));
  await client.post(tool("nobody__ok", 10));
  await client.post(callMessage(11, "tools/list"));
  const samples = await metricsOf(gateway);
  const requests = (labels: Readonly<Record<string, string>>): number =>
    sumOf(samples, "mcp_server_operation_duration_seconds_count", labels);
  const call = { mcp_method_name: "tools/call" };
  assert.equal(requests({ ...call, gen_ai_tool_name: "peer__ok", backend: "peer" }), 2);
  assert.equal(requests({ ...call, gen_ai_tool_name: "peer__fail", error_type: "tool_error" }), 1);
  assert.equal(requests({ ...call, gen_ai_tool_name: "peer__wrong", error_type: "-32602" }), 1);
  assert.equal(requests({ ...call, gen_ai_tool_name: "peer__own", error_type: "application_error" }), 1);
  assert.equal(requests({ ...call, gen_ai_tool_name: "peer__drop", error_type: "lost" }), 1);
  assert.equal(requests({ ...call, gen_ai_tool_name: "other" }), 1);
  assert.equal(requests({ mcp_method_name: "tools/list" }), 1);
  assert.equal(requests({ mcp_method_name: "initialize" }), 1);
  assert.equal(sumOf(samples, "mcpctl_requests_total", call), 7);
  assert.equal(sumOf(samples, "mcpctl_errors_total", { ...call, backend: "peer" }), 4);
  assert.ok(sumOf(samples, "mcp_client_operation_duration_seconds_count", { ...call, error_type: "lost" }) >= 1);
  // All parts of a time add up.
  const sum = (name: string): number => sumOf(samples, `${name}_sum`);
  assert.ok(sum("mcpctl_overhead_seconds") > 0);
  assert.ok(sum("mcpctl_overhead_seconds") < sum("mcp_server_operation_duration_seconds"));
  const [figures] = (await gateway.observing?.figures()) ?? [];
  assert.deepEqual([figures?.name, figures?.state, figures?.calls, figures?.errors], ["peer", "up", 6, 4]);
  assert.ok((figures?.latency.p50 ?? 0) > 0 && (figures?.latency.p99 ?? 0) < 10);
  const slowest = figures?.slowest.map(({ tool: name, calls }) => `${name} ${calls}`).toSorted(compare);
  assert.deepEqual(slowest, ["peer__drop 1", "peer__fail 1", "peer__ok 2", "peer__own 1", "peer__wrong 1"]);
  await gateway.close();
});

test("metrics: there are no more series than are allowed, whatever clients call", async () => {
  await using server = await FaultyServer.start();
  const metrics = { ...observeDefaults.metrics, maxTools: 2 };
  const gateway = await started(server, { observe: { ...observeDefaults, metrics } });
  const client = new FrontClient(gateway);
  await client.initialize();
  const before = await metricsOf(gateway);
  for (const [at, name] of ["ok", "fail", "wrong", "own"].entries()) await client.post(tool(`peer__${name}`, at));
  for (let at = 0; at < 300; at += 1) {
    await client.post(tool(`peer__secret${at}`, at));
    await client.post({ jsonrpc: "2.0", id: at, method: `x/${at}`, params: {} });
  }
  const text = await scrape(gateway);
  const names = new Set([...text.matchAll(/gen_ai_tool_name="([^"]*)"/g)].map(([, name]) => name));
  assert.deepEqual([...names].toSorted(compare), ["other", "peer__fail", "peer__ok"]);
  assert.ok(!text.includes("secret"), "a name that only the client knows is in the metrics");
  assert.ok(!text.includes("x/1"), "a method that only the client knows is in the metrics");
  assert.ok(parseMetrics(text).size < before.size + 400, `${parseMetrics(text).size} samples`);
  await gateway.close();
});

test("metrics: neither arguments nor headers, sessions, keys or results are in them", async () => {
  await using server = await FaultyServer.start();
  const ada = keyOf("ada");
  const gateway = await createGateway(
    { plan: { auth: authPlan({ keys: [ada] }) } },
    { peer: `${server.url}?token=s3cret` },
  );
  await gateway.arrivals(60_000);
  const client = new FrontClient(gateway);
  client.token = ada.key;
  await client.initialize();
  await client.post(tool("peer__ok", 1, { password: "hunter2" }), { "x-secret": "s3cret" });
  await client.post(tool("peer__fail", 2, { password: "hunter2" }));
  client.path = "/metrics";
  const { text, status } = await read(await client.send("GET", undefined, { accept: "*/*" }));
  assert.equal(status, 200);
  for (const secret of ["hunter2", "s3cret", ada.key, ada.hash, client.sessionId ?? "-", "well", "it failed"])
    assert.ok(!text.includes(secret), secret);
  // Strangers get none at all, and are counted.
  client.token = undefined;
  assert.equal((await client.send("GET")).status, 401);
  client.token = ada.key;
  assert.ok(sumOf(parseMetrics((await read(await client.send("GET"))).text), "mcpctl_refused_requests_total") > 0);
  await gateway.close();
});

test("metrics: on an address that others reach they want authentication, or an address of their own", async () => {
  await using server = await FaultyServer.start();
  const open = await started(server, { listen: { host: "0.0.0.0", port: 1 } });
  const client = new FrontClient(open);
  client.path = "/metrics";
  assert.equal((await client.send("GET")).status, 403);
  assert.equal((await client.send("GET", undefined, { origin: "http://evil.example" })).status, 403);
  await open.close();

  const logged: string[] = [];
  const door = { host: "127.0.0.1", port: 0 };
  const observe = { ...observeDefaults, metrics: { ...observeDefaults.metrics, listen: door } };
  await using apart = await disposable(await createGateway({ plan: { observe } }, { peer: server.url }, logged));
  const there = (): string | undefined => logged.join("\n").match(/metrics at (\S+)/)?.[1];
  while (there() === undefined) await new Promise((resolve) => setImmediate(resolve));
  const url = there() ?? "";
  assert.match(await (await fetch(url)).text(), /mcpctl_build_info/);
  assert.equal((await fetch(new URL("/mcp", url))).status, 404);
  const inside = new FrontClient(apart.gateway);
  inside.path = "/metrics";
  assert.equal((await inside.send("GET")).status, 404);

  const none = await started(server, { observe: { ...observeDefaults, metrics: { isOff: true, maxTools: 0 } } });
  const off = new FrontClient(none);
  off.path = "/metrics";
  assert.equal((await off.send("GET")).status, 404);
  await none.close();
});

async function disposable(gateway: Gateway): Promise<AsyncDisposable & { readonly gateway: Gateway }> {
  await gateway.settled(60_000);
  return { gateway, [Symbol.asyncDispose]: () => gateway.close() };
}

test("metrics: both formats are what promtool takes", { skip: prometheusFolder === undefined }, async () => {
  await using server = await FaultyServer.start();
  const gateway = await started(server);
  const client = new FrontClient(gateway);
  await client.initialize();
  for (const [at, name] of ["ok", "fail", "drop"].entries()) await client.post(tool(`peer__${name}`, at + 1));
  const plain = await scrape(gateway);
  assert.deepEqual(promtool(["check", "metrics"], plain), { code: 0, output: "" });
  const open = await scrape(gateway, openMetrics);
  assert.ok(open.endsWith("\n# EOF\n"));
  assert.match(open, /^# TYPE mcpctl_requests counter$/m);
  const counted = (text: string): string[] => [...parseMetrics(text).keys()].toSorted();
  assert.deepEqual(counted(open), counted(plain));
  await gateway.close();
});
