// Patterns and globs, of the config and of servers, on texts made to be slow: their cost grows with the text alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { matcherOf } from "../../lib/core/glob.ts";
import { isLinearPattern, loadPatterns } from "../../lib/core/patterns.ts";
import { checkArguments } from "../../lib/ops/argument-checks.ts";
import { problemsOf } from "../config/kit.ts";
import { codeOf, startBench } from "../front/kit.ts";

/** Each takes a backtracking engine longer than anybody lives. */
const evil = ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(?:.*a){25}$", "^(\\w+\\s?)*$", "^([a-z]+)*[A-Z]$"];
const slow = `${"a".repeat(100_000)}!`;
const limits = { timeout: 120_000 };

test("redos: no argument makes a rule of the policy take long", limits, async () => {
  const schema = { allOf: evil.map((pattern) => ({ pattern })) };
  const keys = {
    patternProperties: Object.fromEntries(evil.map((pattern) => [pattern, {}])),
    additionalProperties: false,
  };
  const rule = { effect: "allow", tools: ["work"], arguments: { "/text": schema, "/map": keys } } as const;
  await using bench = await startBench({ plan: { policy: { default: "deny", roles: {}, rules: [rule] } } });
  const client = await bench.client();
  const call = async (args: object): Promise<unknown> =>
    codeOf(
      await client.post({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "peer__work", arguments: args },
      }),
    );
  assert.equal(await call({ text: slow, map: { aaa: 1 } }), -32602);
  assert.equal(await call({ text: "aaa", map: { [slow]: 1 } }), -32602);
  assert.equal(bench.peer.calls.size, 0);
});

test("redos: patterns of one schema stay apart, and mean what they mean in JSON Schema", async () => {
  const patterns = { "^x-": { pattern: "^\\u0041\\d+$" }, "^y-": { pattern: "^[\\w-]+\\/[^]$" } };
  const rule = { effect: "allow", tools: ["work"], arguments: { "": { patternProperties: patterns } } } as const;
  await using bench = await startBench({ plan: { policy: { default: "deny", roles: {}, rules: [rule] } } });
  const client = await bench.client();
  for (const [args, isGood] of [
    [{ "x-a": "A12", "y-a": "b-c/\n" }, true],
    [{ "x-a": "b-c/d" }, false],
    [{ "y-a": "A12" }, false],
    [{ z: "anything" }, true],
  ] as const) {
    const answer = client.post({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "peer__work", arguments: args },
    });
    if (isGood) (await bench.peer.call()).reply("done");
    assert.equal(codeOf(await answer), isGood ? undefined : -32602, JSON.stringify(args));
  }
});

test("redos: a pattern of the policy that needs to look back is a mistake of the config", async () => {
  const config = (schema: string): string =>
    `{ backends: { a: { url: "http://h/" } }, policy: { rules: [{ effect: allow, arguments: { /x: ${schema} } }] } }`;
  for (const wrong of ["(?=a)b", "(?<!a)b", "(a)\\\\1", "(?<n>a)\\\\k<n>", "(", "a{1,1001}"])
    for (const schema of [
      `{ pattern: "${wrong}" }`,
      `{ anyOf: [{ items: { patternProperties: { "${wrong}": {} } } }] }`,
    ])
      assert.match(JSON.stringify(await problemsOf("a.yaml", config(schema))), /linear time/, schema);
  for (const right of [
    '{ pattern: "^a+$" }',
    '{ enum: [{ pattern: "(" }] }',
    "{ properties: { pattern: { type: string } } }",
  ])
    assert.deepEqual(await problemsOf("a.yaml", config(right)), [], right);
  assert.ok(evil.every(isLinearPattern));
});

test("redos: no schema of a server makes a check of arguments take long", limits, async () => {
  for (const pattern of evil) {
    const schema = { properties: { text: { pattern } }, patternProperties: { [pattern]: {} } };
    await assert.rejects(checkArguments("t", { text: slow }, schema), /must match pattern/, pattern);
    await checkArguments("t", { [slow]: 1 }, schema);
  }
  // What only the server can judge is left to it.
  await checkArguments("t", { text: "b" }, { properties: { text: { pattern: "(?=a)b" } } });
  await assert.rejects(async () => (await loadPatterns())("(?=a)b"));
});

test("redos: no name makes a glob take long", limits, () => {
  const name = "a".repeat(100_000);
  for (const glob of [
    `${"*a".repeat(2_500)}*b`,
    `${"a*".repeat(5_000)}b`,
    `*${"?".repeat(9_998)}b`,
    "*".repeat(10_000),
  ])
    assert.equal(matcherOf([glob])(name), !glob.endsWith("b"), glob.slice(0, 10));
});

test("redos: a glob means what it says", () => {
  const part = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 12 });
  const text = fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 14 });
  fc.assert(
    fc.property(part, text, (glob, name) => {
      const meant = new RegExp(`^${glob.replaceAll("*", "[^]*").replaceAll("?", "[^]")}$`);
      assert.equal(matcherOf([glob])(name), meant.test(name), `${glob} ${JSON.stringify(name)}`);
    }),
    { numRuns: 2_000 },
  );
});
