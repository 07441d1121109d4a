// What the audit log says of calls beside who called what: decision, replica, sizes, trace, and arguments as rules have it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { AuditPlan } from "../../lib/config/auth.ts";
import { backendDefaults, type Plan } from "../../lib/config/plan.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { verifyAudit } from "../../lib/observe/audit.ts";
import { planOf } from "../config/kit.ts";
import { type Changes, createGateway, FrontClient } from "../front/kit.ts";
import { type Message, record } from "../front/peer.ts";
import { Bench, call, json, result, wentStraight } from "../front/straight-kit.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { FaultyServer, tool } from "./kit.ts";

interface Audited extends Disposable {
  readonly file: string;
  lines(): readonly Message[];
  of(id: string | number): Message;
}

function auditFolder(): Audited {
  const path = mkdtempSync(join(tmpdir(), "audit-calls-"));
  const file = join(path, "audit.ndjson");
  const lines = (): readonly Message[] =>
    readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => record(JSON.parse(line)));
  return {
    file,
    lines,
    of: (id) => lines().find((line) => line["id"] === JSON.stringify(id)) ?? assert.fail(`no call ${id}`),
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  };
}

/** Makes these calls one after another at a gateway with such a plan, until all of it is written. */
async function called(plan: Partial<Plan>, calls: readonly object[], headers: Changes = {}) {
  await using server = await FaultyServer.start();
  const gateway = await createGateway({ plan }, { a: server.url, b: server.url });
  await gateway.settled(60_000);
  const client = new FrontClient(gateway);
  await client.initialize();
  const sizes: (readonly [sent: number, got: number])[] = [];
  for (const message of calls) {
    const { text } = await client.post(message, headers);
    const answer = /^data: (\{.*)$/m.exec(text)?.[1] ?? text;
    sizes.push([Buffer.byteLength(JSON.stringify(message)), Buffer.byteLength(answer)]);
  }
  await gateway.close();
  return sizes;
}

const argumentsPlan = (file: string, rest: NonNullable<AuditPlan["arguments"]>): AuditPlan => ({
  file,
  maxBytes: 2 ** 30,
  arguments: rest,
});

const secretive = {
  user: "ada",
  api_key: "k-1",
  password: { old: "p1", new: "p2" },
  card: { number: "4111", holder: "Ada", "a/b": [1, { pin: 7 }] },
  note: "use sk-abcdefghijkl1234 for it",
};

test("audit: arguments are left out, hashed or written without secrets, as the first rule that fits has it", async () => {
  using folder = auditFolder();
  const rules = [
    { tools: ["fail"], backends: ["b"], arguments: "off" },
    { tools: ["o*"], arguments: "full", mask: ["/card/number", "/card/a~1b/1/pin"] },
    { prompts: ["wrong"], arguments: "full" },
    { tools: ["fail", "wrong"], arguments: "hashed" },
  ] as const;
  const audit = argumentsPlan(folder.file, { otherwise: "off", rules });
  const large = { ü: "x".repeat(20_000) };
  const calls = [
    tool("a__ok", 1, secretive),
    tool("b__fail", 2, secretive),
    tool("a__fail", 3, secretive),
    tool("b__wrong", 4, secretive),
    tool("b__wrong", 5, { ...secretive, user: "eve" }),
    tool("a__own", 6, large),
    tool("a__drop", 7, secretive),
    { jsonrpc: "2.0", id: 8, method: "tools/call", params: { name: "a__ok" } },
    tool("oops", 9, { who: "knows" }),
  ];
  await called({ audit }, calls);
  const hashOf = (args: object): string => `sha256:${createHash("sha256").update(JSON.stringify(args)).digest("hex")}`;
  assert.deepEqual(folder.of(1)["arguments"], {
    user: "ada",
    api_key: "***",
    password: "***",
    card: { number: "***", holder: "Ada", "a/b": [1, { pin: "***" }] },
    note: "use *** for it",
  });
  for (const id of [2, 7, 8])
    assert.deepEqual([folder.of(id)["arguments"], folder.of(id)["argumentsHash"]], [undefined, undefined], String(id));
  assert.equal(folder.of(3)["argumentsHash"], hashOf(secretive));
  assert.equal(folder.of(4)["argumentsHash"], folder.of(3)["argumentsHash"]);
  assert.notEqual(folder.of(5)["argumentsHash"], folder.of(4)["argumentsHash"]);
  const { arguments: none, argumentsHash, argumentsBytes } = folder.of(6);
  assert.deepEqual(
    [none, argumentsHash, argumentsBytes],
    [undefined, hashOf(large), Buffer.byteLength(JSON.stringify(large))],
  );
  assert.deepEqual([folder.of(9)["outcome"], folder.of(9)["arguments"]], ["refused", { who: "knows" }]);
  const text = readFileSync(folder.file, "utf8");
  for (const secret of ["k-1", "p1", "4111", "sk-abc"]) assert.ok(!text.includes(secret), secret);
  assert.equal((await verifyAudit([folder.file])).broken, undefined);
  for (const [from, to] of [
    ['"user":"ada"', '"user":"eve"'],
    ['"argumentsBytes":2', '"argumentsBytes":3'],
    ['"replica":0', '"replica":1'],
  ] as const) {
    assert.ok(text.includes(from), from);
    writeFileSync(folder.file, text.replace(from, to));
    assert.ok((await verifyAudit([folder.file])).broken, from);
  }
});

test("audit: of arguments with a member twice only the hash is written, and seal keys make hashes that nobody else can", async () => {
  using folder = auditFolder();
  const args = '{"a":1,"a":"x"}';
  const twice = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"b__t","arguments":${args}}}`;
  const audit = argumentsPlan(folder.file, { otherwise: "full", rules: [] });
  const hashes: unknown[] = [];
  for (const sealKeys of [[], ["k".repeat(32)], ["k".repeat(32)], ["l".repeat(32)]]) {
    {
      await using bench = await Bench.start({ plan: { audit, sealKeys } });
      const wire = bench.connect();
      bench.post(wire, twice);
      const heard = await bench.backend.calls.next("the call");
      heard.socket.write(json(result(heard.id)));
      await wire.until(/"done"/);
    }
    const { argumentsHash, argumentsBytes, arguments: none } = folder.lines().at(-1) ?? {};
    assert.deepEqual([argumentsBytes, none], [args.length, undefined]);
    hashes.push(argumentsHash);
  }
  const [plain, first, again, other] = hashes;
  assert.equal(plain, `sha256:${createHash("sha256").update(args).digest("hex")}`);
  assert.match(String(first), /^hmac-sha256:[0-9a-f]{64}$/);
  assert.equal(again, first);
  assert.notEqual(other, first);
});

test("audit: calls go straight but for those whose arguments are asked for, and sizes are those of the messages", async () => {
  using folder = auditFolder();
  const message = call("next");
  for (const [mode, straight] of [
    ["off", 1],
    ["hashed", 0],
  ] as const) {
    await using bench = await Bench.start({
      plan: {
        audit: argumentsPlan(folder.file, {
          otherwise: "off",
          rules: [{ tools: [mode === "off" ? "other" : "t"], arguments: "hashed" }],
        }),
      },
    });
    const wire = await bench.warm();
    const before = wentStraight();
    bench.post(wire, message);
    const heard = await bench.backend.calls.next("the call");
    heard.socket.write(json(result(heard.id)));
    await wire.until(/\}\}\s*$/);
    assert.equal(wentStraight() - before, straight, mode);
    await bench.gateway.close();
    const { requestBytes, replyBytes, replica, argumentsHash } = folder.lines().at(-1) ?? {};
    const size = Buffer.byteLength(result('"next"'));
    assert.deepEqual([requestBytes, replyBytes, replica], [Buffer.byteLength(message), size, 0], mode);
    assert.equal(argumentsHash === undefined, mode === "off");
  }
});

test("audit: a line says how large the messages were, and in which trace", async () => {
  using folder = auditFolder();
  const audit = { file: folder.file, maxBytes: 2 ** 30 };
  const trace = "0af7651916cd43dd8448eb211c80319c";
  const own = { jsonrpc: "2.0", id: 3, method: "tools/call" };
  const traceparent = `00-${trace}-b7ad6b7169203331-01`;
  const inMessage = { ...own, params: { name: "a__ok", arguments: {}, _meta: { traceparent } } };
  const plainCalls = [tool("a__ok", 1, { text: "ü" }), tool("a__absent", 2), inMessage];
  const sizes = await called({ audit }, plainCalls);
  for (const [at, [sent, got]] of sizes.entries()) {
    const { requestBytes, replyBytes, traceId } = folder.of(at + 1);
    assert.deepEqual([requestBytes, replyBytes, traceId], [sent, got, at === 2 ? trace : undefined], String(at));
  }
  await called({ audit }, [tool("a__ok", 4)], { traceparent });
  assert.equal(folder.of(4)["traceId"], trace);
  assert.equal((await verifyAudit([folder.file])).broken, undefined);
});

test("audit: calls of modern clients have the same members", async () => {
  using folder = auditFolder();
  const audit = argumentsPlan(folder.file, { otherwise: "full", rules: [] });
  const trace = "0af7651916cd43dd8448eb211c80319c";
  const meta = { traceparent: `00-${trace}-b7ad6b7169203331-00` };
  const { body, headers } = modernRequest(
    "tools/call",
    { name: "a__ok", arguments: { token: "t", a: 1 } },
    { id: 7, meta },
  );
  const sizes = await called({ audit }, [body], { ...headers, "mcp-session-id": undefined });
  const { requestBytes, replyBytes, traceId, replica, arguments: args } = folder.of(7);
  assert.deepEqual([[requestBytes, replyBytes]], sizes);
  assert.deepEqual([traceId, replica, args], [trace, 0, { token: "***", a: 1 }]);
});

test("audit: a line has the decision of the policy with its rule, also for what is hidden", async () => {
  using folder = auditFolder();
  const audit = { file: folder.file, maxBytes: 2 ** 30 };
  const rules = [
    { effect: "deny", tools: ["fail"] },
    { effect: "confirm", tools: ["own"] },
    { effect: "allow", backends: ["a"] },
    { effect: "allow", tools: ["wrong"], arguments: { "/ok": { const: true } } },
  ] as const;
  const policy = { default: "deny", roles: {}, rules } as const;
  const names = ["a__ok", "a__ok", "a__fail", "a__own", "b__ok", "b__wrong", "b__wrong"];
  await called(
    { audit, policy },
    names.map((name, at) => tool(name, at, { ok: at === 6 })),
  );
  assert.deepEqual(
    names.map((_, at) => [folder.of(at)["outcome"], folder.of(at)["decision"], folder.of(at)["rule"]]),
    [
      ["answered", "allow", 3],
      ["answered", "allow", 3],
      ["refused", "deny", 1],
      ["refused", "declined", 2],
      ["refused", "deny", undefined],
      ["refused", "deny", undefined],
      ["answered", "allow", 4],
    ],
  );
});

test("audit: a line names the replica that answered", async () => {
  using folder = auditFolder();
  const audit = { file: folder.file, maxBytes: 2 ** 30 };
  await using one = await FaultyServer.start();
  await using other = await FaultyServer.start();
  const replicas = [one, other].map(({ url }) => ({ kind: "http" as const, url, headers: {} }));
  const backends = [
    { ...backendDefaults, name: "a" as BackendName, replicas, balance: { kind: "round-robin" as const } },
  ];
  const gateway = await createGateway({ plan: { audit, backends } }, {});
  await gateway.settled(60_000);
  const expected: number[] = [];
  for (let at = 0; at < 6; at += 1) {
    // A session stays where it is.
    const client = new FrontClient(gateway);
    await client.initialize();
    const before = one.of("tools/call").length;
    await client.post(tool("a__ok", at));
    expected.push(one.of("tools/call").length > before ? 0 : 1);
  }
  await gateway.close();
  assert.deepEqual(
    expected.map((_, at) => folder.of(at)["replica"]),
    expected,
  );
  assert.equal(new Set(expected).size, 2);
});

test("audit: a config says what is written of arguments, and without it nothing is", async () => {
  const written = async (audit: object): Promise<unknown> =>
    (await planOf("mcpctl.json", JSON.stringify({ backends: {}, audit }))).audit?.arguments;
  const rule = { tools: ["pay*"], arguments: "full", mask: ["/card/number"] };
  assert.deepEqual(await written({ file: "a", arguments: "hashed", rules: [rule] }), {
    otherwise: "hashed",
    rules: [rule],
  });
  assert.equal(await written({ file: "a" }), undefined);
  assert.equal(await written({ file: "a", arguments: "off", rules: [{ arguments: "off" }] }), undefined);
  await assert.rejects(written({ file: "a", rules: [{ tools: ["x"] }] }), /expected/);
  await assert.rejects(written({ file: "a", rules: [{ arguments: "full", mask: ["password"] }] }), /Pointer/);
});
