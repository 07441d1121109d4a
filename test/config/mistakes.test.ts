// Every kind of mistake, in every format, at its place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblem } from "../../lib/config/load.ts";
import { problemsOf } from "./kit.ts";

/** `line:column code`, in order; a word after it must be in the message or the suggestion. */
type Expected = readonly string[];

async function check(name: string, text: string, expected: Expected): Promise<void> {
  const problems = await problemsOf(name, text);
  const places = problems.map(({ line, column, code }) => `${line}:${column} ${code}`);
  const wanted = expected.map((one) => one.split(" ").slice(0, 2).join(" "));
  assert.deepEqual(places, wanted, problems.map(formatProblem).join("\n"));
  for (const [index, one] of expected.entries()) {
    const words = one.split(" ").slice(2).join(" ");
    const problem = problems[index];
    assert.ok(problem !== undefined);
    assert.equal(problem.file, name);
    assert.ok(formatProblem(problem).includes(words), `${formatProblem(problem)} lacks ${words}`);
  }
}

test("mistakes: a YAML file shows all of its own at once", async () => {
  const text = `listen: 127.0.0.1:99999
naming: prefx
limts: {}
extends: ./evil.ts
backends:
  fs: { comand: npx, args: [-y, pkg, 8080] }
  web:
    url: ftp://example.com/mcp
    headers:
      Authorization: "Bearer \${TOKEN}"
      "bad name": x
    timeouts: { connect: 10, call: soon, conect: 1s }
  a__b: { url: http://h/, isolation: sharred }
  9_: { command: "npx foo" }
  two: { command: x, url: http://h/ }
  mixed: { url: http://h/, args: [] }
  none: {}
  many: { replicas: [{ url: nonsense }, {}, { command: x, headers: {} }] }
  zero: { replicas: [] }
  word: text
  blank:
  off: { url: "\${NOPE}", disabled: true }
  maybe: { url: http://h/, disabled: perhaps }
  shell: { command: "\${1}" }
  ask: { command: x, args: ["\${input:token}"], env: { "A=B": c } }
timeouts: { drain: 10s, lisst: 3s, keep-alive: 15s, session: 0s, resume: 90d }
limits: { body: 16, message: 1PB, pages: 0, items: 1.5, body_: 1MiB }
priority: [fs, webb, fs, 3]
allowedHosts: host
sealKeys: [short]
`;
  await check("mcpctl.yaml", text, [
    "1:9 E3103 127.0.0.1:7337",
    '2:9 E3103 did you mean "prefix"?',
    '3:1 E3101 unknown key "limts"; did you mean "limits"?',
    '4:1 E3101 unknown key "extends"',
    '6:9 E3101 unknown key "comand" in backends.fs; did you mean "command"?',
    "6:38 E3102 put the value in quotes",
    "8:10 E3113 must begin with http",
    "10:30 E3110 TOKEN is not set",
    "11:7 E3103 no name of a header",
    '12:26 E3102 write "10s"',
    "12:36 E3103 a duration like",
    '12:42 E3101 did you mean "connect"?',
    "13:3 E3112 a__b",
    '13:38 E3103 did you mean "shared"?',
    "14:3 E3112 9_",
    "14:18 E3153 args",
    '15:22 E3105 has "command" and "url"',
    '16:28 E3105 "args", which belongs to "command"',
    '17:3 E3104 backends.none needs "command" or "url" or "replicas"',
    "18:29 E3113 backends.many.replicas[0].url",
    "18:41 E3104 backends.many.replicas[1]",
    '18:59 E3105 "headers"',
    "19:21 E3103 must not be empty",
    "20:9 E3102 expected a map, found a single value",
    "21:9 E3102 expected a map, found nothing",
    "23:38 E3102 true or false",
    "24:22 E3111 no variable",
    "25:30 E3111 editor",
    "25:55 E3103 no name of an environment variable",
    '26:25 E3101 did you mean "list"?',
    '26:36 E3101 did you mean "keepAlive"?',
    "26:62 E3103 1ms",
    "26:74 E3103 24d",
    '27:17 E3102 write "16MiB"',
    "27:30 E3103 a size like",
    "27:42 E3103 whole number",
    "27:52 E3102 whole number",
    '27:57 E3101 did you mean "body"?',
    '28:16 E3116 did you mean "web"?',
    "28:22 E3106 twice",
    "28:26 E3102",
    "29:15 E3102 expected a list",
    "30:12 E3103 16 characters",
  ]);
});

test("mistakes: a JSON file shows them at its own places", async () => {
  const text = `{
  // comments and trailing commas are fine
  "listen": { "hots": "x", "port": 70000 },
  "backends": {
    "fs": { "command": 7, "env": { "A": 1 } },
    "fs": { "command": "x" },
    "web": { "url": "https://u:p@h/", "headers": { "authorization": "x" } },
    "__proto__": { "command": "x" },
  },
}
`;
  await check("mcpctl.json", text, ["6:5 E3106 backends.fs is written twice", "8:5 E3118 __proto__"]);
  const rest = text.replace(/^ {4}"(fs": \{ "command": "x"|__proto__).*\n/gm, "");
  await check("mcpctl.json", rest, [
    '3:15 E3101 did you mean "host"?',
    "3:36 E3103 whole number",
    "5:24 E3102 expected a text",
    "5:41 E3102 expected a text",
    "6:21 E3113 Authorization",
  ]);
});

test("mistakes: JSON5 knows its own ways to write", async () => {
  const text = `{
  naming: 'none', limits: { pages: +Infinity, items: 0x10 },
  backends: {
    'a b': { command: 'x' }, /* two */ constructor: { comand: 'x' },
  },
  allowedOrigins: [null, 'https://ok'],
}
`;
  await check("mcpctl.json5", text, [
    "2:36 E3102 whole number",
    "4:5 E3112",
    '4:55 E3101 did you mean "command"?',
    "6:20 E3102 expected a text",
  ]);
});

test("mistakes: TOML tables, arrays of tables and dotted keys have places, too", async () => {
  const text = `naming = "none"
timeouts.drain = 10
limits = { pages = 1.5 }

[backends.fs]
command = "npx"
arg = ["x"]
timeouts.call = "5 minutes"

[[backends.clock.replicas]]
url = "http://a/"

[[backends.clock.replicas]]
url = 1979-05-27

[backends."my server"]
url = "http://a/"
`;
  await check("mcpctl.toml", text, [
    '2:18 E3102 write "10s"',
    "3:20 E3102 whole number",
    '7:1 E3101 did you mean "args"?',
    "8:17 E3103 a duration like",
    "14:7 E3102 expected a text",
    "16:11 E3112",
  ]);
});

test("mistakes: syntax errors are shown in each format's own words", async () => {
  await check("a.yaml", "backends:\n  a: { command: x\n  b: [1\nnaming: none\n", ["3:3 E3107 YAML", "4:1 E3107 YAML"]);
  await check("a.yaml", "a:\n  c: 1\n\tb: 2\n", ["3:1 E3107 tabs"]);
  await check("a.yaml", "a: *nothing\nb: !run x\nc: !!binary aGk=\n", [
    "1:4 E3107 anchor",
    "2:4 E3107 tags",
    "3:4 E3107 tags",
  ]);
  await check("a.yaml", "a: 1\n---\nb: 2\n", ["2:1 E3107 more than one document"]);
  await check("a.json", '{\n  "a": "b" "c"\n}', ["2:12 E3107 JSON: unexpected string"]);
  await check("a.json", '{ "a": ', ["1:7 E3107 ends too early"]);
  await check("a.json5", "{ a: b }", ["1:6 E3107 JSON5: unexpected text"]);
  await check("a.toml", "a = 1\nb 2\n", ["2:3 E3107 TOML: expected equal"]);
  await check("a.toml", "a = 1\na = 2\n", ["2:1 E3106 written twice"]);
});

test("mistakes: empty files, files with something else, and no backends at all", async () => {
  await check("a.yaml", "", ["0:0 E3117 empty"]);
  await check("a.json", " \n", ["0:0 E3117 empty"]);
  await check("a.yaml", "# only a comment\n", ["1:1 E3117"]);
  await check("a.json", "null", ["1:1 E3117"]);
  await check("a.yaml", "- 1\n", ["1:1 E3102 map of settings"]);
  await check("a.yaml", "naming: none\n", ["1:1 E3104 backends: {}"]);
  await check("a.json", '{ "mcpServers": {} }', ["1:1 E3104 backends: {}"]);
  await check("a.yaml", "backends: {}\n", []);
  await check("a.conf", "backends: {}\n", ["0:0 E3108 .conf"]);
  await check("missing/x.yaml", "backends: {}\n", []);
});

test("mistakes: a windows file has the same lines and columns", async () => {
  await check("a.yaml", "\uFEFFnaming: none\r\nbackends:\r\n  a: { urll: x }\r\n", ['3:8 E3101 did you mean "url"?']);
});

test("mistakes: no value of a file or a variable is ever shown", async () => {
  const secret = "s3cr3t-value";
  const texts: [string, string][] = [
    ["a.yaml", `backends: { a: { url: "ftp://u:${secret}@h", headers: { x: ["${secret}"] }, isolation: ${secret} } }`],
    ["a.yaml", `backends: { a: { url: "\${S}", timeouts: { call: "\${S}" }, disabled: "\${S}" } }\nlisten: "\${S} x"`],
    ["a.yaml", `a: "${secret}\nb: ${secret}`],
    ["a.yaml", `a: '${secret}' ${secret}\nb: @${secret}`],
    ["a.json", `{ "a": ${secret} }`],
    ["a.json", `{ "a": "x" "${secret}" }`],
    ["a.json5", `{ a: ${secret} }`],
    ["a.toml", `a = ${secret}`],
    ["a.yaml", `backends: { a: { command: x, args: ["\${X ${secret}}", "\${${secret}:+y}"] } }`],
    ["a.yaml", `sealKeys: ["\${S}"]\nlimits: { body: "\${S}" }\npriority: ["\${S}"]\nbackends: {}`],
  ];
  for (const [name, text] of texts) {
    const problems = await problemsOf(name, text, { S: secret });
    assert.ok(problems.length > 0, text);
    assert.ok(
      !problems.some((problem) => formatProblem(problem).includes(secret)),
      problems.map(formatProblem).join("\n"),
    );
  }
});

test("mistakes: a problem is one line that an editor can jump to", async () => {
  const [problem] = await problemsOf("mcpctl.yaml", "backends:\n  fs: { comand: npx }\n");
  assert.ok(problem !== undefined);
  assert.equal(
    formatProblem(problem),
    'mcpctl.yaml:2:9 error[E3101] unknown key "comand" in backends.fs; did you mean "command"?',
  );
  assert.deepEqual(problem.path, ["backends", "fs", "comand"]);
});

test("mistakes: the old transport is that of a server at a url, and of no modern one", async () => {
  const text = `backends:
  a: { url: http://h/, transport: sse, protocol: modern }
  b: { command: x, transport: sse }
  c: { protocol: modern, replicas: [{ url: http://h/ }, { url: http://h/, transport: sse }] }
  d: { url: http://h/, transport: http }
  e: { url: http://h/, transport: sse, protocol: legacy }
front: { sse: maybe }
`;
  await check("mcpctl.yaml", text, [
    '2:24 E3105 backends.a.transport is "sse", which no modern server speaks',
    '3:20 E3105 belongs to "url"',
    "4:75 E3105 replicas",
    '5:35 E3103 "streamable"',
    "7:15 E3102 true or false",
  ]);
});
