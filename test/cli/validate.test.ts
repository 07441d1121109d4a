// `mcpctl validate` and `config`: forms for tools, repairs, other clients, and servers that are asked.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { runtimeCommand } from "../kit/process.ts";
import { createFolder, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };
const broken = `backends:
  a: { comand: cat }
  b: { url: "http://h.example/mcp", isolation: sharred }
  c: { command: "cat one two" }
`;

test("validate: the same problems in every form", limits, () => {
  using folder = createFolder({ "m.yaml": broken });
  const run = (form: string): string => {
    const ended = mcpctl(["validate", "m.yaml", "-o", form], folder.path);
    assert.equal(ended.code, 1, ended.stderr);
    assert.equal(ended.stderr, "", form);
    return ended.stdout;
  };
  const document: ReturnType<typeof JSON.parse> = JSON.parse(run("json"));
  const schema = JSON.parse(mcpctl(["schema", "Validation"]).stdout);
  const ajv = new Ajv2020({ strict: false });
  assert.equal(ajv.validate(schema, document), true, ajv.errorsText());
  const places = document.problems.map((each: { line: number; column: number; code: string }) => [
    each.line,
    each.column,
    each.code,
  ]);
  assert.deepEqual(places, [
    [2, 8, "E3101"],
    [3, 13, "E3157"],
    [3, 48, "E3103"],
    [4, 17, "E3153"],
  ]);
  const sarif = JSON.parse(run("sarif"));
  assert.equal(sarif.version, "2.1.0");
  assert.deepEqual(sarif.runs[0].results[0].locations[0].physicalLocation, {
    artifactLocation: { uri: "m.yaml" },
    region: { startLine: 2, startColumn: 8 },
  });
  assert.deepEqual(
    sarif.runs[0].results.map(({ level }: { level: string }) => level),
    ["error", "warning", "error", "warning"],
  );
  const github = run("github").trim().split("\n");
  assert.equal(
    github[0],
    '::error file=m.yaml,line=2,col=8,title=E3101::unknown key "comand" in backends.a; did you mean "command"?',
  );
  assert.match(github[1] ?? "", /^::warning file=m\.yaml,line=3,col=13,title=E3157::/);
  const junit = run("junit");
  assert.match(junit, /<testsuite name="m\.yaml" tests="2" failures="2">/);
  assert.match(junit, /<failure type="E3101" message="unknown key &quot;comand&quot;/);
  assert.equal(run("name"), "E3101\nE3157\nE3103\nE3153\n");
});

test("validate: --fix repairs what is safe, shows it, and leaves the rest", limits, () => {
  using folder = createFolder({
    "m.yaml": broken,
    "m.json": '{ "mcpServers": { "a": { "comand": "cat one" } } }',
    "m.toml": '[backends.a]\ncommand = "cat one"\n',
  });
  const { code, stdout } = mcpctl(["validate", "m.yaml", "--fix"], folder.path);
  assert.equal(code, 0, stdout);
  for (const line of [
    "--- m.yaml",
    "@@ line 2 @@",
    "-  a: { comand: cat }",
    "+  a: { command: cat }",
    '+  b: { url: "http://h.example/mcp", isolation: shared }',
    '+  c: { command: "cat", args: ["one", "two"] }',
  ])
    assert.ok(stdout.includes(`${line}\n`), `${line}\n${stdout}`);
  assert.equal(
    readFileSync(join(folder.path, "m.yaml"), "utf8"),
    'backends:\n  a: { command: cat }\n  b: { url: "http://h.example/mcp", isolation: shared }\n  c: { command: "cat", args: ["one", "two"] }\n',
  );
  const again = mcpctl(["validate", "m.yaml", "--fix"], folder.path);
  assert.doesNotMatch(again.stdout, /@@/);
  mcpctl(["validate", "m.toml", "--fix"], folder.path);
  assert.equal(readFileSync(join(folder.path, "m.toml"), "utf8"), '[backends.a]\ncommand = "cat"\nargs = ["one"]\n');
});

test("validate: --for names what other clients do not understand", limits, () => {
  using folder = createFolder({
    "m.yaml":
      "backends:\n  a:\n    isolation: shared\n    url: unix:/run/mcp.sock\n  b: { command: cat, env: { A: '${HOME:-x}' } }\n",
  });
  const { code, stderr } = mcpctl(["validate", "m.yaml", "--for", "claude-code,vscode"], folder.path);
  assert.equal(code, 0);
  assert.match(stderr, /^m\.yaml:3:5 warning\[E3163\] claude-code .*isolation is not known there$/m);
  assert.match(stderr, /^m\.yaml:4:5 warning\[E3163\] vscode .*unix sockets$/m);
  assert.match(stderr, /^m\.yaml:5:3 warning\[E3163\] vscode .*\$\{HOME:-x\} is not replaced there$/m);
  assert.doesNotMatch(stderr, /claude-code .*HOME/);
  assert.equal(mcpctl(["validate", "m.yaml", "--for", "emacs"], folder.path).code, 2);
});

test("validate: --online asks the servers, and compares replicas", limits, () => {
  const raw = (tools: string): object => {
    const [command, args] = runtimeCommand("test/kit/raw-server.ts", "stdio", "--tools", tools);
    return { command, args };
  };
  using folder = createFolder({
    "m.json": JSON.stringify({
      backends: {
        same: { replicas: [raw("a,b"), raw("b,a")] },
        other: { replicas: [raw("a"), raw("a,b")] },
        gone: { url: "http://127.0.0.1:1/mcp" },
      },
    }),
  });
  const offline = mcpctl(["validate", "m.json", "-o", "json"], folder.path);
  assert.equal(offline.code, 0, offline.stdout);
  const { code, stdout } = mcpctl(["validate", "m.json", "--online", "-o", "json"], folder.path);
  assert.equal(code, 1);
  const problems: { code: string; message: string }[] = JSON.parse(stdout).problems;
  // Where this project lies is a path of this machine alone, in some places one to warn of.
  const found = problems.filter((each) => each.code !== "E3160").map((each) => [each.code, each.message]);
  assert.deepEqual(found, [
    ["E3164", "the replicas of other list different tools"],
    ["E4101", "gone: 127.0.0.1:1 refused the connection (ECONNREFUSED)"],
  ]);
});

test("config: sources, view, import, convert and snippet", limits, () => {
  using folder = createFolder({
    "base.yaml": "backends:\n  a: { command: cat, env: { API_KEY: sesame-open-up, SHOWN: yes } }\n",
    "over.yaml": "listen: 8080\nbackends:\n  a: { args: [--token, sesame-open-up] }\n",
    "mcp.json": '{ "servers": { "b": { "type": "http", "url": "https://h.example/mcp" } } }',
  });
  const run = (...args: string[]): string => {
    const { code, stdout, stderr } = mcpctl(["config", ...args], folder.path);
    assert.equal(code, 0, stderr);
    assert.ok(!stdout.includes("sesame") || args[0] === "import" || args[0] === "convert", stdout);
    return stdout;
  };
  const both = ["-c", "base.yaml", "-c", "over.yaml"];
  const sources = JSON.parse(run("sources", ...both, "-o", "json"));
  const places = sources.items.map(({ key, place }: { key: string; place: { file: string; line: number } }) => [
    key,
    `${place.file}:${place.line}`,
  ]);
  assert.deepEqual(places, [
    ["backends.a.command", "base.yaml:2"],
    ["backends.a.env.API_KEY", "base.yaml:2"],
    ["backends.a.env.SHOWN", "base.yaml:2"],
    ["backends.a.args[0]", "over.yaml:3"],
    ["backends.a.args[1]", "over.yaml:3"],
    ["listen", "over.yaml:1"],
  ]);
  assert.match(run("view", ...both), /API_KEY: •••\n +SHOWN: "?yes"?\n +args:\n +- --token\n +- •••\nlisten: 8080\n/);
  assert.equal(run("import", "mcp.json"), "backends:\n  b:\n    url: https://h.example/mcp\n");
  assert.match(
    run("convert", "mcp.json", "--to", "codex"),
    /^\[mcp_servers\.b\]\nurl = "https:\/\/h\.example\/mcp"\n$/,
  );
  assert.deepEqual(JSON.parse(run("snippet", "cursor")), {
    mcpServers: { mcpctl: { url: "http://127.0.0.1:7337/mcp" } },
  });
  assert.match(run("snippet", "codex", "--stdio"), /command = "mcpctl"\nargs = \["serve", "--stdio"\]/);
  assert.match(
    mcpctl(["config", "convert", "mcp.json", "--to", "vs-code"], folder.path).stderr,
    /did you mean vscode\?/,
  );
  assert.match(mcpctl(["config", "soruces"], folder.path).stderr, /did you mean sources\?/);
});
