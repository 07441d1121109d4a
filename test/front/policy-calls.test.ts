// What a policy makes of single calls: by their arguments, by what their user says, by the scopes of their token.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import type { PolicyPlan, PolicyRulePlan } from "../../lib/config/rules-policy.ts";
import { TestAuthority } from "../kit/authority.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { audience, base, challengeOf, clientWith, issuerPlan, startLocked } from "./auth-kit.ts";
import { incomingOf } from "./exchange.ts";
import { type Answer, codeOf, Events, FrontClient, read, type Settings, startBench } from "./kit.ts";
import { type Message, record } from "./peer.ts";
import { Bench as StraightBench, call as straightCall, json, result, wentStraight } from "./straight-kit.ts";

const policyOf = (...rules: readonly PolicyRulePlan[]): PolicyPlan => ({ default: "deny", roles: {}, rules });
const planOf = (...rules: readonly PolicyRulePlan[]): Settings => ({ plan: { policy: policyOf(...rules) } });
const message = (args: string, id = 1): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"peer__work","arguments":${args}}}`;

test("policy: a call whose arguments are not allowed does not leave, however they are written", async () => {
  const path = { "/path": { type: "string", pattern: "^/tmp/[a-z]+$" } };
  await using bench = await startBench(planOf({ effect: "allow", tools: ["work"], arguments: path }));
  const client = await bench.client();
  const good = client.post(message('{"path":"/tmp/a"}'));
  (await bench.peer.call()).reply("done");
  assert.match((await good).text, /done/);
  for (const args of [
    '{"path":"/etc/passwd"}',
    '{"path":["/tmp/a"]}',
    "{}",
    '{"path":"/tmp/a","path":"/etc/passwd"}',
    '{"path":"/etc/passwd","path":"/tmp/a"}',
    '{"path":"/etc/passwd","\\u0070ath":"/tmp/a"}',
    '{"__proto__":{"path":"/tmp/a"}}',
    '{"x":{"path":"/tmp/a"}}',
    "[]",
    "null",
  ]) {
    const answer = await client.post(message(args));
    assert.equal(codeOf(answer), -32602, args);
    assert.match(answer.text, /E5105/, args);
  }
  assert.equal(bench.peer.calls.size, 0);
});

test("policy: a legacy client's user is asked, and a call goes on when the answer is yes", async () => {
  await using bench = await startBench(planOf({ effect: "confirm", tools: ["work"] }));
  for (const [action, isAllowed] of [
    ["accept", true],
    ["decline", false],
    ["cancel", false],
  ] as const) {
    const client = new FrontClient(bench.gateway);
    await client.initialize("2025-11-25", { elicitation: {} });
    const events = new Events(await client.send("POST", message('{"a":1}')));
    const asked = await events.message();
    assert.equal(asked["method"], "elicitation/create");
    assert.match(String(record(asked["params"])["message"]), /work.*peer.*\{"a":1\}/);
    assert.equal(bench.peer.calls.size, 0);
    await client.post({ jsonrpc: "2.0", id: asked["id"], result: { action, content: {} } });
    if (isAllowed) (await bench.peer.call()).reply("done");
    const text = JSON.stringify(await events.message());
    assert.match(text, isAllowed ? /done/ : /did not agree/);
  }
  const unable = await bench.client();
  assert.match((await unable.post(message("{}"))).text, /did not agree/);
});

test("policy: a modern client's user is asked, and the call goes on with the answer, once", async () => {
  await using bench = await startBench(planOf({ effect: "confirm", tools: ["work"] }));
  const client = new FrontClient(bench.gateway);
  const ask = async (more: Message = {}, declared: object = { elicitation: { form: {} } }): Promise<Answer> => {
    const meta = { "io.modelcontextprotocol/clientCapabilities": declared };
    const { body, headers } = modernRequest("tools/call", { name: "peer__work", arguments: {}, ...more }, { meta });
    return client.post(body, headers);
  };
  const first = record((await ask()).json["result"]);
  assert.equal(first["resultType"], "input_required");
  const [key = ""] = Object.keys(record(first["inputRequests"]));
  const retry = { requestState: first["requestState"], inputResponses: { [key]: { action: "accept", content: {} } } };
  const going = ask(retry);
  (await bench.peer.call()).reply("done");
  assert.match((await going).text, /done/);
  assert.match((await ask(retry)).text, /E6123/);
  assert.match((await ask({}, {})).text, /did not agree/);
  assert.equal(bench.peer.calls.size, 0);
});

test("policy: a call that needs more scopes is answered with 403, and the way to them", async () => {
  await using authority = await TestAuthority.start();
  await using bench = await startLocked(
    { issuers: [issuerPlan(authority)] },
    planOf({ effect: "allow", tools: ["work"], scopes: ["work:do", "work:see"] }),
  );
  const poor = clientWith(bench, await authority.token(audience, { claims: { scope: "work:see" } }));
  await poor.initialize();
  const { body, headers } = modernRequest("tools/call", { name: "peer__work", arguments: {} });
  for (const answer of [
    await poor.post(message("{}")),
    await poor.post(body, { ...headers, "mcp-session-id": undefined }),
  ]) {
    const { error, scope, resource_metadata: metadata } = challengeOf(answer);
    assert.deepEqual(
      [answer.status, error, scope, metadata],
      [403, "insufficient_scope", "work:do work:see", `${base}/.well-known/oauth-protected-resource/mcp`],
    );
  }
  assert.equal(bench.peer.calls.size, 0);
  // It is judged once more where the config changes before its body has come.
  const bearer = { authorization: `Bearer ${poor.token}`, "content-type": "application/json", accept: "*/*" };
  const session = { "mcp-session-id": poor.sessionId ?? "", "mcp-protocol-version": "2025-11-25" };
  const sent = { method: "POST", headers: { ...bearer, ...session }, body: message("{}") };
  const incoming = incomingOf(new Request(`${base}/mcp`, sent));
  const late = bench.gateway.handle(incoming);
  await bench.gateway.apply({ ...bench.gateway.plan });
  incoming.add(Buffer.from(sent.body));
  incoming.finish();
  const { status, headers: answered } = await late;
  assert.equal(status, 403);
  assert.equal(answered["www-authenticate"]?.match(/resource_metadata=/g)?.length, 1);
  // The session goes on with a better token.
  poor.token = await authority.token(audience, { claims: { scope: "work:see work:do" } });
  const rich = poor.call();
  (await bench.peer.call()).reply("done");
  assert.match((await read(await rich)).text, /done/);
});

test("policy: what is always allowed goes straight, and what depends does not", async () => {
  for (const [rule, isStraight] of [
    [{ effect: "allow", tools: ["t"] }, true],
    [{ effect: "allow", tools: ["t"], arguments: { "/a": { const: "é" } } }, false],
    [{ effect: "allow", annotations: { readOnlyHint: false } }, false],
  ] as const) {
    await using bench = await StraightBench.start(planOf(rule));
    const wire = await bench.warm();
    const before = wentStraight();
    bench.post(wire, straightCall("next"));
    const { id, socket } = await bench.backend.calls.next("the call");
    socket.write(json(result(id)));
    await wire.until(/"next"/);
    assert.equal(wentStraight() - before, isStraight ? 1 : 0, JSON.stringify(rule));
  }
});
