// One of two replicas is killed, or stopped, while calls come at 200 a second: what the callers notice of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, until } from "../e2e/kit.ts";
import { assertTruthful, callOnce, childReplica, HttpReplica, Load, Records, startGateway } from "./kit.ts";
import { killOne } from "./kill.ts";

for (const era of ["legacy", "modern"] as const) {
  test(`replicas: kill -9 of one of two ${era} servers fails no call that may run twice, and doubles no other`, async () => {
    const { safe, unsafe, executions, steadyMs, awayMs, firstMs } = await killOne(era, 67);
    assertTruthful(unsafe, executions);
    assert.deepEqual(
      safe.filter(({ text }) => text === undefined),
      [],
    );
    // How long it takes is printed, and no test: the machine may be busy.
    console.log(
      `${era} kill: p99 ${steadyMs.toFixed(1)} ms before, ${awayMs.toFixed(1)} ms while it was away; first answer there ${firstMs.toFixed(0)} ms after it listened`,
    );
  });
}

test("replicas: however many calls a replica has that is killed, those that may be repeated are all answered", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await startGateway({
    b: { replicas: [{ url: one.url }, { url: two.url }], balance: "priority", retry: { budget: "1%" } },
  });
  const client = await gateway.client();
  const calls = Array.from({ length: 200 }, () => callOnce(client, "b__read", { delayMs: 1_500 }));
  await until(async () => {
    const { replicas } = JSON.parse(await (await fetch(new URL("/health", gateway.url()))).text()).backends.b;
    return replicas[0].pending === 200;
  }, "all are in flight");
  await one.kill();
  const outcomes = await Promise.all(calls);
  assert.deepEqual(new Set(outcomes.map(({ text, message }) => text ?? message)), new Set([String(two.pid)]));
});

test("replicas: one that stops answering costs each call at most the time of a ping, and nothing runs twice", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await startGateway({
    b: { replicas: [{ url: one.url }, { url: two.url }], timeouts: { health: "200ms", ping: "200ms", call: "1m" } },
  });
  const clients = await Promise.all(Array.from({ length: 11 }, () => gateway.client()));
  for (const client of clients) await callOnce(client, "b__read");
  const load = new Load(clients, ["b__read", "b__add"], 100);
  await load.sends(30);
  one.signal("SIGSTOP");
  await load.sends(180);
  const back = load.sent;
  one.signal("SIGCONT");
  await load.sends(20);
  const outcomes = await load.stop();
  const safe = outcomes.filter((_, at) => at % 2 === 0);
  assert.deepEqual(
    safe.filter(({ text }) => text === undefined),
    [],
  );
  assertTruthful(
    outcomes.filter((_, at) => at % 2 === 1),
    records.executions("r"),
  );
  const slowest = Math.max(...safe.map(({ tookMs }) => tookMs));
  // Silent for 200 ms to 400 ms, then 200 ms for the ping.
  console.log(`stop: slowest ${slowest.toFixed(0)} ms`);
  const late = outcomes.slice(back - 40, back).filter(({ tool }) => tool === "b__read");
  assert.deepEqual(new Set(late.map(({ text }) => text)), new Set([String(two.pid)]));
});

test("replicas: with a hedge one that stops answering costs next to nothing", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await startGateway({
    b: {
      replicas: [{ url: one.url }, { url: two.url }],
      isolation: "shared",
      hedge: { after: "90%", share: "100%" },
      timeouts: { call: "1m" },
    },
  });
  const client = await gateway.client();
  for (let call = 0; call < 60; call += 1) await callOnce(client, "b__read");
  one.signal("SIGSTOP");
  const load = new Load([client], ["b__read"], 50);
  await load.sends(50);
  // All at once, too: each has earned its second attempt.
  const crowd = await Promise.all(Array.from({ length: 40 }, () => callOnce(client, "b__read")));
  const outcomes = [...(await load.stop()), ...crowd];
  one.signal("SIGCONT");
  assert.ok(outcomes.every(({ text }) => text === String(two.pid)));
  const slowest = Math.max(...outcomes.map(({ tookMs }) => tookMs));
  console.log(`stop with a hedge: slowest ${slowest.toFixed(0)} ms`);
});

test("replicas: where all are away a caller hears what was tried, that nothing ran, and when to ask again", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await startGateway({
    b: { replicas: [{ url: one.url }, { url: two.url }], retry: { wait: "0s" }, timeouts: { down: "700ms" } },
  });
  const client = await gateway.client();
  await Promise.all([one.kill(), two.kill()]);
  // The first call may find connections that are still open.
  await until(async () => (await callOnce(client, "b__read")).data["code"] === "E4107", "the gateway knows");
  for (const tool of ["b__read", "b__add"]) {
    const { data, message } = await callOnce(client, tool);
    assert.match(message, /backend "b" is unavailable: .* refused the connection/);
    assert.deepEqual([data["backend"], data["class"], data["code"]], ["b", "notSent", "E4107"]);
    assert.ok(Number(data["attempts"]) <= 3, JSON.stringify(data));
    const retryAfterMs = Number(data["retryAfterMs"]);
    assert.ok(retryAfterMs > 0 && retryAfterMs <= 700, JSON.stringify(data));
  }
});

test("replicas: a killed child is back within the first step of the backoff, and the other serves meanwhile", async () => {
  using records = new Records();
  const record = records.file("r");
  const child = childReplica(record);
  await using gateway = await startGateway({
    b: { replicas: [child, child], isolation: "shared", balance: "round-robin" },
  });
  const client = await gateway.client();
  const first = await callOnce(client, "b__read");
  process.kill(Number(first.text), "SIGKILL");
  const seen = new Set<string>();
  await until(async () => {
    const { text = "" } = await callOnce(client, "b__read");
    assert.notEqual(text, "");
    if (text !== first.text) seen.add(text);
    return seen.size === 2;
  }, "both children serve");
  // No attempt failed: it was made before the first pause.
  assert.equal(gateway.proc.stderr.match(/backend b: is down/g)?.length, 1, gateway.proc.stderr);
});

test("replicas: a command and a url are replicas of one backend, and the one serves when the other is gone", async () => {
  using records = new Records();
  const record = records.file("r");
  await using server = await HttpReplica.start(record, "modern");
  await using gateway = await startGateway({
    b: { replicas: [childReplica(record), { url: server.url }], isolation: "shared", balance: "round-robin" },
  });
  const client = await gateway.client();
  const texts = async (): Promise<ReadonlySet<string | undefined>> => {
    const all = await Promise.all(Array.from({ length: 6 }, () => callOnce(client, "b__read")));
    return new Set(all.map(({ text }) => text));
  };
  const both = await texts();
  assert.equal(both.size, 2);
  assert.ok(both.has(String(server.pid)));
  await server.kill();
  assert.equal((await texts()).size, 1);
});

test("replicas: sessions of a legacy server stay where they are, and move when it is gone", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await startGateway({ b: { replicas: [{ url: one.url }, { url: two.url }] } });
  const clients = await Promise.all(Array.from({ length: 4 }, () => gateway.client()));
  const placesOf = (): Promise<(string | undefined)[]> =>
    Promise.all(clients.map(async (client) => (await callOnce(client, "b__read")).text));
  const places = await placesOf();
  assert.deepEqual(new Set(places), new Set([String(one.pid), String(two.pid)]));
  for (let call = 0; call < 5; call += 1) assert.deepEqual(await placesOf(), places);
  await one.kill();
  assert.deepEqual(new Set(await placesOf()), new Set([String(two.pid)]));
});

test("replicas: a session with links of its own has one, and another when its replica is gone", async () => {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record);
  await using gateway = await Gateway.start({
    backends: { b: { replicas: [{ url: one.url }, { url: two.url }], isolation: "session" } },
  });
  await gateway.up("b");
  const clients = await Promise.all(Array.from({ length: 6 }, () => gateway.client()));
  const places = await Promise.all(clients.map(async (client) => (await callOnce(client, "b__read")).text));
  assert.deepEqual(new Set(places), new Set([String(one.pid), String(two.pid)]));
  const { links } = JSON.parse(await (await fetch(new URL("/health", gateway.url()))).text()).backends.b;
  // One is the gateway's own.
  assert.equal(links, 7);
  await one.kill();
  for (const client of clients) assert.equal((await callOnce(client, "b__read")).text, String(two.pid));
});
