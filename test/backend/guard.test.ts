// The guard of a backend: results that are too large or of other types are refused, and what is masked is in no message.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { loadMask } from "../../lib/backend/mask.ts";
import type { GuardPlan } from "../../lib/config/guard.ts";
import { backendDefaults } from "../../lib/config/plan.ts";
import { isMaskPattern } from "../../lib/config/rules-guard.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { planOf, problemsOf } from "../config/kit.ts";
import { type Bench, Events, startBench } from "../front/kit.ts";
import { record } from "../front/peer.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { type Exchange, type McpPeer, servePeer } from "../route/peer.ts";

interface Guarded extends AsyncDisposable {
  readonly bench: Bench;
  readonly peer: McpPeer;
  call(params: object): Promise<Readonly<Record<string, unknown>>>;
}

async function start(guard: GuardPlan, answer: (exchange: Exchange) => void): Promise<Guarded> {
  const peer = await servePeer(
    { tools: {}, resources: {} },
    {
      "tools/list": (exchange) =>
        exchange.reply({ tools: [{ name: "sk-secret", inputSchema: { type: "object" } }, ...manyTools] }),
      "resources/read": answer,
      "tools/call": answer,
    },
  );
  const bench = await startBench({ backends: { b: peer.url } });
  const { gateway } = bench;
  await gateway.apply({ ...gateway.plan, backends: gateway.plan.backends.map((each) => ({ ...each, guard })) });
  await gateway.settled(60_000);
  const client = await bench.client();
  return {
    bench,
    peer,
    call: async (params) => {
      const { json } = await client.post({
        jsonrpc: "2.0",
        id: "x",
        method: "tools/call",
        params: { name: "b__t", ...params },
      });
      assert.equal(json["id"], "x");
      return json;
    },
    [Symbol.asyncDispose]: async () => {
      await bench[Symbol.asyncDispose]();
      await peer[Symbol.asyncDispose]();
    },
  };
}

/** A listing that is larger than any guard of these tests lets a result be. */
const manyTools = Array.from({ length: 40 }, (_, at) => ({
  name: `t${at}`,
  description: "x".repeat(50),
  inputSchema: { type: "object" },
}));
const text = (value: string): object => ({ content: [{ type: "text", text: value }] });

function assertRefused(reply: Readonly<Record<string, unknown>>, pattern: RegExp): void {
  const error = record(reply["error"]);
  assert.deepEqual(
    [error["code"], record(error["data"])["code"]],
    [-32000, "E4116"],
    JSON.stringify(reply).slice(0, 500),
  );
  assert.match(String(error["message"]), pattern);
}

test("guard: a result over the size is refused, and listings are not results", async () => {
  let size = 0;
  await using all = await start({ bytes: 2048, mask: [] }, (exchange) => exchange.reply(text("y".repeat(size))));
  assert.ok((await all.call({}))["result"]);
  size = 3000;
  assertRefused(await all.call({}), /backend "b" answered with \d+ bytes, and guard\.size is 2048/);
  const client = await all.bench.client();
  const { text: listing } = await client.post({ jsonrpc: "2.0", id: 1, method: "tools/list" });
  assert.match(listing, /b__t39/);
});

test("guard: types that are not allowed are refused, wherever they are", async () => {
  let content: unknown;
  await using all = await start({ types: ["image/png", "text/*"], mask: [] }, (exchange) =>
    exchange.reply({ content }),
  );
  const inside = (resource: object): object => ({ type: "resource", resource: { uri: "a:b", ...resource } });
  const cases: readonly (readonly [item: object, refused: RegExp | undefined])[] = [
    [{ type: "text", text: "plain" }, undefined],
    [{ type: "image", data: "AA==", mimeType: "image/png" }, undefined],
    [{ type: "image", data: "AA==", mimeType: "IMAGE/PNG; a=b" }, undefined],
    [{ type: "image", data: "AA==", mimeType: "image/svg+xml" }, /"image\/svg\+xml"/],
    [{ type: "image", data: "AA==" }, /"application\/octet-stream"/],
    [{ type: "audio", data: "AA==", mimeType: "audio/wav" }, /"audio\/wav"/],
    [inside({ text: "a", mimeType: "text/html" }), undefined],
    [inside({ text: "a" }), undefined],
    [inside({ text: "a", mimeType: "application/javascript" }), /"application\/javascript"/],
    [inside({ blob: "AA==" }), /"application\/octet-stream"/],
    [inside({ blob: "AA==", mimeType: "application/pdf" }), /"application\/pdf"/],
    [{ type: "resource_link", uri: "a:b", name: "n", mimeType: "application/pdf" }, undefined],
  ];
  for (const [item, refused] of cases) {
    content = [{ type: "text", text: "first" }, item];
    const reply = await all.call({});
    if (refused) assertRefused(reply, refused);
    else assert.ok(reply["result"], JSON.stringify([item, reply]));
  }
});

test("guard: what is masked is in no message of the backend, however it is written", async () => {
  const secret = "sk-0123456789abcdef";
  const written = Array.from(secret, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  const mask = ["sk-[0-9a-f]{16}", "(?i)password: *\\S+"];
  await using all = await start({ bytes: 2 ** 20, mask }, (exchange) => {
    const { progressToken } = record(exchange.params["_meta"]);
    const { kind } = record(exchange.params["arguments"]);
    if (kind === "error") return exchange.fail(-32000, `no ${secret}`);
    exchange.send({
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progressToken, progress: 1, message: `at ${secret}` },
    });
    exchange.reply({
      big: 12345678901234567890n.toString(),
      content: [
        { type: "text", text: `a ${secret} b` },
        { type: "text", text: "PassWord: hunter2 and more" },
      ],
      structuredContent: { [secret]: 1, deep: [{ key: secret, other: `"quoted\\" ${secret}` }] },
      _meta: { raw: "WRITTEN" },
    });
  });
  const client = await all.bench.client();
  const params = { name: "b__t", arguments: {}, _meta: { progressToken: "p" } };
  const events = new Events(await client.send("POST", { jsonrpc: "2.0", id: 1, method: "tools/call", params }));
  const messages = await events.messages();
  const shown = JSON.stringify(messages);
  assert.ok(!shown.replace(`"${secret}":1`, "").includes("0123456789abcdef") && !/hunter2/.test(shown), shown);
  assert.equal(messages.length, 2);
  const [progress, reply] = messages;
  assert.equal(record(progress?.["params"])["message"], "at [masked]");
  const result = record(reply?.["result"]);
  assert.deepEqual(result["content"], [
    { type: "text", text: "a [masked] b" },
    { type: "text", text: "[masked] and more" },
  ]);
  const failed = await all.call({ arguments: { kind: "error" } });
  assert.deepEqual([record(failed["error"])["code"], record(failed["error"])["message"]], [-32000, "no [masked]"]);
  const clean = (await loadMask(mask))(`{"a":"x ${written} y","n":12345678901234567890, "k" : [1e3,"b"]}`);
  assert.equal(clean, '{"a":"x [masked] y","n":12345678901234567890, "k" : [1e3,"b"]}');
});

test("guard: a modern client is guarded too, and an answer that may pass keeps its bytes", async () => {
  await using all = await start({ bytes: 4096, types: ["text/plain"], mask: ["never"] }, (exchange) =>
    exchange.reply(exchange.params["name"] === "t1" ? text("fine") : text("never say never")),
  );
  const client = await all.bench.client();
  client.sessionId = client.version = undefined;
  const ask = async (name: string): Promise<string> => {
    const { body, headers } = modernRequest("tools/call", { name: `b__${name}`, arguments: {} });
    return (await client.post(body, headers)).text;
  };
  assert.match(await ask("t1"), /"fine"/);
  assert.match(await ask("t2"), /"\[masked\] say \[masked\]"/);
});

test("guard: a mask changes what it matches and nothing else, for any JSON", async () => {
  const mask = await loadMask(["se+cret"]);
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("secret", "seeecret!", "plain"), (value, word) => {
      const json = JSON.stringify({ value, word });
      const clean: unknown = JSON.parse(mask(json));
      const expected: unknown = JSON.parse(
        JSON.stringify({ value, word }, (_, each: unknown) =>
          typeof each === "string" ? each.replaceAll(/se+cret/g, "[masked]") : each,
        ),
      );
      assert.deepEqual(clean, expected);
    }),
  );
});

test("guard: no text makes a pattern take long", async () => {
  const mask = await loadMask(["(a+)+$", "(a|aa)+b", "(.*)(.*)(.*)x=y"]);
  const startedAt = performance.now();
  mask(JSON.stringify({ text: "a".repeat(20_000) }));
  assert.ok(performance.now() - startedAt < 20_000);
});

test("guard: patterns that RE2 does not take are mistakes of the config", async () => {
  const taken = ["a", "(?i)x", "(?P<n>a)", "[a-z]{2,5}", "\\bword\\b", "\\\\1", "a.b"];
  for (const pattern of taken) {
    assert.ok(isMaskPattern(pattern), pattern);
    await loadMask([pattern]);
  }
  for (const pattern of ["", "(?=a)", "(?<!a)b", "(a)\\1", "(?<n>a)\\k<n>", "(", "[a", "*", "a".repeat(1001)])
    assert.ok(!isMaskPattern(pattern), pattern);
  const plan = await planOf("a.yaml", 'backends: { a: { url: http://h/, guard: { mask: ["x"], types: [Image/*] } } }');
  assert.deepEqual(plan.backends[0]?.guard, { bytes: 2 ** 20, types: ["image/*"], mask: ["x"] });
  for (const wrong of ["mask: ['(?=a)']", "types: []", "types: [png]", "size: 1"])
    assert.notDeepEqual(
      await problemsOf("a.yaml", `backends: { a: { url: http://h/, guard: { ${wrong} } } }`),
      [],
      wrong,
    );
});

test("guard: a pattern that turns out to be none keeps the backend down", async () => {
  const backend = {
    ...backendDefaults,
    name: "b" as BackendName,
    replicas: [{ kind: "http", url: "http://127.0.0.1:1/mcp", headers: {} }],
    guard: { mask: ["("] },
  } as const;
  await using bench = await startBench({ plan: { backends: [backend] } });
  const { backends } = await bench.gateway.settled(60_000);
  assert.notEqual(backends["b"]?.state, "up");
  assert.match(JSON.stringify(backends["b"]), /a pattern of guard\.mask cannot be used/);
});
