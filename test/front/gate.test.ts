// Who is let in with which key, what strangers see, and that nothing of one principal is of use to another.
import assert from "node:assert/strict";
import { test } from "node:test";
import { authPlan, challengeOf, clientWith, get, keyOf, knock, startLocked } from "./auth-kit.ts";
import { codeOf } from "./kit.ts";
import { record, startPeer } from "./peer.ts";

const ping = { jsonrpc: "2.0", id: 1, method: "ping" };

test("gate: without a key nobody is let in, anywhere", async () => {
  await using bench = await startLocked({ keys: [keyOf("ada")] });
  for (const path of ["/mcp", "/mcp/peer", "/mcp/none", "/sse", "/messages", "/why", "/nothing"]) {
    for (const method of ["GET", "POST", "DELETE", "PUT"]) {
      const client = clientWith(bench, undefined);
      client.path = path;
      const { status, headers } = await client.send(method, method === "POST" ? ping : undefined);
      assert.equal(status, 401, `${method} ${path}`);
      assert.equal(headers.get("www-authenticate"), 'Bearer realm="mcpctl"');
    }
  }
  assert.equal((await knock(bench, undefined)).json["result"], undefined);
});

test("gate: what is no key is refused, and what is no single bearer token is a bad request", async () => {
  const ada = keyOf("ada");
  await using bench = await startLocked({ keys: [ada, keyOf("late", { expiresAt: Date.now() - 1 })] });
  const late = keyOf("late", { expiresAt: Date.now() - 1 });
  for (const wrong of ["x", ada.hash, `${ada.key}A`, ada.key.slice(0, -1), ada.key.toUpperCase(), late.key]) {
    const answer = await knock(bench, wrong);
    assert.equal(answer.status, 401, wrong);
    assert.equal(challengeOf(answer)["error"], "invalid_token");
    assert.ok(!answer.text.includes(wrong));
  }
  for (const header of ["Bearer", "Bearer a b", `Bearer ${ada.key}, Bearer ${ada.key}`, "Bearer \u00e9"]) {
    const answer = await knock(bench, undefined, "/mcp", { authorization: header });
    assert.equal(answer.status, 400, header);
    assert.equal(challengeOf(answer)["error"], "invalid_request");
  }
  for (const header of [`Basic ${btoa(`ada:${ada.key}`)}`, ada.key, `Token ${ada.key}`])
    assert.equal((await knock(bench, undefined, "/mcp", { authorization: header })).status, 401, header);
  assert.equal((await knock(bench, ada.key)).status, 200);
  assert.equal((await knock(bench, undefined, "/mcp", { authorization: `bearer  ${ada.key}` })).status, 200);
});

test("gate: a token in the address is refused, even beside a good one", async () => {
  const ada = keyOf("ada");
  await using bench = await startLocked({ keys: [ada] });
  for (const path of [`/mcp?access_token=${ada.key}`, `/mcp?a=b&ACCESS_TOKEN=x`, `/sse?access_token=${ada.key}`]) {
    for (const token of [undefined, ada.key]) assert.equal((await knock(bench, token, path)).status, 400, path);
  }
});

test("gate: strangers hear whether the gateway lives, and nothing of what is behind it", async () => {
  const ada = keyOf("ada");
  await using bench = await startLocked({ keys: [ada] });
  assert.deepEqual([(await get(bench, "/livez")).text, (await get(bench, "/readyz")).text], ["ok\n", "ok\n"]);
  assert.deepEqual((await get(bench, "/health")).json, { status: "ok" });
  assert.deepEqual(Object.keys(record((await get(bench, "/health", ada.key)).json["backends"])), ["peer"]);
  assert.equal((await get(bench, "/health", "wrong")).status, 401);
  assert.equal((await get(bench, "/why", ada.key)).status, 200);
});

test("gate: a session is nobody's but its principal's", async () => {
  const [ada, eve] = [keyOf("ada"), keyOf("eve")];
  await using bench = await startLocked({ keys: [ada, eve] });
  const own = clientWith(bench, ada.key);
  await own.initialize();
  const stolen = clientWith(bench, eve.key);
  stolen.sessionId = own.sessionId;
  stolen.version = own.version;
  for (const method of ["GET", "DELETE"]) assert.equal((await stolen.send(method)).status, 404, method);
  const answer = await stolen.post(ping);
  assert.equal(answer.status, 404);
  const unknown = await stolen.post(ping, { "mcp-session-id": "x" });
  assert.equal(answer.text, unknown.text);
  assert.equal((await own.post(ping)).status, 200);
});

test("gate: a cursor is nobody's but its principal's", async () => {
  const [ada, eve] = [keyOf("ada"), keyOf("eve")];
  await using peer = await startPeer();
  await using bench = await startLocked(
    { keys: [ada, eve] },
    { plan: { pagination: { pageSize: 1, maxPageSize: 1 } }, backends: { one: peer.url, two: peer.url } },
  );
  const [own, other] = [clientWith(bench, ada.key), clientWith(bench, eve.key)];
  await own.initialize();
  await other.initialize();
  const list = (cursor?: unknown): object => ({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { cursor } });
  const { nextCursor } = record((await own.post(list())).json["result"]);
  assert.equal(typeof nextCursor, "string");
  const refused = record((await other.post(list(nextCursor))).json["error"]);
  assert.equal(record(refused["data"])["reason"], "otherPrincipal");
  assert.ok((await own.post(list(nextCursor))).json["result"]);
});

test("gate: links of one principal are not used for another", async () => {
  const [ada, eve] = [keyOf("ada"), keyOf("eve")];
  await using bench = await startLocked({ keys: [ada, eve] });
  const sessions = new Set<unknown>();
  for (const key of [ada, eve, ada]) {
    const client = clientWith(bench, key.key);
    await client.initialize();
    const answer = client.call();
    const call = await bench.peer.call();
    sessions.add(call.session);
    call.reply("done");
    await (await answer).text();
  }
  assert.equal(sessions.size, 2);
});

test("gate: a key that is taken out of the config is refused from then on, also on a connection that used it", async () => {
  const [ada, eve] = [keyOf("ada"), keyOf("eve")];
  await using bench = await startLocked({ keys: [ada, eve] });
  const client = clientWith(bench, ada.key);
  await client.initialize();
  assert.equal((await client.post(ping)).status, 200);
  await bench.gateway.apply({ ...bench.gateway.plan, auth: authPlan({ keys: [eve] }) });
  assert.equal((await client.post(ping)).status, 401);
  assert.equal((await knock(bench, eve.key)).status, 200);
  const { auth: _, ...open } = bench.gateway.plan;
  await bench.gateway.apply(open);
  assert.equal(codeOf(await knock(bench, undefined)), undefined);
});
