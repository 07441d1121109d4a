// Each metric that the README has moves when what it counts happens.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { backendDefaults, type BackendPlan, defaultPlan, freeze } from "../../lib/config/plan.ts";
import { cacheDefaults, resilienceDefaults, type ResiliencePlan } from "../../lib/config/resilience.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { silentObserver } from "../../lib/core/observer.ts";
import { listen } from "../../lib/listen.ts";
import { Gateway } from "../../lib/gateway.ts";
import { createFolder } from "../cli/kit.ts";
import { localhostCert } from "../fixtures/localhost.ts";
import { authPlan, keyOf } from "../front/auth-kit.ts";
import { callMessage, Events, FrontClient } from "../front/kit.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { readmeRows } from "../kit/readme.ts";
import { FaultyServer, familyOf, metricsOf, type Samples, sumOf, tool } from "./kit.ts";

/** What is always the same while a gateway runs. */
const constant = ["mcpctl_build_info", "process_start_time_seconds", "mcpctl_certificate_expiry_timestamp_seconds"];

/** Looks at a gateway again and again, and notes which metrics have changed. */
class Watch {
  readonly moved = new Set<string>();
  readonly #gateway: Gateway;
  #last: Samples = new Map();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async look(): Promise<Samples> {
    const samples = await metricsOf(this.#gateway);
    for (const [name, value] of samples) {
      const isKnown = this.#last.size > 0 && (this.#last.get(name) ?? 0) !== value;
      if (isKnown || constant.includes(familyOf(name))) this.moved.add(familyOf(name));
    }
    this.#last = samples;
    return samples;
  }

  /** Looks until something is as it should be. */
  async until(holds: (samples: Samples) => boolean): Promise<void> {
    const end = Date.now() + 60_000;
    while (!holds(await this.look())) {
      assert.ok(Date.now() < end, `waited in vain until ${holds.toString()}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function planFor(name: string, urls: readonly string[], more: Partial<ResiliencePlan>, ttlMs = 600_000): BackendPlan {
  const replicas = urls.map((url) => ({ kind: "http" as const, url, headers: {} }));
  const resilience = { ...resilienceDefaults, ...more };
  return { ...backendDefaults, name: name as BackendName, replicas, resilience, ttlMs };
}

test("metrics: each one that the README has moves, and there is no other", { timeout: 120_000 }, async () => {
  await using one = await FaultyServer.start();
  await using two = await FaultyServer.start();
  let gone = await FaultyServer.start();
  const quick = { quantile: 0.5, minMs: 1, share: 1 };
  const single = { inFlight: 1, queued: 10, inFlightEach: 1, queuedEach: 10 };
  const plans = [
    planFor("pair", [one.url, two.url], { hedge: quick, outliers: undefined }),
    planFor("weak", [one.url], { breaker: undefined, retry: { ...resilienceDefaults.retry, share: 0 } }),
    planFor("peer", [one.url], { cache: cacheDefaults, concurrency: single }),
    planFor("gone", [gone.url], { downMs: 10 }, 0),
  ];
  using folder = createFolder({ "cert.pem": localhostCert });
  const tls = { cert: join(folder.path, "cert.pem"), key: "" };
  const plan = freeze({ ...defaultPlan(plans), tls, auth: authPlan({ keys: [keyOf("nobody")], certificates: true }) });
  const { auth: _, ...open } = plan;
  const gateway = await Gateway.open({ plan: open, version: "0.0.0", observer: silentObserver });
  await gateway.arrivals(60_000);
  const watch = new Watch(gateway);
  const client = new FrontClient(gateway);
  await watch.look();
  await client.initialize();
  await calls(client, watch, one, two);
  await waits(client, watch, one);
  await streams(gateway, watch, one);
  // A replica that goes away, with its listing, and comes back.
  const port = Number(new URL(gone.url).port);
  await gone[Symbol.asyncDispose]();
  const failing = client.post(tool("gone__ok", 700));
  await watch.until((samples) => sumOf(samples, "mcpctl_backend_up", { backend: "gone" }) === 0);
  await client.post(callMessage(701, "tools/list"));
  await watch.until((samples) => sumOf(samples, "mcpctl_catalog_stale", { backend: "gone" }) > 0);
  gone = await FaultyServer.start(port);
  gone.tools = gone.tools.slice(1);
  await watch.until((samples) => sumOf(samples, "mcpctl_reconnects_total", { backend: "gone" }) === 1);
  await failing;
  await watch.until(() => watch.moved.has("mcpctl_catalog_items"));
  // Somebody who is not let in, over a socket; and everybody again.
  await gateway.apply(plan);
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    traffic: gateway.observing?.traffic,
    handle: (r) => gateway.handle(r),
  });
  assert.equal((await fetch(new URL("/mcp", listener.url))).status, 401);
  await listener.close(true);
  await gateway.apply(open);
  await watch.until(() => watch.moved.has("mcpctl_event_loop_lag_seconds"));
  const documented = readmeRows("metrics").map(([name = ""]) => name.replaceAll("`", ""));
  assert.deepEqual(
    documented.filter((name) => !watch.moved.has(name)),
    [],
  );
  const exposed = new Set([...(await watch.look()).keys()].map(familyOf));
  assert.deepEqual(
    [...exposed].filter((name) => !documented.includes(name)),
    [],
  );
  await gateway.close();
  await gone[Symbol.asyncDispose]();
});

/** What fails, is repeated, hedged, refused by a budget and shut out by a breaker. */
async function calls(client: FrontClient, watch: Watch, one: FaultyServer, two: FaultyServer): Promise<void> {
  for (let at = 0; at < 30; at += 1) await client.post(tool("pair__ok", at));
  const hedged = client.post(tool("pair__slow", 100));
  const answers = [await one.slow.next("the first attempt"), await two.slow.next("the hedge")];
  await watch.look();
  for (const answer of answers) answer();
  await hedged;
  await Promise.all(Array.from({ length: 80 }, (_, at) => client.post(tool("weak__drop", 200 + at))));
  await watch.look();
  for (const [at, name] of ["fail", "drop", "drop", "drop"].entries())
    await client.post(tool(`peer__${name}`, 300 + at));
  await watch.look();
  await watch.until((samples) => sumOf(samples, "mcpctl_breaker_state", { backend: "peer", state: "closed" }) === 0);
}

/** What waits, and what is kept. */
async function waits(client: FrontClient, watch: Watch, one: FaultyServer): Promise<void> {
  await watch.until((samples) => sumOf(samples, "mcpctl_breaker_state", { backend: "peer", state: "half_open" }) === 1);
  await client.post(tool("peer__ok", 400));
  const first = client.post(tool("peer__slow", 401));
  const answer = await one.slow.next("the call that has the slot");
  const second = client.post(tool("peer__ok", 402));
  await watch.until((samples) => sumOf(samples, "mcpctl_backend_queued_calls", { backend: "peer" }) === 1);
  answer();
  await Promise.all([first, second]);
  const read = { jsonrpc: "2.0", id: 403, method: "resources/read", params: { uri: "mcpctl://peer/test%3A%2F%2Fa" } };
  for (let at = 0; at < 3; at += 1) await client.post(read);
  const subscribe = { ...read, method: "resources/subscribe" };
  await client.post(subscribe);
  await watch.look();
}

/** A modern client that listens, and one that is asked something. */
async function streams(gateway: Gateway, watch: Watch, one: FaultyServer): Promise<void> {
  const modern = new FrontClient(gateway);
  const { body, headers } = modernRequest("subscriptions/listen", { notifications: { toolsListChanged: true } });
  const events = new Events(await modern.send("POST", body, headers));
  await events.message();
  const asked = modernRequest(
    "tools/call",
    { name: "weak__ask", arguments: {} },
    { capabilities: { elicitation: {} } },
  );
  await modern.post(asked.body, asked.headers);
  await watch.until(
    (samples) => sumOf(samples, "mcpctl_parked_calls") === 1 && sumOf(samples, "mcpctl_listeners") === 1,
  );
  assert.ok(one.of("tools/call").length > 0);
  await events.drop();
  await watch.look();
}
