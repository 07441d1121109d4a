// Replicas that say over HTTP whether they want calls: who does not gets none where another can take them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Gateway, recordOf, until } from "../e2e/kit.ts";
import type { RawClient } from "../kit/raw-client.ts";
import { callOnce, startGateway } from "./kit.ts";
import { Puppet } from "./puppet.ts";

const timeouts = { health: "50ms", down: "20ms" };

async function served(client: RawClient): Promise<ReadonlySet<unknown>> {
  const texts = new Set<unknown>();
  for (let call = 0; call < 8; call += 1) texts.add((await callOnce(client, "b__read")).text);
  return texts;
}

/** Why each replica gets no calls, where it gets none. */
async function leftOf(gateway: Gateway): Promise<readonly unknown[]> {
  const { backends } = recordOf(await (await fetch(new URL("/health", gateway.url()))).json());
  const { replicas } = recordOf(recordOf(backends)["b"]);
  return Array.isArray(replicas) ? replicas.map((replica) => recordOf(replica)["left"]) : [];
}

test("health: a replica that wants no calls gets none, and has them again at once when it does", async () => {
  await using one = await Puppet.start("one");
  await using two = await Puppet.start("two");
  const replicas = [{ url: one.url }, { url: two.url }];
  const b = { replicas, balance: "round-robin", isolation: "shared", healthPath: "/healthz", timeouts };
  await using gateway = await startGateway({ b });
  one.healthStatus = 503;
  const why = "GET /healthz answers HTTP 503";
  await gateway.proc.line(/backend b: replica 0 gets no new calls: GET \/healthz answers HTTP 503/, "stderr");
  assert.deepEqual(await leftOf(gateway), [why, undefined]);
  assert.deepEqual(await served(await gateway.client()), new Set(["two"]));
  // Where nobody wants them somebody gets them all the same.
  two.healthStatus = 500;
  await gateway.proc.line(/backend b: replica 1 gets no new calls/, "stderr");
  const texts = await served(await gateway.client());
  assert.ok(!texts.has(undefined));
  one.healthStatus = 204;
  await gateway.proc.line(/backend b: replica 0 gets calls again/, "stderr");
  assert.deepEqual(await served(await gateway.client()), new Set(["one"]));
});

test("health: nobody is asked where the config names no path, or switches the looks off", async () => {
  await using one = await Puppet.start("one");
  await using two = await Puppet.start("two");
  const replicas = [{ url: one.url }, { url: two.url }];
  await using gateway = await startGateway({
    b: { replicas, timeouts },
    off: { replicas, healthPath: "/healthz", timeouts: { ...timeouts, health: "0s" } },
  });
  const client = await gateway.client();
  await until(() => one.asked.includes("ping"), "the one that looks has looked");
  assert.ok((await served(client)).size > 0);
  assert.ok(!one.asked.includes("health") && !two.asked.includes("health"));
});
