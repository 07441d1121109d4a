// The gate on real connections: what is refused is refused before its body is read, and nothing that has ended goes on.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { PolicyPlan, PolicyRulePlan } from "../../lib/config/rules-policy.ts";
import { type Listener, listen } from "../../lib/listen.ts";
import {
  audience,
  authPlan,
  base,
  clientWith,
  get,
  issuerPlan,
  keyOf,
  startLocked,
  startProtected,
} from "./auth-kit.ts";
import { TestAuthority } from "../kit/authority.ts";
import { type Bench, callMessage } from "./kit.ts";
import { Queue } from "./peer.ts";
import { Bench as StraightBench, call, json, result, wentStraight } from "./straight-kit.ts";
import { openWire } from "./wire.ts";

function serve({ gateway }: Bench): Promise<Listener> {
  return listen({ host: "127.0.0.1", port: 0, handle: (request) => gateway.handle(request) });
}

test("gate: a stranger is refused before the body is read", async () => {
  await using bench = await startLocked({ keys: [keyOf("ada")] });
  const listener = await serve(bench);
  try {
    const wire = await openWire(Number(listener.url.port));
    const head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    wire.socket.write(`${head}expect: 100-continue\r\ncontent-length: 1000000000\r\n\r\n`);
    await wire.until(/^HTTP\/1\.1 401 [^]*\r\n\r\n.*E5101/);
    assert.doesNotMatch(wire.text, /100 Continue/);
    await wire.when("the end", () => wire.isEnded);
  } finally {
    await listener.close(true);
  }
});

test("gate: a connection whose every request is the same ends with its token", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  await using all = await startProtected();
  const { bench, authority } = all;
  const listener = await serve(bench);
  try {
    const client = clientWith(bench, await authority.token(audience));
    await client.initialize();
    const wire = await openWire(Number(listener.url.port));
    const authorization = `Bearer ${client.token ?? ""}`;
    for (let id = 1; id <= 4; id += 1) {
      wire.request("POST", client, JSON.stringify(callMessage(id)), { authorization });
      (await bench.peer.call()).reply(`done ${id}`);
      await wire.until(new RegExp(`done ${id}`));
    }
    mock.timers.setTime(Date.now() + 331_000);
    wire.request("POST", client, JSON.stringify(callMessage(5)), { authorization });
    await wire.until(/HTTP\/1\.1 401 /);
    assert.equal(bench.peer.calls.size, 0);
    wire.socket.destroy();
  } finally {
    mock.timers.reset();
    await listener.close(true);
  }
});

test("gate: a call does not go straight with a key that has expired", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    const ada = keyOf("ada", { expiresAt: Date.now() + 20 });
    await using bench = await StraightBench.start({ plan: { auth: authPlan({ keys: [ada] }) }, key: ada.key });
    const wire = await bench.warm();
    const before = wentStraight();
    bench.post(wire, call("good"));
    const { id, socket } = await bench.backend.calls.next("the call");
    socket.write(json(result(id)));
    await wire.until(/"good"/);
    mock.timers.setTime(Date.now() + 20);
    bench.post(wire, call("late"));
    await wire.until(/HTTP\/1\.1 401 /);
    assert.deepEqual([wentStraight() - before, bench.backend.calls.size], [1, 0]);
  } finally {
    mock.timers.reset();
  }
});

test("gate: a key that is taken away before the first call is answered is refused from then on", async () => {
  const [ada, eve] = [keyOf("ada"), keyOf("eve")];
  await using bench = await StraightBench.start({ plan: { auth: authPlan({ keys: [ada, eve] }) }, key: ada.key });
  (await bench.warm()).socket.destroy();
  const wire = bench.connect();
  const before = wentStraight();
  bench.post(wire, call("good"));
  const { id, socket } = await bench.backend.calls.next("the call");
  await bench.gateway.apply({ ...bench.gateway.plan, auth: authPlan({ keys: [eve] }) });
  socket.write(json(result(id)));
  await wire.until(/"good"/);
  bench.post(wire, call("late"));
  await wire.until(/HTTP\/1\.1 401 /);
  assert.deepEqual([wentStraight() - before, bench.backend.calls.size], [1, 0]);
});

test("gate: a request whose body comes after the config has changed is judged again, as a whole", async () => {
  const [ada, eve] = [keyOf("ada"), keyOf("eve")];
  for (const goesOn of [true, false]) {
    await using bench = await StraightBench.start({ plan: { auth: authPlan({ keys: [ada, eve] }) }, key: ada.key });
    (await bench.warm()).socket.destroy();
    const wire = bench.connect();
    const body = call("half");
    const length = String(Buffer.byteLength(body));
    const shown = { authorization: `Bearer ${ada.key}`, expect: "100-continue", "content-length": length };
    bench.post(wire, "", shown);
    await wire.until(/100 Continue/);
    await bench.gateway.apply({ ...bench.gateway.plan, auth: authPlan({ keys: goesOn ? [ada] : [eve] }) });
    wire.socket.write(body);
    if (goesOn) {
      const { id, text, socket } = await bench.backend.calls.next("the call");
      assert.match(text, /"arguments":/);
      socket.write(json(result(id)));
    }
    await wire.until(goesOn ? /"half"/ : /HTTP\/1\.1 401 /);
    assert.equal(bench.backend.calls.size, 0);
  }
});

test("gate: a call is judged by the token that came with it, whatever comes while it waits for a listing", async () => {
  await using authority = await TestAuthority.start();
  const tokenOf = (...groups: readonly string[]): Promise<string> => authority.token(audience, { claims: { groups } });
  const [key, poor] = [await tokenOf("ops"), { authorization: `Bearer ${await tokenOf()}` }];
  const rules: readonly PolicyRulePlan[] = [
    { effect: "allow", roles: ["ops"], tools: ["t"] },
    { effect: "allow", tools: ["u"] },
  ];
  const policy: PolicyPlan = { default: "deny", roles: { ops: { groups: ["ops"] } }, rules };
  await using bench = await StraightBench.start({
    plan: { auth: authPlan({ issuers: [issuerPlan(authority)] }), policy },
    key,
  });
  const listings = (bench.backend.listings = new Queue());
  const wire = bench.connect();
  const list = '{"jsonrpc":"2.0","id":"list","method":"tools/list"}';
  for (const [message, wrong] of [
    [call("poor"), /"result"/],
    [list, /"b__t"/],
  ] as const) {
    wire.text = "";
    bench.post(wire, message, poor);
    const { id, socket } = await listings.next("the listing");
    const other = bench.connect();
    bench.post(other, '{"jsonrpc":"2.0","id":"ping","method":"ping"}');
    await other.until(/"ping"/);
    socket.write(
      json(`{"jsonrpc":"2.0","id":${id},"result":{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}}`),
    );
    await wire.until(/"id":"(?:poor|list)"/);
    assert.doesNotMatch(wire.text, wrong);
    other.socket.destroy();
  }
  assert.equal(bench.backend.calls.size, 0);
});

test("gate: a token gets what it is good for, also where its owner came to the session with a better one", async () => {
  await using authority = await TestAuthority.start();
  const tokenOf = (...groups: readonly string[]): Promise<string> => authority.token(audience, { claims: { groups } });
  const [key, poor] = [await tokenOf("ops"), { authorization: `Bearer ${await tokenOf()}` }];
  const rules: readonly PolicyRulePlan[] = [{ effect: "allow", roles: ["ops"], tools: ["t"] }];
  const policy: PolicyPlan = { default: "deny", roles: { ops: { groups: ["ops"] } }, rules };
  const auth = authPlan({ issuers: [issuerPlan(authority)] });
  await using bench = await StraightBench.start({ plan: { auth, policy }, key });
  const wire = bench.connect();
  for (let round = 0; round < 3; round += 1) {
    wire.text = "";
    bench.post(wire, call("poor"), poor);
    await wire.until(/"error"[^]*"id":"poor"|"id":"poor"[^]*"error"/);
    await bench.warm();
  }
  assert.equal(bench.backend.calls.size, 0);
});

test("gate: the metadata names the public address, whatever the Host header says", async () => {
  await using authority = await TestAuthority.start();
  const publicUrl = "https://gateway.example/mcp-gateway";
  await using bench = await startLocked(
    { issuers: [issuerPlan(authority)] },
    { plan: { publicUrl, listen: { host: "0.0.0.0", port: 1 } } },
  );
  const client = clientWith(bench, undefined);
  client.path = "/.well-known/oauth-protected-resource/mcp";
  const response = await client.send("GET", undefined, {}, undefined, "http://evil.example");
  assert.match(await response.text(), /"resource":"https:\/\/gateway\.example\/mcp-gateway\/mcp"/);
  const { status } = await clientWith(bench, await authority.token("http://evil.example/mcp")).send("GET");
  assert.equal(status, 401);
  assert.equal((await get(bench, "/health", await authority.token(`${publicUrl}/mcp`))).status, 200);
  assert.equal((await get(bench, "/health", await authority.token(`${base}/mcp`))).status, 401);
});
