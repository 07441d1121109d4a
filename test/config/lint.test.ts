// What is allowed and unwise, each at its place; and that nothing is said of a config without it.
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { formatProblem, type Loaded, loadPlan, type Problem } from "../../lib/config/load.ts";
import { createFolder } from "./kit.ts";

async function lint(name: string, text: string): Promise<readonly Problem[]> {
  using folder = createFolder({ [name]: text });
  const loaded: Loaded = await loadPlan({
    cwd: folder.path,
    files: [join(folder.path, name)],
    env: { ...process.env, TOKEN: "t", HOME: "/home/you" },
    lint: true,
  });
  return loaded.kind === "ok" ? loaded.warnings : loaded.problems;
}

async function check(name: string, text: string, expected: readonly string[]): Promise<void> {
  // Which runners a machine has is its own affair.
  const isRunner = ({ code, message }: Problem): boolean => code === "E3155" && /"(?:npx|uvx)"/.test(message);
  const problems = (await lint(name, text)).filter((problem) => !isRunner(problem));
  assert.deepEqual(
    problems.map(({ line, column, code }) => `${line}:${column} ${code}`),
    expected,
    problems.map(formatProblem).join("\n"),
  );
}

test("lint: what is unwise in YAML", async () => {
  const text = `listen: 127.0.0.1:7000
backends:
  gone: { command: no-such-program-anywhere }
  pkg: { command: sh, args: [-c, "a && b"] }
  npx: { command: npx, args: [-y, "@scope/server", stdio] }
  uvx: { command: uvx, args: [mcp-server-time] }
  git: { command: npx, args: [-y, "github:a/b"] }
  meta: { command: cat, args: ["~/notes", "$HOME/x", "a", "|", "$(id)"] }
  home: { command: cat, cwd: /home/somebody/x }
  key: { command: cat, env: { API_KEY: literal-value, OK_KEY: "\${TOKEN}" }, args: [--token, abcdefghij, --api-key=0123456789] }
  head: { url: "https://h.example/mcp", headers: { Authorization: "Bearer abcdefghij", X: "Bearer \${TOKEN}" } }
  query: { url: "https://h.example/mcp?api_key=0123456789" }
  plain: { url: "http://h.example/mcp" }
  local: { url: "http://localhost:3000/mcp" }
  port1: { command: cat, args: [--port, "3001"] }
  port2: { command: cat, env: { PORT: "3001" } }
  port3: { command: cat, args: [--port=7000] }
  Local: { url: "https://h.example/mcp" }
`;
  await check("mcpctl.yaml", text, [
    "3:20 E3155",
    "5:35 E3158",
    "6:31 E3158",
    "8:32 E3159",
    "8:43 E3159",
    "8:59 E3159",
    "8:64 E3159",
    "9:30 E3160",
    "10:40 E3156",
    "10:93 E3156",
    "10:105 E3156",
    "11:67 E3156",
    "12:17 E3156",
    "13:17 E3157",
    "16:39 E3161",
    "17:33 E3161",
    "18:3 E3162",
  ]);
});

test("lint: a pinned package, a loopback address and a reference are fine", async () => {
  const text = `{ "mcpServers": {
    "a": { "command": "npx", "args": ["-y", "@scope/server@1.2.3"] },
    "b": { "command": "npx", "args": ["--package", "tool@2.0.0", "tool"] },
    "c": { "url": "http://127.0.0.1:1/mcp", "headers": { "Authorization": "Bearer \${TOKEN}" } },
    "d": { "command": "cat", "env": { "DEBUG": "everything", "SECRET": "\${env:TOKEN}" } }
  } }`;
  const problems = (await lint(".mcp.json", text)).filter(({ code }) => code !== "E3155");
  assert.deepEqual(problems.map(formatProblem), []);
});

test("lint: a gateway that lists itself is a mistake", async () => {
  await check("mcpctl.json", '{ "backends": { "me": { "url": "http://localhost:7337/mcp" } } }', ["1:32 E3120"]);
  await check("mcpctl.toml", 'listen = 8080\n[backends.me]\nurl = "http://127.0.0.1:8080/mcp"\n', ["3:7 E3120"]);
  await check("mcpctl.json", '{ "listen": 8080, "backends": { "me": { "url": "http://127.0.0.1:7337/mcp" } } }', []);
});

test("lint: no message holds a secret", async () => {
  const text = `backends: { a: { command: cat, env: { API_KEY: sesame-open-up }, args: ["--token=sesame-open-up"] } }\n`;
  for (const problem of await lint("mcpctl.yaml", text)) assert.ok(!formatProblem(problem).includes("sesame"));
});

test("lint: views in which nothing is", async () => {
  const text = `backends:
  fs: { url: "https://a.example/mcp", tags: [files] }
  web: { url: "https://b.example/mcp" }
  off: { url: "https://c.example/mcp", disabled: true, tags: [old] }
views:
  good: { backends: [fs], tools: ["fs__*", "*_read"] }
  tagged: { tags: [files] }
  gone: { backends: [off] }
  old: { tags: [old, none] }
  none: { backends: [] }
  other: { backends: [web], tools: [fs__read, "fs__*"], prompts: [], resources: [] }
  links: { backends: [web], tools: [], prompts: [], resources: ["file:*"] }
  blank: { tools: [], prompts: [], resources: [] }
  half: { tools: ["w*"], prompts: [], resources: [] }
`;
  await check("mcpctl.yaml", text, ["8:3 E3165", "9:3 E3165", "10:3 E3165", "11:3 E3165", "13:3 E3165"]);
  await check("mcpctl.yaml", `naming: none\n${text}`, ["9:3 E3165", "10:3 E3165", "11:3 E3165", "14:3 E3165"]);
});

test("lint: a policy that hides everything, or all that is in a view", async () => {
  const head = `backends: { fs: { url: "https://a.example/mcp" }, web: { url: "https://b.example/mcp" } }\n`;
  const keys = `auth: { keys: { ci: { hash: "sha256:${"0".repeat(64)}", groups: [build] } } }\n`;
  const hides = ["E3166"];
  const cases: readonly (readonly [policy: string, auth: string, expected: readonly string[]])[] = [
    ["{ default: deny }", "", hides],
    ["{ default: allow }", "", []],
    ["{ rules: [{ effect: deny }] }", "", hides],
    ["{ rules: [{ effect: deny, tools: ['*'] }] }", "", []],
    ["{ rules: [{ effect: deny, backends: [fs] }] }", "", []],
    ["{ rules: [{ effect: deny, backends: ['*'] }, { effect: allow }] }", "", hides],
    ["{ default: deny, rules: [{ effect: confirm, tools: [x] }] }", "", []],
    ["{ default: deny, rules: [{ effect: allow, backends: [other] }] }", "", hides],
    ["{ default: deny, rules: [{ effect: allow, methods: [mcpctl/*] }] }", "", hides],
    ["{ default: deny, roles: { ops: { groups: [ops] } }, rules: [{ effect: allow, roles: [ops] }] }", "", hides],
    ["{ default: deny, roles: { ops: { groups: [ops] } }, rules: [{ effect: allow, roles: [ops] }] }", keys, hides],
    ["{ default: deny, roles: { b: { groups: [build] } }, rules: [{ effect: allow, roles: [b] }] }", keys, []],
    ["{ default: deny, roles: { k: { subjects: ['key:*'] } }, rules: [{ effect: allow, roles: [k] }] }", keys, []],
    ["{ default: deny, roles: { a: { subjects: [anonymous] } }, rules: [{ effect: allow, roles: [a] }] }", "", []],
    [
      "{ default: deny, roles: { ops: { groups: [ops] } }, rules: [{ effect: allow, roles: [ops] }] }",
      "auth: { issuers: [{ issuer: 'https://id.example.com' }] }\npublicUrl: https://g.example\n",
      [],
    ],
  ];
  for (const [policy, auth, expected] of cases) {
    const problems = await lint("mcpctl.yaml", `${head}${auth}policy: ${policy}\n`);
    const codes = problems.map(({ code }) => code);
    assert.deepEqual(codes, expected, `${policy} ${problems.map(formatProblem).join("\n")}`);
  }
  const view = `${head}policy: { default: deny, rules: [{ effect: allow, backends: [fs] }] }\nviews:\n  w: { backends: [web] }\n`;
  await check("mcpctl.yaml", view, ["4:3 E3165"]);
});

test("lint: paths of one machine, also in arguments", async () => {
  const text = `{ "mcpServers": { "a": { "command": "/opt/tools/x", "args": ["/Users/ada/docs", "C:\\\\data", "/usr/share/x", "./y"] } } }`;
  await check("claude_desktop_config.json", text, ["1:37 E3155", "1:37 E3160", "1:62 E3160", "1:81 E3160"]);
});
