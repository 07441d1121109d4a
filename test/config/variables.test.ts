// ${VAR} in texts: what is replaced, what is an error, and that a value never becomes structure.

import assert from "node:assert/strict";
import { test } from "node:test";
import { planOf, problemsOf } from "./kit.ts";

async function expand(text: string, env: Record<string, string>): Promise<string | undefined> {
  const plan = await planOf("a.json", JSON.stringify({ backends: { a: { command: "x", args: [text] } } }), env);
  const replica = plan.backends[0]?.replicas[0];
  return replica?.kind === "stdio" ? replica.args[0] : undefined;
}

test("variables: references are replaced wherever they stand in a text", async () => {
  const env = { A: "1", EMPTY: "", LONG_name_2: "z" };
  const cases: [string, string][] = [
    ["${A}", "1"],
    ["x${A}y${LONG_name_2}", "x1yz"],
    ["${NO:-d}", "d"],
    ["${EMPTY:-d}", "d"],
    ["${EMPTY}", ""],
    ["${NO:-}", ""],
    ["${A:-d}", "1"],
    ["${NO:-a:-b}", "a:-b"],
    ["${NO:-${A}}", "1"],
    ["${NO:-${NO2:-x}y}z", "xyz"],
    ["${env:A}", "1"],
    ["$${A}", "${A}"],
    ["$${A}${A}$${", "${A}1${"],
    ["$A $ $$ {A} }", "$A $ $$ {A} }"],
    ["$${NO:-${A}}", "${NO:-1}"],
  ];
  for (const [text, expected] of cases) assert.equal(await expand(text, env), expected, text);
});

test("variables: a value is a text and nothing else", async () => {
  const hostile = '"], "command": "evil", "x": ["\n  - a: b\n${A} &x *x !!js $${';
  assert.equal(await expand("${A}", { A: hostile }), hostile);
  const plan = await planOf("a.yaml", `backends:\n  a: { command: x, args: ["\${A}", '\${A}'] }\n`, { A: "[1, 2]" });
  const replica = plan.backends[0]?.replicas[0];
  assert.deepEqual(replica?.kind === "stdio" && replica.args, ["[1, 2]", "[1, 2]"]);
});

test("variables: keys are not replaced, and inherited properties are no variables", async () => {
  const [key] = await problemsOf("a.yaml", "backends: {}\n${A}: 1\n", { A: "naming" });
  assert.equal(key?.code, "E3101");
  for (const name of ["toString", "__proto__", "constructor"]) {
    const [problem] = await problemsOf("a.yaml", `backends: { a: { command: "\${${name}}" } }`);
    assert.equal(problem?.code, "E3110", name);
  }
});

test("variables: each missing one is an error at its own place, once", async () => {
  const text =
    'backends:\n  a:\n    command: x\n    args: ["${A} and ${B:-${C}}", ok]\n    timeouts: { call: "${D}" }\n';
  const problems = await problemsOf("a.yaml", text);
  assert.deepEqual(
    problems.map(
      ({ line, column, code, message }) => `${line}:${column} ${code} ${/variable (\w)/.exec(message)?.[1]}`,
    ),
    ["4:13 E3110 A", "4:27 E3110 C", "5:24 E3110 D"],
  );
});

test("variables: what is no reference is an error that shows the way to a plain text", async () => {
  for (const text of [
    "${",
    "${}",
    "${A",
    "${1}",
    "${A-b}",
    "${A:?b}",
    "${a.b}",
    "${A:-${B}",
    "${input:x}",
    `${"${A:-".repeat(20)}${"}".repeat(20)}`,
  ]) {
    const problems = await problemsOf("a.json", JSON.stringify({ backends: { a: { command: "x", args: [text] } } }));
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["E3111"],
      text,
    );
  }
});

test("variables: numbers, switches and units may come from them", async () => {
  const text = `{ "listen": "\${PORT}", "limits": { "pages": "\${PAGES}", "body": "\${BODY}" },
    "backends": { "a": { "command": "x", "inheritEnv": "\${YES}" }, "b": { "url": "\${NO_URL}", "disabled": "\${YES}", "timeouts": { "call": "\${NO}" } } } }`;
  const plan = await planOf("a.json", text, { PORT: "7400", PAGES: "7", BODY: "1MiB", YES: "true" });
  assert.deepEqual([plan.listen.port, plan.limits.pages, plan.limits.bodyBytes], [7400, 7, 2 ** 20]);
  assert.equal(plan.backends.length, 1);
  const replica = plan.backends[0]?.replicas[0];
  assert.equal(replica?.kind === "stdio" && replica.inheritEnv, true);
});

test("variables: a secret that ends with a line break is told where it would break a header", async () => {
  const text = '{ "backends": { "a": { "url": "http://h/", "headers": { "X": "${T}" } } } }';
  const [problem] = await problemsOf("a.json", text, { T: "secret\n" });
  assert.equal(problem?.code, "E3103");
  assert.match(problem?.message ?? "", /line break; does the variable in it end with one\?$/);
});
