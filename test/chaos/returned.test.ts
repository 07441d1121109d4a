// A replica comes back: it is used at once, also by calls that wait for another one that has fallen silent meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, until } from "../e2e/kit.ts";
import { callOnce } from "./kit.ts";
import { Puppet } from "./puppet.ts";

const down = (replica: number): RegExp => new RegExp(`backend b: is down: replica ${replica}`);
const up = (replica: number): RegExp => new RegExp(`backend b: is up .*replica ${replica}`);

test("returned: a replica behind a balancer is back as soon as it answers, long before its next attempt is due", async () => {
  await using one = await Puppet.start("one");
  await using two = await Puppet.start("two", "away");
  await using gateway = await Gateway.start({
    backends: { b: { replicas: [{ url: one.url }, { url: two.url }], timeouts: { down: "20ms" } } },
  });
  // One message for each era, each time: the next attempt is 2 s away.
  await until(() => two.missed === 4, "two attempts were made");
  two.become("well");
  await gateway.proc.line(up(1), "stderr");
  // It was looked for, and the attempt came after that.
  assert.equal(two.asked[0], "HEAD");
});

test("returned: a replica that answers and fails is looked at no more often than it is tried", async () => {
  await using one = await Puppet.start("one");
  await using two = await Puppet.start("two", "broken");
  await using _gateway = await Gateway.start({
    backends: { b: { replicas: [{ url: one.url }, { url: two.url }], timeouts: { down: "20ms" } } },
  });
  await until(() => two.missed === 4, "two attempts were made");
  assert.ok(two.looks <= 2, `${two.looks} looks`);
});

test("returned: calls that wait for a frozen replica go to the one that is back at once, if they may", async () => {
  await using one = await Puppet.start("one");
  await using two = await Puppet.start("two", "away");
  await using gateway = await Gateway.start({
    backends: {
      b: {
        replicas: [{ url: one.url }, { url: two.url }],
        // Nobody looks again after the one ping that gets no answer.
        timeouts: { health: "5m", ping: "100ms", down: "20ms" },
        retry: { budget: "1%" },
      },
    },
  });
  await gateway.proc.line(up(0), "stderr");
  const client = await gateway.client();
  assert.equal((await callOnce(client, "b__read")).text, "one");
  one.become("frozen");
  // More than all repetitions that are allowed together.
  const reads = Array.from({ length: 150 }, () => callOnce(client, "b__read"));
  const add = callOnce(client, "b__add");
  const lost = callOnce(client, "b__add");
  await until(() => one.holds("read").length === 150 && one.holds("add").length === 2, "one has the calls");
  // A call that is lost is a reason to look.
  one.holds("add")[1]?.drop();
  await until(() => one.holds("ping").length > 0, "one is pinged");
  await until(async () => (await gateway.health()).backends["b"]?.replica !== undefined, "the gateway answers");
  two.become("well");
  const moved = await Promise.all(reads);
  assert.deepEqual(new Set(moved.map(({ text, attempts }) => `${text} ${attempts}`)), new Set(["two 2"]));
  assert.equal(two.asked.filter((what) => what === "add").length, 0);
  one.become("well");
  const outcomes = await Promise.all([add, lost]);
  assert.equal(outcomes.filter(({ text }) => text === "one").length, 1);
  assert.equal(outcomes.filter(({ data }) => data["class"] === "unknown").length, 1);
});

test("returned: two faults in a row cost no call that may be repeated", async () => {
  await using one = await Puppet.start("one");
  await using two = await Puppet.start("two");
  await using gateway = await Gateway.start({
    backends: {
      b: {
        replicas: [{ url: one.url }, { url: two.url }],
        timeouts: { health: "100ms", ping: "100ms", down: "20ms", call: "10s" },
      },
    },
  });
  await gateway.proc.line(up(0), "stderr");
  await gateway.proc.line(up(1), "stderr");
  const client = await gateway.client();
  two.become("away");
  await gateway.proc.line(down(1), "stderr");
  assert.equal((await callOnce(client, "b__read")).text, "one");
  one.become("frozen");
  const waiting = callOnce(client, "b__read");
  await until(() => one.holds("read").length > 0 && one.holds("ping").length > 0, "one has the call and a ping");
  two.become("well");
  assert.equal((await waiting).text, "two");
  assert.equal((await callOnce(client, "b__read")).text, "two");
});

test("returned: a session that only reads goes home with its replica, and one that wrote stays where it wrote", async () => {
  await using one = await Puppet.start("one");
  await using two = await Puppet.start("two");
  await using gateway = await Gateway.start({
    backends: {
      b: {
        replicas: [{ url: one.url }, { url: two.url }],
        balance: "priority",
        timeouts: { health: "50ms", ping: "1s", down: "20ms" },
      },
    },
  });
  await gateway.proc.line(up(0), "stderr");
  await gateway.proc.line(up(1), "stderr");
  const [reader, writer] = [await gateway.client(), await gateway.client()];
  const placesOf = (tool: string): Promise<(string | undefined)[]> =>
    Promise.all([reader, writer].map(async (client) => (await callOnce(client, `b__${tool}`)).text));
  assert.deepEqual(await placesOf("add"), ["one", "one"]);
  one.become("away");
  await gateway.proc.line(down(0), "stderr");
  assert.deepEqual(await placesOf("read"), ["two", "two"]);
  assert.equal((await callOnce(writer, "b__put")).text, "two");
  one.become("well");
  await until(() => gateway.proc.stderr.split("\n").filter((line) => up(0).test(line)).length === 2, "one is back");
  assert.deepEqual(await placesOf("read"), ["one", "two"]);
  assert.deepEqual(await placesOf("add"), ["one", "two"]);
  const fresh = await gateway.client();
  assert.equal((await callOnce(fresh, "b__add")).text, "one");
});

test("returned: new calls leave a replica that has stopped long before it counts as silent, and what it has stays there", async () => {
  await using one = await Puppet.start("one");
  await using two = await Puppet.start("two");
  await using gateway = await Gateway.start({
    backends: {
      b: {
        replicas: [{ url: one.url }, { url: two.url }],
        isolation: "shared",
        balance: "round-robin",
        // What it held for long is no reason to leave it out afterwards.
        outliers: { disabled: true },
      },
    },
  });
  await gateway.proc.line(up(0), "stderr");
  await gateway.proc.line(up(1), "stderr");
  const client = await gateway.client();
  one.become("frozen");
  const waiting: Promise<unknown>[] = [callOnce(client, "b__read"), callOnce(client, "b__read")];
  await until(() => one.holds("ping").length > 0, "one is asked why it says nothing");
  await until(async () => {
    const before = one.asked.length;
    const pair = [callOnce(client, "b__read"), callOnce(client, "b__read")];
    waiting.push(...pair);
    await Promise.any([Promise.all(pair), until(() => one.asked.length > before, "it gets one")]);
    return one.asked.length === before;
  }, "calls leave it alone");
  assert.equal(one.holds("ping").length, 1);
  assert.ok(one.holds("read").length > 0);
  one.become("well");
  await Promise.all(waiting);
  await until(async () => (await callOnce(client, "b__read")).text === "one", "it has its share again");
});
