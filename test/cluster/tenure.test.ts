// Streams that begin while a process hears of their session, and streams of other processes: each counts once, and ends.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import type { PolicyPlan } from "../../lib/config/rules-policy.ts";
import type { Gateway } from "../../lib/gateway.ts";
import { listen } from "../../lib/listen.ts";
import { authPlan, keyOf } from "../front/auth-kit.ts";
import { Events, FrontClient, type Settings } from "../front/kit.ts";
import { type Peer, type PeerCall, startPeer, within } from "../front/peer.ts";
import { Workers } from "./crew.ts";

const limits = { timeout: 60_000 };
const ada = keyOf("ada");
const settingsOf = (streams: number): Settings => ({
  limits: { streams },
  plan: { auth: authPlan({ keys: [ada] }) },
});

/** A client of one worker that goes on at another. */
async function movedTo(there: Gateway, here: Gateway): Promise<FrontClient> {
  const [first, moved] = [new FrontClient(here), new FrontClient(there)];
  first.token = moved.token = ada.key;
  await first.initialize();
  moved.sessionId = first.sessionId;
  moved.version = first.version;
  return moved;
}

const ask = (client: FrontClient): Promise<Response> => client.send("GET", undefined, { accept: "text/event-stream" });

test("tenure: streams that begin while their session joins are no more than a principal may hold", limits, async () => {
  await using workers = await Workers.start(2, settingsOf(2));
  const client = await movedTo(workers.at(1), workers.at(0));
  const answers = await Promise.all([ask(client), ask(client), ask(client)]);
  // Whichever came first.
  const [one, other] = answers.filter(({ status }) => status === 200);
  assert.deepEqual([one?.status, other?.status, answers.filter(({ status }) => status === 429).length], [200, 200, 1]);
  // Each is counted once, and gives its place back.
  await one?.body?.cancel();
  const next = await ask(client);
  assert.equal(next.status, 200);
  assert.equal((await ask(client)).status, 429);
  for (const each of [other, next]) await each?.body?.cancel();
});

test("tenure: a stream that begins while its session joins ends with the key that opened it", limits, async () => {
  await using workers = await Workers.start(2, settingsOf(2));
  const there = workers.at(1);
  const client = await movedTo(there, workers.at(0));
  // Where this machine is so slow that the key is over before it is shown, it gets more time.
  for (let lifeMs = 500; ; lifeMs *= 2) {
    const expiresAt = Date.now() + lifeMs;
    await there.apply({ ...there.plan, auth: authPlan({ keys: [{ ...ada, expiresAt }] }) });
    const answer = await ask(client);
    if (answer.status === 401) continue;
    await new Events(answer).rest();
    assert.ok(Date.now() >= expiresAt - 5, "it has ended too early");
    return;
  }
});

test("tenure: a client that leaves while its session joins has no stream", limits, async () => {
  const [joins, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using workers = await Workers.start(2, settingsOf(1), (operation) => {
    if (operation !== "read") return undefined;
    joins.resolve();
    return goesOn.promise;
  });
  const there = workers.at(1);
  const client = await movedTo(there, workers.at(0));
  const gone = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<unknown>();
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handle: (request) => {
      request.whenGone(() => gone.resolve());
      const answer = there.handle(request);
      answered.resolve(answer);
      return answer;
    },
  });
  const socket = connect(Number(listener.url.port), "127.0.0.1");
  const headers = {
    host: "127.0.0.1",
    accept: "text/event-stream",
    authorization: `Bearer ${ada.key}`,
    "mcp-session-id": client.sessionId ?? "",
    "mcp-protocol-version": "2025-11-25",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /mcp HTTP/1.1\r\n${lines.join("")}\r\n`);
  await within(joins.promise, "the session to be asked about");
  socket.destroy();
  await within(gone.promise, "the client to be gone");
  goesOn.resolve();
  await answered.promise;
  // Whoever has it hands it on in this turn.
  await new Promise((resolve) => setImmediate(resolve));
  const answer = await ask(client);
  assert.equal(answer.status, 200);
  await answer.body?.cancel();
  await listener.close(true);
});

test("tenure: a stream that is judged once more is one, and so where somebody watches", limits, async () => {
  const ops = keyOf("ops");
  const [joins, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const policy: PolicyPlan = { default: "allow", roles: {}, rules: [{ effect: "allow", methods: ["mcpctl/*"] }] };
  const settings = { limits: { streams: 1 }, plan: { auth: authPlan({ keys: [ada, ops] }), policy } };
  await using workers = await Workers.start(2, settings, (operation) => {
    if (operation !== "read") return undefined;
    joins.resolve();
    return goesOn.promise;
  });
  const there = workers.at(1);
  const client = await movedTo(there, workers.at(0));
  const watcher = new FrontClient(there);
  watcher.token = ops.key;
  watcher.path = "/admin/tail";
  const watched = await watcher.send("GET");
  assert.equal(watched.status, 200);
  const asked = ask(client);
  await within(joins.promise, "the session to be asked about");
  await there.apply({ ...there.plan });
  goesOn.resolve();
  const answer = await asked;
  assert.equal(answer.status, 200);
  assert.equal((await ask(client)).status, 429);
  await there.apply({ ...there.plan, backends: [] });
  await answer.body?.cancel();
  const next = await ask(client);
  assert.equal(next.status, 200);
  for (const each of [next, watched]) await each.body?.cancel();
});

/** A call of a client that has begun to stream; `id`: of its first event. */
async function streaming(
  client: FrontClient,
  peer: Peer,
): Promise<{ readonly call: PeerCall; readonly stream: Events; readonly id: string }> {
  const begun = client.call(1);
  const call = await peer.call();
  call.progress(1);
  const stream = new Events(await begun);
  for (;;) {
    const id = (await stream.next())?.id;
    if (id !== undefined) return { call, stream, id };
  }
}

test("tenure: a client that leaves before the process that has its call answers has no stream", limits, async () => {
  /** What this process tells another one waits for `goesOn`. */
  let hold: { readonly place: number; readonly begun: () => void; readonly goesOn: Promise<void> } | undefined;
  await using peer = await startPeer();
  const settings = { ...settingsOf(1), backends: { peer: peer.url } };
  await using workers = await Workers.start(2, settings, (operation, place, to) => {
    if (operation !== "send" || to === "" || hold?.place !== place) return undefined;
    hold.begun();
    return hold.goesOn;
  });
  await Promise.all(workers.gateways.map((gateway) => gateway.settled(5_000)));
  const client = await movedTo(workers.at(1), workers.at(0));
  const first = new FrontClient(workers.at(0));
  Object.assign(first, { token: client.token, sessionId: client.sessionId, version: client.version });
  const { call, stream, id } = await streaming(first, peer);
  await stream.drop();
  // From here on its session is known there.
  await (await client.listen(id)).drop();
  const headers = { accept: "text/event-stream", "last-event-id": id };
  // The request is under way, then its answer.
  for (const place of [1, 0]) {
    const [holds, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    hold = { place, begun: holds.resolve, goesOn: goesOn.promise };
    const leaves = new AbortController();
    const answer = client.send("GET", undefined, headers, leaves.signal);
    await within(holds.promise, "the message");
    leaves.abort();
    hold = undefined;
    goesOn.resolve();
    assert.equal((await answer).status, 499);
    await (await client.listen(id)).drop();
  }
  // One that is refused meanwhile is over as well.
  const own = await ask(client);
  assert.equal((await client.send("GET", undefined, headers)).status, 429);
  await own.body?.cancel();
  const isHeld = (): boolean => workers.gateways.some(({ clustering }) => clustering?.relay.inFlight !== 0);
  while (isHeld()) await new Promise((resolve) => setImmediate(resolve));
  const resumed = await client.listen(id);
  call.reply("done");
  assert.match(JSON.stringify(await resumed.messages()), /done/);
});

test("tenure: a stream that another process has counts where its client is, and ends there too", limits, async () => {
  await using peer = await startPeer();
  await using workers = await Workers.start(2, { ...settingsOf(1), backends: { peer: peer.url } });
  await Promise.all(workers.gateways.map((gateway) => gateway.settled(5_000)));
  const [here, there] = [workers.at(0), workers.at(1)];
  const client = await movedTo(there, here);
  const first = new FrontClient(here);
  Object.assign(first, { token: client.token, sessionId: client.sessionId, version: client.version });
  const { call, stream, id } = await streaming(first, peer);
  const own = await ask(first);
  assert.equal(own.status, 200, "the stream of a call is none that listens");
  await stream.drop();
  const resumed = await client.listen(id);
  assert.equal((await ask(client)).status, 429);
  call.reply("done");
  assert.match(JSON.stringify(await resumed.messages()), /done/);
  const next = await ask(client);
  assert.equal(next.status, 200);
  for (const each of [own, next]) await each.body?.cancel();
});
