// What is said of several workers: metrics of all of them at one address, and a health that says whose it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, gone, recordOf, until } from "../e2e/kit.ts";
import { startHttpServer } from "../kit/process.ts";
import { promtool, prometheusFolder } from "../kit/prometheus.ts";
import type { RawClient } from "../kit/raw-client.ts";
import { parseMetrics, type Samples, sumOf } from "../observe/kit.ts";
import { childrenOf } from "./kit.ts";

const limits = { timeout: 120_000 };
const calls = { mcp_method_name: "tools/call" };

const textAt = async (url: string): Promise<string> => {
  const response = await fetch(url, { headers: { connection: "close" } });
  assert.equal(response.status, 200);
  return await response.text();
};

async function metricsAt(url: string): Promise<Samples> {
  return parseMetrics(await textAt(url));
}

const requestsIn = (samples: Samples): number => sumOf(samples, "mcpctl_requests_total", calls);
const workersIn = (samples: Samples): number =>
  [...samples.keys()].filter((key) => key.startsWith("process_start_time_seconds{worker=")).length;

/** Each over a connection of its own, which goes to one of them. */
async function callOften(client: RawClient, count: number): Promise<void> {
  const params = { name: "b__echo", arguments: { text: "hi" } };
  for (let left = count; left > 0; left -= 1) {
    const request = { jsonrpc: "2.0", id: left, method: "tools/call", params };
    assert.equal((await client.post(request, { connection: "close" })).status, 200);
  }
}

test("workers: /metrics is of all of them, and no sum gets smaller when one ends or is exchanged", limits, async () => {
  await using server = await startHttpServer();
  await using gateway = await Gateway.start({ backends: { b: { url: server.url } } }, "--workers", "2");
  const at = new URL("/metrics", gateway.url()).href;
  await until(async () => workersIn(await metricsAt(at)) === 2, "both are there");
  const client = await gateway.client();
  await callOften(client, 20);
  const before = await metricsAt(at);
  assert.equal(requestsIn(before), 20);
  assert.equal(sumOf(before, "mcp_server_operation_duration_seconds_count", calls), 20);
  const isUp = async (): Promise<boolean> => sumOf(await metricsAt(at), "mcpctl_backend_up", { backend: "b" }) === 2;
  await until(isUp, "each of them says for itself that it is up");
  // One that had no time to say what it counted last.
  const [victim = 0] = childrenOf(gateway.proc.pid);
  process.kill(victim, "SIGKILL");
  await gone(victim);
  await until(async () => workersIn(await metricsAt(at).catch(() => new Map())) === 2, "another one is started");
  assert.equal(requestsIn(await metricsAt(at)), 20);
  // And those that leave say it.
  await callOften(client, 10);
  const leaving = childrenOf(gateway.proc.pid);
  gateway.proc.kill("SIGUSR2");
  await gone(...leaving);
  assert.equal(requestsIn(await metricsAt(at)), 30);
  if (prometheusFolder === undefined) return;
  const checked = promtool(["check", "metrics"], await textAt(at));
  assert.equal(checked.code, 0, checked.output);
});

test("workers: metrics have an address of their own, which comes and goes with the config", limits, async () => {
  const config = { backends: {}, metrics: { listen: "127.0.0.1:0" } };
  await using gateway = await Gateway.start(config, "--workers", "2");
  const [, at = ""] = await gateway.proc.line(/metrics at (\S+)/, "stderr");
  await until(async () => workersIn(await metricsAt(at)) === 2, "both are there");
  const elsewhere = await fetch(new URL("/metrics", gateway.url()));
  assert.equal(elsewhere.status, 404);
  assert.equal((await fetch(at, { method: "POST" })).status, 405);
  gateway.replace({ backends: {} });
  await until(
    async () => (await fetch(new URL("/metrics", gateway.url()))).status === 200,
    "they are where clients come in",
  );
  await until(
    () =>
      fetch(at).then(
        () => false,
        () => true,
      ),
    "the address is gone",
  );
});

test("workers: health says which of them it is of", limits, async () => {
  await using gateway = await Gateway.start({ backends: {} }, "--workers", "2");
  const places = new Set<unknown>();
  await until(async () => {
    const response = await fetch(new URL("/health", gateway.url()), { headers: { connection: "close" } });
    const { place, count } = recordOf(recordOf(await response.json())["worker"]);
    assert.equal(count, 2);
    places.add(place);
    return places.size === 2;
  }, "both have said it");
  assert.deepEqual(places, new Set([0, 1]));
});
