// The files of other clients: their real forms are read, and what both sides can say survives the way there and back.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type ClientName, clientNames, writeClient } from "../../lib/config/clients.ts";
import { importConfig } from "../../lib/config/import.ts";
import { loadPlan, formatProblem } from "../../lib/config/load.ts";
import { createFolder } from "./kit.ts";

const env = { TOKEN: "t0ken", PATH: "/bin", HOME: "/home/you", DEBUG: "1" };

/** As the documentation of each client shows them. */
const real: Readonly<Record<ClientName, readonly [file: string, text: string]>> = {
  "claude-desktop": [
    "claude_desktop_config.json",
    '{ "mcpServers": { "local": { "command": "npx", "args": ["-y", "pkg"], "env": { "A": "b" } } } }',
  ],
  "claude-code": [
    ".mcp.json",
    `{ "mcpServers": {
      "local": { "type": "stdio", "command": "npx", "args": ["-y", "pkg"], "env": { "A": "b" } },
      "remote": { "type": "http", "url": "\${BASE:-https://h.example}/mcp", "headers": { "Authorization": "Bearer \${TOKEN}" } } } }`,
  ],
  cursor: [
    "mcp.json",
    `{ "mcpServers": {
      "local": { "command": "npx", "args": ["-y", "pkg"], "env": { "A": "b" } },
      "remote": { "url": "https://h.example/mcp", "headers": { "Authorization": "Bearer \${env:TOKEN}" } } } }`,
  ],
  vscode: [
    "mcp.json",
    `{ // comments are fine
      "inputs": [], "servers": {
      "local": { "type": "stdio", "command": "npx", "args": ["-y", "pkg"], "env": { "A": "b" } },
      "remote": { "type": "http", "url": "https://h.example/mcp", "headers": { "Authorization": "Bearer \${env:TOKEN}" } } } }`,
  ],
  codex: [
    "config.toml",
    `model = "some-model"
[mcp_servers.local]
command = "npx"
args = ["-y", "pkg"]
env = { A = "b" }
startup_timeout_sec = 20
tool_timeout_sec = 45.5
[mcp_servers.remote]
url = "https://h.example/mcp"
bearer_token_env_var = "TOKEN"
[mcp_servers.remote.env_http_headers]
X-Debug = "DEBUG"
[mcp_servers.off]
command = "npx"
enabled = false
`,
  ],
  gemini: [
    "settings.json",
    `{ "theme": "x", "mcpServers": {
      "local": { "command": "npx", "args": ["-y", "pkg"], "env": { "A": "b" }, "cwd": "./x", "timeout": 5000, "trust": false },
      "old": { "url": "https://h.example/sse" },
      "remote": { "httpUrl": "https://h.example/mcp", "headers": { "Authorization": "Bearer $TOKEN" } } } }`,
  ],
  opencode: [
    "opencode.jsonc",
    `{ "$schema": "https://opencode.ai/config.json", "mcp": {
      "local": { "type": "local", "command": ["npx", "-y", "pkg"], "environment": { "A": "b" }, "timeout": 5000 },
      "off": { "type": "local", "command": ["x"], "enabled": false },
      "remote": { "type": "remote", "url": "https://h.example/mcp", "headers": { "Authorization": "Bearer {env:TOKEN}" } } } }`,
  ],
  zed: [
    "settings.json",
    `{ "theme": "x", "context_servers": {
      "local": { "source": "custom", "command": { "path": "npx", "args": ["-y", "pkg"], "env": { "A": "b" } } },
      "off": { "command": "x", "enabled": false },
      "remote": { "url": "https://h.example/mcp", "headers": { "Authorization": "Bearer \${TOKEN}" } } } }`,
  ],
};

test("clients: the real file of each is a config as it stands", async () => {
  for (const client of clientNames) {
    const [file, text] = real[client];
    using folder = createFolder({ [file]: text });
    const loaded = await loadPlan({ cwd: folder.path, files: [join(folder.path, file)], env });
    assert.ok(
      loaded.kind === "ok",
      `${client}: ${loaded.kind === "invalid" ? loaded.problems.map(formatProblem).join("\n") : ""}`,
    );
    const [local] = loaded.plan.backends;
    assert.ok(local?.replicas[0]?.kind === "stdio", client);
    assert.deepEqual(
      [local.replicas[0].command, local.replicas[0].args, local.replicas[0].env],
      ["npx", ["-y", "pkg"], { A: "b" }],
    );
    const remote = loaded.plan.backends.find(({ name }) => name === "remote")?.replicas[0];
    if (client === "claude-desktop") continue;
    assert.ok(remote?.kind === "http", client);
    assert.equal(remote.url, "https://h.example/mcp");
    assert.equal(remote.headers["Authorization"], "Bearer t0ken", client);
    assert.ok(!loaded.plan.backends.some(({ name }) => name === "off"), client);
  }
});

test("clients: times, transports and headers of their own words", async () => {
  const planOf = async (client: ClientName): Promise<Readonly<Record<string, unknown>>> => {
    const [file, text] = real[client];
    using folder = createFolder({ [file]: text });
    const loaded = await loadPlan({ cwd: folder.path, files: [join(folder.path, file)], env });
    assert.ok(loaded.kind === "ok");
    return Object.fromEntries(loaded.plan.backends.map((backend) => [backend.name, backend]));
  };
  const codex = JSON.stringify(await planOf("codex"));
  assert.match(codex, /"connectMs":20000,"callMs":45500/);
  assert.match(codex, /"X-Debug":"1"/);
  const gemini = JSON.stringify(await planOf("gemini"));
  assert.match(gemini, /"callMs":5000/);
  assert.match(gemini, /sse","headers":\{\},"transport":"sse"|"transport":"sse"/);
  assert.match(JSON.stringify(await planOf("opencode")), /"connectMs":5000/);
});

const ours = {
  local: { command: "npx", args: ["-y", "pkg"], env: { A: "b c" } },
  remote: { url: "https://h.example/mcp", headers: { Authorization: "Bearer ${TOKEN}" } },
};

test("clients: there and back keeps what both can say, and names the rest", async () => {
  for (const client of clientNames) {
    const { text, lost } = writeClient(client, ours);
    const [file] = real[client];
    using folder = createFolder({ [file]: text });
    const { value, problems } = await importConfig({ cwd: folder.path, files: [join(folder.path, file)], env: {} });
    assert.deepEqual(problems.map(formatProblem), [], client);
    const backends: unknown = value?.["backends"];
    if (client === "claude-desktop") {
      assert.ok(lost.some(({ backend, key }) => backend === "remote" && key === "url"));
      continue;
    }
    assert.deepEqual(backends, ours, `${client}\n${text}`);
    assert.deepEqual(
      lost.map(({ key }) => key),
      client === "zed" ? ["variables"] : [],
      client,
    );
  }
});

test("clients: what another client cannot say is named", () => {
  const rich = {
    many: { replicas: [{ url: "https://a.example/mcp" }, { url: "https://b.example/mcp" }], isolation: "shared" },
    socket: { url: "unix:/run/mcp.sock" },
    fallback: { command: "x", env: { A: "${B:-c}" } },
  };
  const keys = (client: ClientName): readonly string[] =>
    writeClient(client, rich).lost.map(({ backend, key }) => `${backend}.${key}`);
  assert.deepEqual(keys("claude-code"), ["many.replicas", "many.isolation", "socket.url"]);
  assert.deepEqual(keys("cursor"), ["many.replicas", "many.isolation", "socket.url", "fallback.variables"]);
});

test("clients: what an editor asks for becomes a variable", async () => {
  const text =
    '{ "servers": { "a": { "command": "${workspaceFolder}/x", "args": ["${input:api-key}", "${userHome}", "${env:T}"], "envFile": ".env" } } }';
  using folder = createFolder({ "mcp.json": text, ".env": "FROM_FILE=1\n" });
  const { value, asked } = await importConfig({ cwd: folder.path, files: [join(folder.path, "mcp.json")], env: {} });
  assert.deepEqual(asked, ["API_KEY"]);
  const { a } = Object(value?.["backends"]);
  assert.deepEqual(a, {
    command: join(folder.path, "x"),
    args: ["${API_KEY}", "${HOME}", "${T}"],
    env: { FROM_FILE: "1" },
  });
});
