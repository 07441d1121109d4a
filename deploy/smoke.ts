// Starts a compiled binary as a user would: its version, the demo's answer to a first client, and a clean end.
// Usage: bun deploy/smoke.ts [dist/mcpctl]

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { endpointOf } from "./rehearsal.ts";

const binary = resolve(process.argv[2] ?? "dist/mcpctl");
const timeoutMs = 20_000;

function checkVersion(): void {
  const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../package.json"), "utf8"));
  const printed = execFileSync(binary, ["--version"], { encoding: "utf8", timeout: timeoutMs });
  assert.ok(printed.includes(version), `--version printed ${JSON.stringify(printed)}, and this is ${version}`);
}

async function checkInitialize(endpoint: string): Promise<void> {
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "smoke", version: "1" } };
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const { result } = JSON.parse(text.replace(/^[^]*?\bdata: (?=\{)/, ""));
  assert.equal(result?.protocolVersion, params.protocolVersion, text);
  assert.ok(result?.capabilities?.tools, `the demo offers no tools: ${text}`);
}

async function checkDemo(): Promise<void> {
  const child = spawn(binary, ["serve", "--demo", "--port", "0"], { stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  try {
    await checkInitialize(await endpointOf(child));
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const [code] = await exited;
    assert.equal(code, 0, `SIGTERM ended serve with exit code ${code}`);
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
  }
}

checkVersion();
await checkDemo();
console.log(`${binary} gives its version, answers initialize and ends cleanly`);
