// The config files of other clients, in the form in which each of them writes them, run in `serve` as they are.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { connectClient } from "../kit/client.ts";
import { runtimeCommand, startHttpServer, startScript } from "../kit/process.ts";
import { createFolder, mcpctl } from "../cli/kit.ts";

const limits = { timeout: 120_000 };
const [command, args] = runtimeCommand("cli/main.ts", "demo", "text");
const [program, list, whole] = [command, args, [command, ...args]].map((value) => JSON.stringify(value));

/** Where each client keeps its file, and what is in it; `url` where it knows servers at an address. */
const files: readonly (readonly [client: string, file: string, text: (url: string) => string])[] = [
  [
    "claude-desktop",
    "claude_desktop_config.json",
    () => `{ "globalShortcut": "", "mcpServers": { "local": { "command": ${program}, "args": ${list} } } }`,
  ],
  [
    "claude-code",
    ".mcp.json",
    (url) => `{ "mcpServers": {
      "local": { "type": "stdio", "command": ${program}, "args": ${list}, "env": {} },
      "remote": { "type": "http", "url": "\${BASE:-${url}}", "headers": { "X-Token": "\${TOKEN}" } } } }`,
  ],
  [
    "cursor",
    ".cursor/mcp.json",
    (url) => `{ "mcpServers": {
      "local": { "command": ${program}, "args": ${list}, "env": { "A": "b" } },
      "remote": { "url": "${url}", "headers": { "X-Token": "\${env:TOKEN}" } } } }`,
  ],
  [
    "vscode",
    ".vscode/mcp.json",
    (url) => `{
      // Comments and trailing commas are fine.
      "inputs": [],
      "servers": {
        "local": { "type": "stdio", "command": ${program}, "args": ${list} },
        "remote": { "type": "http", "url": "${url}", "headers": { "X-Token": "\${env:TOKEN}" } },
      },
    }`,
  ],
  [
    "codex",
    ".codex/config.toml",
    (url) => `model = "some-model"

[mcp_servers.local]
command = ${program}
args = ${list}
startup_timeout_sec = 20

[mcp_servers.remote]
url = "${url}"
env_http_headers = { X-Token = "TOKEN" }

[mcp_servers.off]
command = "no-such-program"
enabled = false
`,
  ],
  [
    "gemini",
    ".gemini/settings.json",
    (url) => `{ "theme": "Default", "mcpServers": {
      "local": { "command": ${program}, "args": ${list}, "timeout": 5000, "trust": false },
      "remote": { "httpUrl": "${url}", "headers": { "X-Token": "$TOKEN" } } } }`,
  ],
  [
    "opencode",
    "opencode.json",
    (url) => `{ "$schema": "https://opencode.ai/config.json", "mcp": {
      "local": { "type": "local", "command": ${whole}, "enabled": true, "environment": { "A": "b" } },
      "off": { "type": "local", "command": ["no-such-program"], "enabled": false },
      "remote": { "type": "remote", "url": "${url}", "headers": { "X-Token": "{env:TOKEN}" } } } }`,
  ],
  [
    "zed",
    ".zed/settings.json",
    (url) => `{ "theme": "One Dark", "context_servers": {
      "local": { "source": "custom", "command": { "path": ${program}, "args": ${list}, "env": {} } },
      "remote": { "source": "custom", "url": "${url}", "headers": { "X-Token": "\${TOKEN}" } } } }`,
  ],
];

for (const [client, file, text] of files) {
  test(`clients: the file of ${client} runs in serve as it is, and imported`, limits, async () => {
    await using remote = await startHttpServer();
    const written = text(remote.url);
    using folder = createFolder();
    mkdirSync(dirname(join(folder.path, file)), { recursive: true });
    writeFileSync(join(folder.path, file), written);
    const env = { TOKEN: "t0ken" };
    const imported = mcpctl(["config", "import", file], folder.path, env);
    assert.equal(imported.code, 0, imported.stderr);
    writeFileSync(join(folder.path, "mcpctl.yaml"), imported.stdout);
    const expected = client === "claude-desktop" ? ["local"] : ["local", "remote"];
    for (const config of [file, "mcpctl.yaml"]) {
      const options = { cwd: folder.path, env };
      await using gateway = startScript("cli/main.ts", ["serve", "-c", config, "--port", "0"], options);
      const [url = ""] = await gateway.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
      for (const name of expected) await gateway.line(new RegExp(`up +${name}`), "stderr");
      await using peer = await connectClient({ url });
      const { tools } = await peer.client.listTools();
      const owners = new Set(tools.map(({ name }) => name.split("__")[0]));
      assert.deepEqual([...owners], expected, `${config}\n${gateway.stderr}`);
      assert.match(await peer.callText("local__word_count", { text: "two words" }), /"words":2/);
    }
    assert.equal(readFileSync(join(folder.path, file), "utf8"), written);
  });
}
