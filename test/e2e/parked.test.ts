// Calls of modern clients that legacy backends need input for: parked, gone on with once, refused to others, released.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { recordOf } from "../kit/fixture-world.ts";
import { answersTo, ModernPeer } from "../kit/modern-peer.ts";
import type { ModernAnswer } from "../kit/modern-peer.ts";
import { startHttpServer } from "../kit/process.ts";
import type { HttpServerProcess } from "../kit/process.ts";
import { fixtureStdio, Gateway, until } from "./kit.ts";

interface Peers {
  readonly server: HttpServerProcess;
  readonly gateway: Gateway;
}

const links = ["http", "stdio"] as const;
const limits = { timeout: 120_000 };
const inputMs = 1_500;
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const server = await startHttpServer();
  const gateway = await Gateway.start({
    backends: { http: { url: server.url }, stdio: fixtureStdio() },
    timeouts: { input: `${inputMs}ms` },
    limits: { parked: 3 },
  });
  await gateway.up(...links);
  return { server, gateway };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => {
  const { server, gateway } = await peers();
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function peerOf(link: (typeof links)[number]): Promise<ModernPeer> {
  return new ModernPeer((await peers()).gateway.url(link));
}

async function parkedNow(): Promise<unknown> {
  const { gateway } = await peers();
  const health = await fetch(new URL("/health", gateway.url()));
  return recordOf(await health.json())["parked"];
}

const noneParked = (): Promise<boolean> => parkedNow().then((count) => count === 0);

function textOf({ result }: ModernAnswer): string {
  const [first] = Array.isArray(result["content"]) ? result["content"] : [];
  return String(recordOf(first ?? {})["text"]);
}

function reasonOf({ error }: ModernAnswer): unknown {
  return recordOf(error["data"] ?? {})["reason"];
}

for (const link of links) {
  test(`parked: a tool asks for a form, then a model, then roots, and has run once, over ${link}`, limits, async () => {
    const peer = await peerOf(link);
    const nonce = randomUUID();
    const { answer, rounds } = await peer.finish("survey", { nonce });
    assert.deepEqual(rounds, [["elicitation/create"], ["sampling/createMessage"], ["roots/list"]]);
    const { count, answers } = recordOf(JSON.parse(textOf(answer)));
    assert.equal(count, 1);
    assert.equal(Object.keys(recordOf(answers)).length, 3);
    assert.equal(answer.result["resultType"], "complete");
    assert.equal(recordOf(JSON.parse(textOf(await peer.call("counts"))))[nonce], 1);
    assert.equal(await parkedNow(), 0);
  });

  test(
    `parked: what is asked at once comes in one round, and half of the answers brings the rest again, over ${link}`,
    limits,
    async () => {
      const peer = await peerOf(link);
      const first = await peer.call("ask-all");
      assert.equal(Object.keys(first.asked).length, 3);
      const [some, ...others] = Object.entries(answersTo(first.asked));
      assert.ok(some);
      const half = { inputResponses: Object.fromEntries([some, ["unknown", {}]]), requestState: first.state };
      const second = await peer.call("ask-all", {}, half);
      assert.deepEqual(Object.keys(second.asked), Object.keys(Object.fromEntries(others)));
      assert.notEqual(second.state, first.state);
      const third = await peer.call(
        "ask-all",
        {},
        { inputResponses: answersTo(second.asked), requestState: second.state },
      );
      assert.equal(third.result["resultType"], "complete");
    },
  );

  test(`parked: a state is good once, for the same params, over ${link}`, limits, async () => {
    const peer = await peerOf(link);
    const args = { nonce: randomUUID() };
    const first = await peer.call("survey", args);
    const retry = { inputResponses: answersTo(first.asked), requestState: first.state };
    const second = await peer.call("survey", args, retry);
    assert.deepEqual(
      Object.values(second.asked).map(({ method }) => method),
      ["sampling/createMessage"],
    );
    const again = await peer.call("survey", args, retry);
    assert.deepEqual([again.status, again.error["code"], reasonOf(again)], [200, -32602, "replayed"]);
    // The replay took nothing from the call itself.
    assert.equal(await parkedNow(), 1);
    const others = { inputResponses: answersTo(second.asked), requestState: second.state };
    const changed = await peer.call("survey", { nonce: "another" }, others);
    assert.deepEqual([changed.error["code"], reasonOf(changed)], [-32602, "params"]);
    assert.equal(await parkedNow(), 0);
    const after = await peer.call("survey", args, others);
    assert.deepEqual([after.error["code"], reasonOf(after)], [-32602, "replayed"]);
    assert.equal(recordOf(JSON.parse(textOf(await peer.call("counts"))))[args.nonce], 1);
  });

  test(`parked: a state that was tampered with is refused, over ${link}`, limits, async () => {
    const peer = await peerOf(link);
    const { state: good = "", asked } = await peer.call("ask-elicitation");
    const wrong = `${good.slice(0, 30)}${good[30] === "A" ? "B" : "A"}${good.slice(31)}`;
    for (const requestState of [wrong, `${good}A`, "a state of somebody else"]) {
      const { error } = await peer.call("ask-elicitation", {}, { inputResponses: answersTo(asked), requestState });
      assert.equal(error["code"], -32602);
    }
    for (const inputResponses of [{ "elicitation-1": 12_345 }, null, []]) {
      const { error } = await peer.call("ask-elicitation", {}, { inputResponses, requestState: good });
      assert.equal(error["code"], -32602);
    }
    const done = await peer.call("ask-elicitation", {}, { inputResponses: answersTo(asked), requestState: good });
    assert.equal(done.result["resultType"], "complete");
  });

  test(
    `parked: a client that never comes back releases its call when the time is over, over ${link}`,
    limits,
    async () => {
      const peer = await peerOf(link);
      const args = { nonce: randomUUID() };
      const first = await peer.call("survey", args);
      assert.equal(await parkedNow(), 1);
      await until(noneParked, "the parked call is gone");
      const late = await peer.call("survey", args, {
        inputResponses: answersTo(first.asked),
        requestState: first.state,
      });
      assert.deepEqual([late.error["code"], reasonOf(late)], [-32602, "expired"]);
      assert.equal(recordOf(JSON.parse(textOf(await peer.call("counts"))))[args.nonce], 1);
    },
  );

  test(`parked: a client that leaves while its call goes on takes it back, over ${link}`, limits, async () => {
    const peer = await peerOf(link);
    const first = await peer.call("ask-then-slow", { nonce: `${link}-left`, ms: 20_000 });
    const retry = { inputResponses: answersTo(first.asked), requestState: first.state };
    const leave = new AbortController();
    const left = peer.drop(
      "tools/call",
      { name: "ask-then-slow", arguments: { nonce: `${link}-left`, ms: 20_000 }, ...retry },
      leave.signal,
    );
    await until(noneParked, "the call goes on");
    leave.abort();
    await left;
    // It resolves when the server has heard of the cancellation.
    assert.match(textOf(await peer.call("cancelled", { nonce: `${link}-left` })), new RegExp(`${link}-left`));
    const again = await peer.call("ask-then-slow", { nonce: `${link}-left`, ms: 20_000 }, retry);
    assert.deepEqual([again.error["code"], reasonOf(again)], [-32602, "replayed"]);
  });

  test(`parked: a call that needs what its client did not declare says what, over ${link}`, limits, async () => {
    const { gateway } = await peers();
    const peer = new ModernPeer(gateway.url(link), { capabilities: { sampling: {} } });
    const { status, error } = await peer.call("survey");
    assert.deepEqual([status, error["code"]], [400, -32021]);
    assert.deepEqual(recordOf(error["data"])["requiredCapabilities"], { elicitation: { form: {} } });
    assert.equal((await peer.finish("ask-sampling")).answer.result["resultType"], "complete");
  });

  test(
    `parked: two clients are asked at the same time and each gets its own answer, over ${link}`,
    limits,
    async () => {
      const [one, two] = [await peerOf(link), await peerOf(link)];
      const first = await one.call("ask-elicitation", { message: "one" });
      const second = await two.call("ask-elicitation", { message: "two" });
      const params = (answer: ModernAnswer): unknown[] =>
        Object.values(answer.asked).map(({ params: asked }) => recordOf(asked)["message"]);
      assert.deepEqual([params(first), params(second)], [["one"], ["two"]]);
      const answer = (name: string, { asked, state: requestState }: ModernAnswer): Record<string, unknown> => ({
        inputResponses: Object.fromEntries(
          Object.keys(asked).map((key) => [key, { action: "accept", content: { name } }]),
        ),
        requestState,
      });
      const last = await two.call("ask-elicitation", { message: "two" }, answer("for two", second));
      const done = await one.call("ask-elicitation", { message: "one" }, answer("for one", first));
      assert.match(textOf(last), /for two/);
      assert.match(textOf(done), /for one/);
    },
  );
}

test("parked: one principal's calls are bounded", limits, async () => {
  const peer = await peerOf("http");
  const held = await Promise.all([1, 2, 3].map(() => peer.call("ask-elicitation")));
  assert.equal(await parkedNow(), 3);
  const more = await peer.call("ask-elicitation");
  assert.deepEqual([more.error["code"], recordOf(more.error["data"])["code"]], [-32000, "E6124"]);
  for (const { asked, state: requestState } of held) {
    const done = await peer.call("ask-elicitation", {}, { inputResponses: answersTo(asked), requestState });
    assert.equal(done.result["resultType"], "complete");
  }
});

test("parked: a URL that must be visited first is asked for, and the call is made again", limits, async () => {
  const peer = await peerOf("http");
  const data = { elicitations: [{ mode: "url", elicitationId: "e", url: "https://example.com/", message: "Sign in" }] };
  const first = await peer.call("fail", { code: -32042, message: "sign in", data });
  assert.deepEqual(Object.values(first.asked), [
    { method: "elicitation/create", params: { mode: "url", url: "https://example.com/", message: "Sign in" } },
  ]);
  assert.equal(first.state, undefined);
  const again = await peer.call(
    "fail",
    { code: -32000, message: "done" },
    { inputResponses: { "url-1": { action: "accept" } } },
  );
  assert.deepEqual([again.error["code"], again.error["message"]], [-32000, "done"]);
});

test("parked: a gateway behind a gateway keeps its own states", limits, async () => {
  const { gateway } = await peers();
  await using outer = await Gateway.start({ backends: { inner: { url: gateway.url("http") } } });
  await outer.up("inner");
  const { answer, rounds } = await new ModernPeer(outer.url()).finish("inner__survey", { nonce: randomUUID() });
  assert.equal(rounds.length, 3);
  assert.match(textOf(answer), /"count":1/);
});
