// Several gateway processes for the same clients: what each request, answer and stream needs of the others, over an engine.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { callText, recordOf, until } from "../e2e/kit.ts";
import { lacksFleet } from "../kit/engine.ts";
import { Fleet } from "../kit/fleet.ts";
import { answersTo, ModernPeer } from "../kit/modern-peer.ts";
import { type HttpServerProcess, startHttpServer } from "../kit/process.ts";
import { RawClient, type RawStream } from "../kit/raw-client.ts";

const limits = { timeout: 120_000, skip: lacksFleet };

interface Peers {
  readonly server: HttpServerProcess;
  readonly fleet: Fleet;
}

const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const server = await startHttpServer();
  const fleet = await Fleet.start({
    backends: { b: { url: server.url } },
    limits: { rate: "100000/s" },
    front: { sse: true },
  });
  return { server, fleet };
}

const peers = (): Promise<Peers> => (state.peers ??= startPeers());

after(async () => {
  const { server, fleet } = (await state.peers) ?? {};
  await fleet?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** A session of a client that can be asked anything, begun at the first process, as it is at each of them. */
async function sessionAtAll(fleet: Fleet): Promise<readonly [RawClient, RawClient, RawClient]> {
  const first = new RawClient(fleet.member(0).url);
  await first.initialize("2025-11-25", { elicitation: { form: {} }, sampling: {}, roots: { listChanged: true } });
  const [second, third] = [1, 2].map((at) => {
    const client = new RawClient(fleet.member(at).url);
    client.sessionId = first.sessionId;
    client.protocolVersion = first.protocolVersion;
    return client;
  });
  assert.ok(second && third);
  return [first, second, third];
}

async function eventOf(stream: RawStream, fits: (message: Readonly<Record<string, unknown>>) => boolean) {
  for (;;) {
    const event = await stream.next();
    assert.ok(event, "the stream has ended");
    if (event.data === "") continue;
    const message = recordOf(JSON.parse(event.data));
    if (fits(message)) return { event, message };
  }
}

interface Watched extends AsyncDisposable {
  /** Resolves to all that was seen when that has this text in it. */
  seen(text: string): Promise<string>;
}

/** The messages of one process, as they come. */
async function watch(url: string): Promise<Watched> {
  const abort = new AbortController();
  const { body, status } = await fetch(new URL("/admin/tail", url), { signal: abort.signal });
  assert.equal(status, 200);
  assert.ok(body);
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let all = "";
  const seen = async (text: string): Promise<string> => {
    while (!all.includes(text)) {
      const { value, done } = await reader.read();
      assert.ok(!done, "the stream has ended");
      all += value;
    }
    return all;
  };
  // From the first bytes on nothing is missed.
  await seen("\n");
  return { seen, [Symbol.asyncDispose]: async () => Promise.resolve(abort.abort()) };
}

const ofMethod = (method: string) => (message: Readonly<Record<string, unknown>>) => message["method"] === method;
const toolCall = (id: number | string, name: string, args: object = {}): object => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args },
});

test("cluster: an answer reaches the process whose backend asked, wherever it was sent", limits, async () => {
  const { fleet } = await peers();
  const [one, two] = await sessionAtAll(fleet);
  await using stream = await one.postStream(toolCall(7, "b__ask-elicitation"));
  const { message } = await eventOf(stream, ofMethod("elicitation/create"));
  const answer = { jsonrpc: "2.0", id: message["id"], result: { action: "accept", content: { name: "Ada" } } };
  assert.equal((await two.post(answer)).status, 202);
  const { message: reply } = await eventOf(stream, (each) => each["id"] === 7);
  assert.match(JSON.stringify(reply["result"]), /Ada/);
});

test("cluster: a call is taken back at another process than the one that has it", limits, async () => {
  const { fleet } = await peers();
  const [one, two] = await sessionAtAll(fleet);
  const params = { name: "b__slow", arguments: { ms: 20_000 }, _meta: { progressToken: "t" } };
  await using stream = await one.postStream({ jsonrpc: "2.0", id: "slow-1", method: "tools/call", params });
  await eventOf(stream, ofMethod("notifications/progress"));
  await two.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "slow-1" } });
  for (let event = await stream.next(); event; event = await stream.next()) assert.ok(!event.data.includes("result"));
});

test("cluster: what a session subscribed to at one process is told on its stream at another", limits, async () => {
  const { fleet } = await peers();
  const [one, two, three] = await sessionAtAll(fleet);
  await using stream = await one.get();
  const uri = "test://watched-resource";
  const subscribed = JSON.parse(await two.request("resources/subscribe", { uri }));
  assert.deepEqual(recordOf(subscribed)["result"], {});
  const touched = recordOf(JSON.parse(await callText(three, "b__touch", { uri })));
  assert.ok(Number(touched["notified"]) > 0);
  const { message } = await eventOf(stream, ofMethod("notifications/resources/updated"));
  assert.equal(recordOf(message["params"])["uri"], uri);
});

test("cluster: a stream goes on at another process, with what was missed", limits, async () => {
  const { fleet } = await peers();
  const [one, two, three] = await sessionAtAll(fleet);
  const uri = "test://watched-resource";
  const first = await one.get();
  await one.request("resources/subscribe", { uri });
  await callText(three, "b__touch", { uri });
  const { event } = await eventOf(first, ofMethod("notifications/resources/updated"));
  await first.close();
  // While nobody listens.
  await callText(three, "b__log", { text: "missed", standalone: true });
  await callText(two, "b__touch", { uri });
  await using second = await two.get({ "last-event-id": event.id });
  await eventOf(second, ofMethod("notifications/resources/updated"));
  // And from then on.
  await callText(one, "b__touch", { uri });
  await eventOf(second, ofMethod("notifications/resources/updated"));
});

test("cluster: a change is told although the stream goes to another process just then", limits, async () => {
  const { fleet } = await peers();
  const clients = await sessionAtAll(fleet);
  const heard = new Set<number>();
  let round = 0;
  /** Counts a change for the round in which it comes, on whatever stream. */
  const hear = async (stream: RawStream): Promise<void> => {
    for (let event = await stream.next(); event; event = await stream.next())
      if (event.data.includes("notifications/tools/list_changed")) heard.add(round);
  };
  const streams: RawStream[] = [await clients[0].get()];
  const hearing = streams.map(hear);
  for (round = 1; round <= 20; round += 1) {
    const [at, caller] = [clients[round % 3], clients[(round + 1) % 3]];
    assert.ok(at && caller);
    const [stream] = await Promise.all([
      at.get(),
      callText(caller, round % 2 ? "b__grow" : "b__shrink", { name: "g" }),
    ]);
    streams.push(stream);
    hearing.push(hear(stream));
    await until(() => heard.has(round), `the change of round ${round} is told`);
  }
  for (const stream of streams) await stream.close();
  await Promise.allSettled(hearing);
});

test("cluster: the stream of a call is resumed at another process", limits, async () => {
  const { fleet } = await peers();
  const [one, two] = await sessionAtAll(fleet);
  const params = { name: "b__slow", arguments: { ms: 1_500 }, _meta: { progressToken: "t" } };
  const stream = await one.postStream({ jsonrpc: "2.0", id: "resumed", method: "tools/call", params });
  const first = await stream.next();
  assert.ok(first?.id);
  await stream.close();
  await using rest = await two.get({ "last-event-id": first.id });
  assert.equal(rest.status, 200);
  const { message } = await eventOf(rest, (each) => each["id"] === "resumed");
  assert.ok(message["result"]);
});

test("cluster: what another process answers is the same while somebody watches the messages", limits, async () => {
  const { fleet } = await peers();
  const [one, two] = await sessionAtAll(fleet);
  await using watched = await watch(fleet.member(1).url);
  const params = { name: "b__slow", arguments: { ms: 1_500 }, _meta: { progressToken: "t" } };
  const stream = await one.postStream({ jsonrpc: "2.0", id: "watched", method: "tools/call", params });
  const first = await stream.next();
  assert.ok(first?.id);
  await stream.close();
  await using rest = await two.get({ "last-event-id": first.id });
  assert.equal(rest.status, 200);
  const { message } = await eventOf(rest, (each) => each["id"] === "watched");
  assert.ok(message["result"]);

  const [here, there] = [0, 1].map((at) => new ModernPeer(fleet.member(at).url));
  assert.ok(here && there);
  const nonce = randomUUID();
  const asked = await here.call("b__survey", { nonce });
  const retry = { inputResponses: answersTo(asked.asked), requestState: asked.state };
  const next = await there.call("b__survey", { nonce }, retry);
  assert.equal(next.result["resultType"], "input_required", JSON.stringify(next.error));
  assert.match(await watched.seen(nonce), /survey/);
});

test(
  "cluster: a session that was ended at one process is unknown to all, also to one that starts later",
  limits,
  async () => {
    const { fleet } = await peers();
    const [one, two, three] = await sessionAtAll(fleet);
    assert.equal((await two.post({ jsonrpc: "2.0", id: 1, method: "ping" })).status, 200);
    assert.equal((await one.delete()).status, 200);
    for (const client of [one, two, three])
      assert.equal((await client.post({ jsonrpc: "2.0", id: 2, method: "ping" })).status, 404);
    await fleet.member(2).stop();
    await fleet.member(2).start();
    assert.equal((await three.post({ jsonrpc: "2.0", id: 3, method: "ping" })).status, 404);
  },
);

test("cluster: a call that waits for input is gone on with at another process, once", limits, async () => {
  const { fleet } = await peers();
  const [one, two, three] = [0, 1, 2].map((at) => new ModernPeer(fleet.member(at).url));
  assert.ok(one && two && three);
  const nonce = randomUUID();
  const first = await one.call("b__survey", { nonce });
  const retry = { inputResponses: answersTo(first.asked), requestState: first.state };
  const second = await two.call("b__survey", { nonce }, retry);
  assert.deepEqual(
    Object.values(second.asked).map(({ method }) => method),
    ["sampling/createMessage"],
  );
  const again = await three.call("b__survey", { nonce }, retry);
  assert.equal(again.error["code"], -32602);
  const third = await three.call(
    "b__survey",
    { nonce },
    { inputResponses: answersTo(second.asked), requestState: second.state },
  );
  const last = await two.call(
    "b__survey",
    { nonce },
    { inputResponses: answersTo(third.asked), requestState: third.state },
  );
  assert.equal(last.result["resultType"], "complete");
});
