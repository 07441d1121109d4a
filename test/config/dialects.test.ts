// Other clients' files, as their documentation shows them.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { slug } from "../../lib/config/dialects.ts";
import { formatProblem } from "../../lib/config/load.ts";
import { type Folder, createFolder, planIn, problemsOf } from "./kit.ts";

const stdio = { kind: "stdio", args: [], env: {}, cwd: undefined, inheritEnv: false };

async function load(folder: Folder, env: Record<string, string>) {
  const loaded = await folder.load([], env);
  const replicas = planIn(loaded).backends.map(({ name, replicas }) => [name, replicas[0]]);
  const warnings = loaded.kind === "ok" ? loaded.warnings.map(formatProblem) : [];
  return { replicas, warnings, files: loaded.files };
}

test("dialects: claude_desktop_config.json", async () => {
  using folder = createFolder({
    "claude_desktop_config.json": `{
      "globalShortcut": "Ctrl+Space",
      "mcpServers": {
        "filesystem": { "command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/data"] },
        "My Server": { "command": "uvx", "args": ["x"], "env": { "KEY": "v" } }
      }
    }`,
  });
  const { replicas, warnings } = await load(folder, {});
  assert.deepEqual(replicas, [
    ["filesystem", { ...stdio, command: "npx", args: ["-y", "@modelcontextprotocol/server-filesystem", "/data"] }],
    ["My-Server", { ...stdio, command: "uvx", args: ["x"], env: { KEY: "v" } }],
  ]);
  assert.deepEqual(warnings, [
    "claude_desktop_config.json:2:7 warning[E3151] globalShortcut is not known here and ignored",
    'claude_desktop_config.json:5:9 warning[E3152] mcpServers."My Server" becomes the backend "My-Server"',
  ]);
});

test("dialects: .mcp.json with variables and headers", async () => {
  using folder = createFolder({
    ".mcp.json": `{ "mcpServers": {
      "api": { "type": "http", "url": "\${BASE:-https://h}/mcp", "headers": { "Authorization": "Bearer \${KEY}" } },
      "local": { "type": "stdio", "command": "./run.sh", "cwd": "srv" },
      "old": { "type": "sse", "url": "https://h/sse" },
      "new": { "type": "streamable-http", "url": "https://h/new" },
      "own": { "type": "sse", "url": "https://h/own", "transport": "auto" },
      "odd": { "type": "ws", "url": "https://h/odd" },
      "child": { "type": "sse", "command": "x" }
    } }`,
  });
  const { replicas, warnings } = await load(folder, { KEY: "k" });
  assert.deepEqual(replicas, [
    ["api", { kind: "http", url: "https://h/mcp", headers: { Authorization: "Bearer k" } }],
    ["local", { ...stdio, command: join(folder.path, "run.sh"), cwd: join(folder.path, "srv") }],
    ["old", { kind: "http", url: "https://h/sse", headers: {}, transport: "sse" }],
    ["new", { kind: "http", url: "https://h/new", headers: {}, transport: "streamable" }],
    ["own", { kind: "http", url: "https://h/own", headers: {} }],
    ["odd", { kind: "http", url: "https://h/odd", headers: {} }],
    ["child", { ...stdio, command: "x" }],
  ]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /^\.mcp\.json:7:24 warning\[E3154\] unknown type of server/);
});

test("dialects: .cursor/mcp.json with its own variables, from the folder above", async () => {
  using folder = createFolder({
    ".cursor/mcp.json": `{
      // comments are common here
      "mcpServers": {
        "s": {
          "command": "\${userHome}\${/}bin\${pathSeparator}x",
          "args": ["\${workspaceFolder}", "\${env:A}", "./rel"],
          "envFile": "./secrets.env",
          "env": { "B": "written", "N": 3000, "T": true, "Z": null },
          "disabled": false, "autoApprove": ["x"],
        },
      },
    }`,
    "secrets.env": "# c\nA=1\nB='file'\nexport C=\"${A} 3\"\n",
  });
  const { replicas, warnings, files } = await load(folder, { HOME: "/home/u", A: "a" });
  assert.deepEqual(replicas, [
    [
      "s",
      {
        ...stdio,
        command: "/home/u/bin/x",
        args: [folder.path, "a", "./rel"],
        env: { A: "1", B: "written", C: "${A} 3", N: "3000", T: "true" },
      },
    ],
  ]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /autoApprove is not known here and ignored$/);
  assert.deepEqual(files, [join(folder.path, ".cursor/mcp.json"), join(folder.path, "secrets.env")]);
});

test("dialects: .vscode/mcp.json with inputs", async () => {
  const text = (key: string): string => `{
  "inputs": [{ "type": "promptString", "id": "key", "description": "Key", "password": true }],
  "servers": {
    "web": { "type": "http", "url": "https://h/mcp", "headers": { "X": "${key}" } },
    "dev": { "type": "stdio", "command": "node", "dev": { "watch": "x" } }
  }
}`;
  using folder = createFolder({ ".vscode/mcp.json": text("${env:KEY}") });
  const { replicas, warnings } = await load(folder, { KEY: "k" });
  assert.deepEqual(replicas, [
    ["web", { kind: "http", url: "https://h/mcp", headers: { X: "k" } }],
    ["dev", { ...stdio, command: "node" }],
  ]);
  assert.deepEqual(warnings, [".vscode/mcp.json:5:50 warning[E3151] servers.dev.dev is not known here and ignored"]);
  const [problem] = await problemsOf(".vscode/mcp.json", text("${input:key}"));
  assert.equal(problem && formatProblem(problem).slice(0, 36), ".vscode/mcp.json:4:73 error[E3111] $");
});

test("dialects: servers stand beside backends, and settings of ours count", async () => {
  using folder = createFolder({
    "mcpctl.yaml":
      "naming: none\nbackends: { a: { url: http://a/ } }\nmcpServers: { b: { url: http://b/, isolation: shared } }\nservers: { c: { command: c } }\n",
  });
  const plan = planIn(await folder.load());
  assert.deepEqual(
    plan.backends.map(({ name, isolation }) => [name, isolation]),
    [
      ["a", "principal"],
      ["b", "shared"],
      ["c", "principal"],
    ],
  );
  assert.equal(plan.naming, "none");
});

test("dialects: mistakes keep the places and the names of the file", async () => {
  const text = `{
  "mcpServers": {
    "a b": { "command": "x" },
    "a-b": { "command": "x" },
    "c d": { "comand": "x", "args": "y" },
    "e": 1,
    "f": { "url": "x", "envFile": "gone" },
    "g": { "command": "x", "envFile": "gone" }
  }, "listen": 1.5
}`;
  const problems = await problemsOf("x.json", text);
  assert.deepEqual(
    problems.map(({ line, column, code, path }) => `${line}:${column} ${code} ${path.join("/")}`),
    [
      "3:5 E3152 mcpServers/a b",
      "4:5 E3106 mcpServers/a-b",
      "5:5 E3152 mcpServers/c d",
      "5:5 E3104 mcpServers/c d",
      "5:14 E3151 mcpServers/c d/comand",
      "5:37 E3102 mcpServers/c d/args",
      "6:10 E3102 mcpServers/e",
      "7:19 E3113 mcpServers/f/url",
      "7:35 E3108 mcpServers/f/envFile",
      "8:39 E3108 mcpServers/g/envFile",
      "9:16 E3102 listen",
    ],
  );
});

test("dialects: a slip beside the servers of our own file is an error", async () => {
  const [problem] = await problemsOf("mcpctl.json", '{ "mcpServers": { "a": { "command": "x" } }, "limts": {} }');
  assert.equal(problem?.code, "E3101");
  const [native] = await problemsOf("mcpctl.yaml", "backends: { a: { command: x, envFile: y } }");
  assert.equal(native?.code, "E3101");
});

test("dialects: names become what a backend may be called", () => {
  const cases: [string, string][] = [
    ["fs", "fs"],
    ["My Server", "My-Server"],
    ["@scope/pkg", "scope-pkg"],
    ["a__b___c", "a_b_c"],
    ["_x_", "x"],
    ["日本", "server"],
    ["x".repeat(40), "x".repeat(32)],
    [`${"x".repeat(31)}__y`, "x".repeat(31)],
  ];
  for (const [name, expected] of cases) assert.equal(slug(name), expected, name);
});
