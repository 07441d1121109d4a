// What the config limits: calls at the same time, and the time of a call in total, until its first sign and between two.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, recordOf, until } from "../e2e/kit.ts";
import { ModernPeer } from "../kit/modern-peer.ts";
import { callOnce, childReplica, HttpReplica, Load, type Outcome, Records, startGateway } from "./kit.ts";
import { Puppet } from "./puppet.ts";

test("limits: calls over the limit wait, those over the queue are told at once when to come back", async () => {
  await using server = await Puppet.start("one");
  await using gateway = await startGateway({ b: { url: server.url, concurrency: { inFlight: 2, queued: 3 } } });
  const client = await gateway.client();
  server.become("frozen");
  const told: Outcome[] = [];
  const all = Array.from({ length: 8 }, async () => {
    const outcome = await callOnce(client, "b__add");
    told.push(outcome);
    return outcome;
  });
  // While nothing is answered.
  await until(() => told.length === 3, "three are told at once");
  for (const { data, text } of told) {
    assert.equal(text, undefined);
    assert.deepEqual([data["code"], data["class"], data["attempts"]], ["E4111", "notSent", 0]);
    assert.ok(Number(data["retryAfterMs"]) > 0);
  }
  // Five calls, two at a time: each answer lets one more in.
  await until(() => server.holds("add").length === 2, "it has two");
  for (let left = 5; left > 0; left -= 1) {
    assert.equal(server.holds("add").length, Math.min(2, left));
    // It may hold a listing, too.
    const [next] = server.holds("add");
    server.held = server.held.filter((each) => each !== next);
    next?.answer();
    await until(() => server.holds("add").length === Math.min(2, left - 1), "it has the next one");
  }
  assert.equal((await Promise.all(all)).filter(({ text }) => text === "one").length, 5);
});

test("limits: a call that is over its time is taken back and costs the others nothing", async () => {
  using records = new Records();
  await using gateway = await startGateway({
    b: { ...childReplica(records.file("r")), timeouts: { tools: { ad: { call: "50ms" }, "a*": { call: "200ms" } } } },
  });
  const client = await gateway.client();
  const [slow, quick] = await Promise.all([
    // Of a second there is nobody who would wait for it.
    callOnce(client, "b__add", { delayMs: 60_000 }),
    callOnce(client, "b__put", { delayMs: 400 }),
  ]);
  assert.match(slow.message, /did not answer tools\/call within 200 ms/);
  assert.equal(slow.data["class"], "unknown");
  assert.notEqual(quick.text, undefined);
  assert.equal((await callOnce(client, "b__read")).text, quick.text);
});

test("limits: a call without a sign goes to another replica where it may, before its own time is over", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await startGateway({
    b: { replicas: [{ url: one.url }, { url: two.url }], timeouts: { first: "400ms", call: "5m" } },
  });
  const client = await gateway.client();
  const safe = await callOnce(client, "b__read", { fault: "hang" });
  assert.equal(safe.attempts, 2);
  const unsafe = await callOnce(client, "b__add", { fault: "hang" });
  assert.match(unsafe.message, /gave no sign of the call for 400 ms; see timeouts\.first/);
});

test("limits: a server that wants to be asked later is, whatever it says beside Retry-After, by all calls", async () => {
  await using server = await Puppet.start("one");
  await using gateway = await startGateway({ b: { url: server.url } });
  const client = await gateway.client();
  server.busy = 1;
  const first = callOnce(client, "b__add");
  await until(() => server.asked.includes("add"), "it has the first one");
  await until(() => server.busy === 0, "and has put it off");
  const second = callOnce(client, "b__read");
  for (const { text, tookMs } of await Promise.all([first, second])) {
    assert.equal(text, "one");
    assert.ok(tookMs > 500, `${tookMs} ms`);
  }
  assert.deepEqual(server.asked.filter((what) => what === "read").length, 1);
  assert.equal((await first).attempts, 2);
  server.busy = 10;
  await using hasty = await startGateway({ b: { url: server.url, retry: { wait: "0s" } } });
  const { data, message } = await callOnce(await hasty.client(), "b__read");
  assert.match(message, /answered with HTTP 429: Too many requests/);
  assert.deepEqual([data["class"], data["retryAfterMs"]], ["notSent", 1_000]);
});

test("limits: a call that finds no place in its time is told so, and that nothing was sent", async () => {
  await using server = await Puppet.start("one");
  await using gateway = await startGateway({
    b: { url: server.url, concurrency: { inFlight: 1, queued: 5 }, timeouts: { tools: { read: { call: "300ms" } } } },
  });
  const client = await gateway.client();
  server.become("frozen");
  const held = callOnce(client, "b__add");
  await until(() => server.holds("add").length === 1, "it has the first one");
  const waiting = await callOnce(client, "b__read");
  assert.match(waiting.message, /backend "b" could not take the call in its time/);
  assert.deepEqual([waiting.data["code"], waiting.data["class"], waiting.data["attempts"]], ["E4107", "notSent", 0]);
  server.become("well");
  assert.equal((await held).text, "one");
});

test("limits: a hash of an argument sends equal ones to one replica, and a weight gives it more", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record, "modern");
  await using two = await HttpReplica.start(record, "modern");
  const replicas = [{ url: one.url, weight: 3 }, { url: two.url }];
  await using gateway = await Gateway.start({
    backends: {
      hashed: { replicas, balance: "hash(argument:user)" },
      weighed: { replicas, balance: "round-robin" },
      headed: { replicas, balance: "hash(header:X-Tenant)" },
    },
  });
  for (const backend of ["hashed", "weighed", "headed"])
    for (const replica of [0, 1])
      await gateway.proc.line(new RegExp(`backend ${backend}: is up.*: replica ${replica}`), "stderr");
  const client = await gateway.client();
  const places = new Map<number, Set<string>>();
  for (let call = 0; call < 60; call += 1) {
    const user = call % 12;
    const { text = "" } = await callOnce(client, "hashed__read", { user });
    places.set(user, (places.get(user) ?? new Set()).add(text));
  }
  assert.ok([...places.values()].every(({ size }) => size === 1));
  assert.equal(new Set([...places.values()].flatMap((each) => [...each])).size, 2);
  const counts = new Map<string, number>();
  for (let call = 0; call < 40; call += 1) {
    const { text = "" } = await callOnce(client, "weighed__read");
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  assert.deepEqual([counts.get(String(one.pid)), counts.get(String(two.pid))], [30, 10]);
  const tenants = await Promise.all(Array.from({ length: 12 }, (_, tenant) => placesOf(gateway, `tenant-${tenant}`)));
  assert.deepEqual(
    tenants.filter(({ size }) => size !== 1).map((each) => [...each]),
    [],
  );
  assert.equal(new Set(tenants.flatMap((each) => [...each])).size, 2);
});

/** The replicas that serve a tenant, of a client of either era. */
async function placesOf(gateway: Gateway, tenant: string): Promise<ReadonlySet<unknown>> {
  const [legacy, modern] = [await gateway.client(), new ModernPeer(gateway.url(), { headers: { "x-tenant": tenant } })];
  const places = new Set<unknown>();
  for (let call = 0; call < 3; call += 1) {
    const params = { name: "headed__read", arguments: { nonce: "x" } };
    const body = { jsonrpc: "2.0", id: call, method: "tools/call", params };
    const { messages } = await legacy.post(body, { "x-tenant": tenant });
    const { result } = recordOf(JSON.parse(messages.at(-1) ?? "{}"));
    for (const { content } of [recordOf(result), (await modern.call("headed__read", { nonce: "x" })).result])
      places.add(Array.isArray(content) ? recordOf(content[0])["text"] : undefined);
  }
  return places;
}

test("limits: with a breaker for each tool one that fails is refused, and the others serve", async () => {
  using records = new Records();
  await using server = await HttpReplica.start(records.file("r"));
  await using gateway = await startGateway({
    b: { url: server.url, breaker: { failures: 2, open: "30s", perTool: true } },
  });
  const client = await gateway.client();
  for (let call = 0; call < 2; call += 1) await callOnce(client, "b__add", { fault: "resetAfter" });
  const refused = await callOnce(client, "b__add");
  assert.match(refused.message, /this tool failed too often/);
  assert.deepEqual([refused.data["class"], Number(refused.data["retryAfterMs"]) > 25_000], ["notSent", true]);
  assert.notEqual((await callOnce(client, "b__put")).text, undefined);
  await gateway.proc.line(/its tool "add" gets no calls for \d+ ms: /, "stderr");
  assert.equal(await openingsOf(gateway), 1);
});

test("limits: an error of the server opens the breaker where the config says so, and nowhere else", async () => {
  using records = new Records();
  await using server = await HttpReplica.start(records.file("r"));
  const terms = { failures: 2, open: "30s" };
  await using gateway = await startGateway({
    told: { url: server.url, breaker: { ...terms, codes: [-32603] } },
    other: { url: server.url, breaker: terms },
  });
  const client = await gateway.client();
  for (const backend of ["told", "other"])
    for (let call = 0; call < 2; call += 1) {
      const { message } = await callOnce(client, `${backend}__add`, { fault: "internal" });
      assert.equal(message, "it broke");
    }
  const refused = await callOnce(client, "told__put");
  assert.match(refused.message, /its last calls failed/);
  assert.deepEqual([refused.data["class"], refused.data["attempts"]], ["notSent", 0]);
  assert.notEqual((await callOnce(client, "other__put")).text, undefined);
  await gateway.proc.line(/backend told: replica 0 gets no calls for \d+ ms: it answered with error -32603/, "stderr");
  assert.equal(await openingsOf(gateway), 1);
});

/** How often breakers opened, of all backends. */
async function openingsOf(gateway: Gateway): Promise<number> {
  const text = await (await fetch(new URL("/metrics", gateway.url()))).text();
  return [...text.matchAll(/^mcpctl_breaker_openings_total\{.*\} (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
}

test("limits: a replica that mostly fails is left out, and the others serve", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record, "modern");
  await using two = await HttpReplica.start(record, "modern");
  await using gateway = await startGateway({
    b: {
      replicas: [{ url: one.url }, { url: two.url }],
      timeouts: { down: "20ms" },
      breaker: { failures: 3, open: "10s" },
      retry: { attempts: 1 },
    },
  });
  const clients = await Promise.all(Array.from({ length: 4 }, () => gateway.client()));
  const failing = new Load(clients, ["b__add"], 20, { fault: "resetAfter" });
  await failing.sends(12);
  await failing.stop();
  await until(async () => (await gateway.health()).status !== "starting", "health is known");
  const { replicas } = JSON.parse(await (await fetch(new URL("/health", gateway.url()))).text()).backends.b;
  assert.ok(
    replicas.some(({ left }: { left?: string }) => left?.includes("its last calls failed")),
    JSON.stringify(replicas),
  );
});
