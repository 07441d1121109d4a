// Two SDK clients at once, with the same ids and progress tokens, over every kind of link: nothing reaches the other one.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import type { Result } from "@modelcontextprotocol/sdk/types.js";
import { connectClient, textOf } from "../kit/client.ts";
import type { TestClient } from "../kit/client.ts";
import { startServers } from "../kit/servers.ts";
import type { Servers } from "../kit/servers.ts";
import { Gateway, recordOf } from "./kit.ts";

interface Peers {
  readonly servers: Servers;
  readonly gateway: Gateway;
  readonly ada: TestClient;
  readonly bob: TestClient;
}

const limits = { timeout: 120_000 };
/** The fixture behind each kind of link; `own` is a link for each session. */
const links = ["child", "child-own", "web", "web-own"] as const;
type Link = (typeof links)[number];
/** Where a message that the server sends in a call says which call that is, or can be of one client only. */
const telling = links.filter((link) => link !== "child");
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const servers = await startServers();
  const { fixture, "fixture-http": web } = servers.all;
  const own = { isolation: "session" };
  const backends = {
    child: fixture.backend,
    "child-own": { ...fixture.backend, ...own },
    web: web.backend,
    "web-own": { ...web.backend, ...own },
  };
  const gateway = await Gateway.start({ ...servers.config(), backends });
  await gateway.up(...links);
  const connect = (name: string): Promise<TestClient> =>
    connectClient(
      { url: gateway.url() },
      { name, modelText: `model of ${name}`, formContent: { name }, roots: [{ uri: `file:///${name}` }] },
    );
  const [ada, bob] = await Promise.all([connect("ada"), connect("bob")]);
  // Links of their own open in the background.
  await Promise.all([ada, bob].flatMap((one) => links.map((link) => one.call(`${link}__echo`))));
  return { servers, gateway, ada, bob };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => {
  const { servers, gateway, ada, bob } = await peers();
  await Promise.all([ada, bob].map((one) => one[Symbol.asyncDispose]()));
  await Promise.all([gateway[Symbol.asyncDispose](), servers[Symbol.asyncDispose]()]);
});

/** A long call that its server is known to run; `stop` cancels it and waits until its server knows. */
async function occupy(one: TestClient, link: Link): Promise<{ nonce: string; stop: () => Promise<void> }> {
  const abort = new AbortController();
  const started = Promise.withResolvers<void>();
  const nonce = randomUUID();
  const options = { signal: abort.signal, onprogress: (): void => started.resolve() };
  const call = one.client.callTool({ name: `${link}__slow`, arguments: { ms: 60_000, nonce } }, undefined, options);
  await Promise.race([started.promise, call]);
  const stop = async (): Promise<void> => {
    abort.abort("enough");
    await assert.rejects(call);
    assert.ok((await cancelled(one, link, nonce)).includes(nonce));
  };
  return { nonce, stop };
}

/** The calls that the server saw cancelled, once `nonce` is one of them. */
async function cancelled(one: TestClient, link: Link, nonce: string): Promise<string> {
  return one.callText(`${link}__cancelled`, { nonce });
}

/** Everything of a client's record that says `text`. */
function saying(one: TestClient, text: string): unknown[] {
  return one.notifications.filter(({ params }) => JSON.stringify(params ?? {}).includes(text));
}

/** The error that the server's request came back with, if it did. */
function errorIn(result: Result): string {
  return JSON.stringify(recordOf(JSON.parse(textOf(result)))["error"] ?? null);
}

for (const link of links) {
  test(`two clients: progress of equal tokens goes to the caller alone, ${link}`, limits, async () => {
    const { ada, bob } = await peers();
    const [before, beforeBob] = [ada.notifications.length, bob.notifications.length];
    const run = (one: TestClient, ms: number): Promise<Result> =>
      one.call(`${link}__slow`, { ms }, { progressToken: "the same" });
    await Promise.all([run(ada, 200), run(bob, 250)]);
    for (const [one, from, total] of [
      [ada, before, 200],
      [bob, beforeBob, 250],
    ] as const) {
      const heard = one.notifications.slice(from).filter(({ method }) => method === "notifications/progress");
      const expected = Array.from({ length: total / 50 }, (_, step) => ["the same", step * 50, total]);
      const found = heard.map(({ params }) => [params?.["progressToken"], params?.["progress"], params?.["total"]]);
      assert.deepEqual(found, expected);
    }
  });

  test(`two clients: a cancellation ends the call of its client alone, ${link}`, limits, async () => {
    const { ada, bob } = await peers();
    const [his, hers] = [await occupy(bob, link), await occupy(ada, link)];
    await hers.stop();
    assert.ok(!(await cancelled(ada, link, hers.nonce)).includes(his.nonce));
    await his.stop();
  });

  test(`two clients: a client without capabilities is asked nothing, nor is the other, ${link}`, limits, async () => {
    const { gateway, ada, bob } = await peers();
    const before = [ada.asked.length, bob.asked.length];
    await using plain = await connectClient({ url: gateway.url() }, { capabilities: {} });
    const uninvited: string[] = [];
    plain.client.fallbackRequestHandler = ({ method }) => {
      uninvited.push(method);
      return Promise.resolve({});
    };
    for (const tool of ["ask-sampling", "ask-elicitation", "ask-elicitation-url", "ask-roots"]) {
      assert.match(errorIn(await plain.call(`${link}__${tool}`)), /-32601.*did not declare/);
    }
    assert.deepEqual(uninvited, []);
    assert.deepEqual([ada.asked.length, bob.asked.length], before);
  });
}

for (const link of telling) {
  test(`two clients: log messages of calls at the same time go to the caller alone, ${link}`, limits, async () => {
    const { ada, bob } = await peers();
    const running = await Promise.all([ada, bob].map((one) => occupy(one, link)));
    const texts = ["of ada", "of bob"].map((text) => `${text} ${randomUUID()}`);
    const [hers = "", his = ""] = texts;
    await Promise.all([ada.call(`${link}__log`, { text: hers }), bob.call(`${link}__log`, { text: his })]);
    await Promise.all(
      [ada, bob].map((one, at) => one.notified("notifications/message", ({ data }) => data === texts[at])),
    );
    await Promise.all(running.map(({ stop }) => stop()));
    assert.deepEqual([saying(ada, his), saying(bob, hers)], [[], []]);
    assert.deepEqual([saying(ada, hers).length, saying(bob, his).length], [1, 1]);
  });

  test(`two clients: each answers what its own calls ask, ${link}`, limits, async () => {
    const { ada, bob } = await peers();
    const running = await Promise.all([ada, bob].map((one) => occupy(one, link)));
    const asked = [ada.asked.length, bob.asked.length];
    const rounds = Array.from({ length: 3 }, () =>
      [ada, bob].map(async (one, at) => {
        const name = ["ada", "bob"][at] ?? "";
        const answers = await Promise.all([
          one.callText(`${link}__ask-sampling`, { prompt: name }),
          one.callText(`${link}__ask-elicitation`, { message: name }),
          one.callText(`${link}__ask-roots`),
        ]);
        assert.ok(answers[0].includes(`model of ${name}`));
        assert.ok(answers[1].includes(`"content":{"name":"${name}"}`));
        assert.ok(answers[2].includes(`file:///${name}`));
        assert.match(await one.callText(`${link}__ask-elicitation-url`, { message: name }), /"action":"accept"/);
      }),
    );
    await Promise.all(rounds.flat());
    await Promise.all(running.map(({ stop }) => stop()));
    for (const [at, one] of [ada, bob].entries()) {
      const heard = JSON.stringify(one.asked.slice(asked[at]));
      assert.equal(one.asked.length, (asked[at] ?? 0) + 12);
      assert.ok(!heard.includes(at === 0 ? "bob" : "ada"), heard);
    }
  });
}

test(
  "two clients: on one child, a log message of two possible calls is dropped, of one it is not",
  limits,
  async () => {
    const { ada, bob } = await peers();
    const his = await occupy(bob, "child");
    const [lost, found] = [randomUUID(), randomUUID()];
    await ada.call("child__log", { text: lost });
    await his.stop();
    await ada.call("child__log", { text: found });
    await ada.notified("notifications/message", ({ data }) => data === found);
    assert.deepEqual([saying(ada, lost), saying(bob, lost), saying(bob, found)], [[], [], []]);
  },
);

test("two clients: on one child, a question of two possible calls is refused with the way out", limits, async () => {
  const { ada, bob } = await peers();
  const his = await occupy(bob, "child");
  const before = [ada.asked.length, bob.asked.length];
  for (const tool of ["ask-sampling", "ask-elicitation", "ask-elicitation-url", "ask-roots"]) {
    assert.match(errorIn(await ada.call(`child__${tool}`)), /isolation: session/);
  }
  assert.deepEqual([ada.asked.length, bob.asked.length], before);
  await his.stop();
  assert.match(await ada.callText("child__ask-sampling"), /model of ada/);
  assert.match(await bob.callText("child__ask-sampling"), /model of bob/);
});

test(
  "two clients: a message of no call on a shared HTTP session is dropped while both have calls",
  limits,
  async () => {
    const { ada, bob } = await peers();
    const running = await Promise.all([ada, bob].map((one) => occupy(one, "web")));
    const [lost, found] = [randomUUID(), randomUUID()];
    await ada.call("web__log", { text: lost, standalone: true });
    await Promise.all(running.map(({ stop }) => stop()));
    await ada.call("web__log", { text: found });
    await ada.notified("notifications/message", ({ data }) => data === found);
    assert.deepEqual([saying(ada, lost), saying(bob, lost), saying(bob, found)], [[], [], []]);
  },
);

test("two clients: links are shared or not, as isolation says", limits, async () => {
  const { ada, bob } = await peers();
  for (const link of links) {
    const tool = link.startsWith("child") ? "pid" : "session";
    const [hers, his] = await Promise.all([ada, bob].map((one) => one.callText(`${link}__${tool}`)));
    assert.equal(hers === his, !link.endsWith("-own"), link);
    assert.equal(await ada.callText(`${link}__${tool}`), hers);
  }
});
