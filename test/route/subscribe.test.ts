// Subscriptions and log levels over links that clients share: nothing lost, nothing taken from another, restored.
import assert from "node:assert/strict";
import { test } from "node:test";
import { planOf, TestNet } from "./kit.ts";
import { type Exchange, type McpPeer, servePeer } from "./peer.ts";

const capabilities = { resources: { subscribe: true }, logging: {} };
const uri = "note://1";
const updated = { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } };
const ok = (exchange: Exchange): void => exchange.reply({});
const listing = (...uris: string[]) => ({
  "resources/list": (exchange: Exchange): void =>
    exchange.reply({ resources: uris.map((each) => ({ uri: each, name: each })) }),
  "resources/templates/list": (exchange: Exchange): void => exchange.reply({ resourceTemplates: [] }),
});
const answers = { ...listing(uri), "resources/subscribe": ok, "resources/unsubscribe": ok, "logging/setLevel": ok };
const peers = (): Promise<McpPeer> => servePeer(capabilities, answers);

test("subscribe: an update that comes before the reply is not lost, and a refused subscription hears nothing", async () => {
  await using peer = await servePeer(capabilities, {
    ...answers,
    "resources/subscribe": (exchange) => {
      exchange.send(updated);
      if (exchange.params["uri"] === uri) exchange.reply({});
      else exchange.fail(-32602);
    },
  });
  await using net = new TestNet([planOf("a", peer.url)]);
  const client = net.client();
  await client.result("resources/subscribe", { uri });
  assert.deepEqual(
    client.heard.map(({ method }) => method).filter((method) => method === updated.method),
    [updated.method],
  );
  const other = net.client();
  assert.equal((await other.request("resources/subscribe", { uri: "note://2" }))?.error?.code, -32602);
  assert.equal(other.session.subscriptions.size, 0);
});

test("subscribe: two clients of one URI both hear of it, and the backend is told only when the last one leaves", async () => {
  await using peer = await peers();
  await using net = new TestNet([planOf("a", peer.url)]);
  const clients = [net.client(), net.client(), net.client()] as const;
  const [first, second, third] = clients;
  for (const client of [first, second]) await client.result("resources/subscribe", { uri });
  peer.push(updated);
  await Promise.all(
    [first, second].map((client) => client.until(() => client.heard.some(({ method }) => method === updated.method))),
  );
  assert.ok(!third.heard.some(({ method }) => method === updated.method));
  // Of a client that never subscribed it means nothing: it would take the updates of the others.
  for (const client of [third, first]) await client.result("resources/unsubscribe", { uri });
  assert.equal(peer.count("resources/unsubscribe"), 0);
  net.hub.sessions.end(second.session);
  await peer.until(() => peer.count("resources/unsubscribe") === 1);
});

test("subscribe: who subscribes while another one is leaving is asked for behind it", async () => {
  const left = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const seen: string[] = [];
  const note = (exchange: Exchange, step: string): void => {
    seen.push(step);
    exchange.reply({});
  };
  await using peer = await servePeer(capabilities, {
    ...answers,
    "resources/subscribe": (exchange) => note(exchange, "subscribe"),
    "resources/unsubscribe": (exchange) => {
      asked.resolve();
      void left.promise.then(() => note(exchange, "unsubscribe"));
    },
  });
  await using net = new TestNet([planOf("a", peer.url)]);
  const [first, second] = [net.client(), net.client()];
  await first.result("resources/subscribe", { uri });
  const leaving = first.result("resources/unsubscribe", { uri });
  await asked.promise;
  const coming = second.result("resources/subscribe", { uri });
  // Something else of its session has been there and back.
  await second.result("resources/list");
  left.resolve();
  await Promise.all([leaving, coming]);
  assert.deepEqual(seen, ["subscribe", "unsubscribe", "subscribe"]);
});

test("subscribe: what is still being asked for is not given up to another process", async () => {
  const asked = Promise.withResolvers<Exchange>();
  await using peer = await servePeer(capabilities, { ...answers, "resources/subscribe": asked.resolve });
  await using net = new TestNet([planOf("a", peer.url)]);
  const client = net.client();
  const coming = client.result("resources/subscribe", { uri });
  const exchange = await asked.promise;
  net.router.subscriptions.giveUp(client.session);
  exchange.reply({});
  await coming;
  assert.ok(client.session.subscriptions.get(uri)?.isOpen);
  net.router.subscriptions.giveUp(client.session);
  await peer.until(() => peer.count("resources/unsubscribe") === 1);
  assert.equal(client.session.subscriptions.size, 0);
});

test("subscribe: a new link restores what was open, and the subscribers are told to look", async () => {
  await using peer = await peers();
  await using net = new TestNet([planOf("a", peer.url)]);
  const client = net.client();
  await client.result("resources/subscribe", { uri });
  await client.result("logging/setLevel", { level: "debug" });
  await peer.until(() => peer.count("logging/setLevel") === 1);
  peer.forget();
  await peer.until(() => peer.count("resources/subscribe") === 2 && peer.count("logging/setLevel") === 2);
  await client.until(() => client.heard.some(({ method }) => method === updated.method));
  assert.equal(peer.count("initialize"), 2);
});

test("subscribe: a URI of two backends has an address at the second, and its updates come under that", async () => {
  await using a = await peers();
  await using b = await peers();
  await using net = new TestNet([planOf("a", a.url), planOf("b", b.url)]);
  const client = net.client();
  const { resources } = await client.result("resources/list");
  const address = `mcpctl://b/${encodeURIComponent(uri)}`;
  assert.deepEqual(
    (resources as { uri: string }[]).map((each) => each.uri),
    [uri, address],
  );
  await client.result("resources/subscribe", { uri: address });
  assert.deepEqual(
    [a.count("resources/subscribe"), b.got.find(({ method }) => method === "resources/subscribe")?.params?.["uri"]],
    [0, uri],
  );
  b.push({ ...updated, params: { uri: `${uri}/part` } });
  await client.until(() => client.heard.some(({ method }) => method === updated.method));
  const heard = client.heard.find(({ method }) => method === updated.method);
  assert.equal(heard?.params?.["uri"], `mcpctl://b/${encodeURIComponent(`${uri}/part`)}`);
});

test("subscribe: the link gets the least severe level of its clients, and each hears its own", async () => {
  await using peer = await peers();
  await using net = new TestNet([planOf("a", peer.url)]);
  const [loud, quiet] = [net.client(), net.client()];
  await quiet.result("resources/list");
  await quiet.result("logging/setLevel", { level: "error" });
  await loud.result("logging/setLevel", { level: "debug" });
  const levels = (): unknown[] =>
    peer.got.filter(({ method }) => method === "logging/setLevel").map(({ params }) => params?.["level"]);
  await peer.until(() => levels().length === 2 && levels().includes("debug"));
  const log = (level: string): object => ({
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level, data: level },
  });
  for (const level of ["debug", "error"]) peer.push(log(level));
  const heard = (client: typeof loud): unknown[] =>
    client.heard.filter(({ method }) => method === "notifications/message").map(({ params }) => params?.["level"]);
  await Promise.all([loud, quiet].map((client) => client.until(() => heard(client).includes("error"))));
  assert.deepEqual([heard(loud), heard(quiet)], [["debug", "error"], ["error"]]);
  net.hub.sessions.end(loud.session);
  await peer.until(() => levels().length === 3 && levels().at(-1) === "error");
});
