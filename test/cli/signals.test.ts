// What stops `serve`, and what does not.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { type Proc, runtimeCommand, startScript } from "../kit/process.ts";
import { createFolder } from "./kit.ts";

const limits = { timeout: 120_000 };
const endpoint = /http:\/\/127\.0\.0\.1:\d+\/mcp/;

function startDemo(...flags: string[]): Proc {
  return startScript("cli/main.ts", ["serve", "--demo", "--port", "0", ...flags]);
}

test("signals: SIGTERM, SIGINT and a lost terminal stop serve with 0", limits, async () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    await using demo = startDemo();
    await demo.line(/up +notes/, "stderr");
    demo.kill(signal);
    assert.deepEqual(await demo.exited, { code: 0, signal: null }, signal);
  }
});

test("signals: a stop before the first backend is up is a stop", limits, async () => {
  await using demo = startDemo();
  await demo.line(endpoint, "stderr");
  demo.kill("SIGTERM");
  assert.deepEqual(await demo.exited, { code: 0, signal: null });
});

test("signals: a second signal ends serve at once, while a child takes its time", limits, async () => {
  // It ignores the end of its input and SIGTERM, so that a drain takes seconds.
  const stubborn = `trap "" TERM; echo awake >&2; while :; do sleep 1; done`;
  const config = JSON.stringify({ backends: { stubborn: { command: "bash", args: ["-c", stubborn] } } });
  using folder = createFolder({ "mcpctl.json": config });
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    await using proc = startScript("cli/main.ts", ["serve", "--port", "0", "-c", `${folder.path}/mcpctl.json`]);
    const [url] = await proc.line(endpoint, "stderr");
    await proc.line(/stubborn: awake/, "stderr");
    proc.kill(signal);
    // It has heard the first one when it drains.
    while ((await readyz(url)) === "starting") await new Promise((resolve) => setImmediate(resolve));
    proc.kill(signal);
    assert.deepEqual(await proc.exited, { code, signal: null });
  }
});

async function readyz(url: string): Promise<string> {
  try {
    return (await (await fetch(new URL("/readyz", url))).text()).trim();
  } catch {
    return "closed";
  }
}

test("signals: SIGHUP reads a config again and goes on", limits, async () => {
  using folder = createFolder({ "mcpctl.json": '{ "backends": {} }' });
  await using proc = startScript("cli/main.ts", ["serve", "--port", "0", "-c", `${folder.path}/mcpctl.json`]);
  const [url] = await proc.line(endpoint, "stderr");
  proc.kill("SIGHUP");
  await proc.line(/config applied: no backends/, "stderr");
  assert.equal((await fetch(new URL("/livez", url))).status, 200);
  assert.deepEqual(await proc.stop(), { code: 0, signal: null });
});

test("signals: serve --stdio ends with 0 at the end of its input and at SIGTERM", limits, async () => {
  const request = '{"jsonrpc":"2.0","id":7,"method":"ping"}\n';
  for (const end of [(proc: Proc) => proc.end(), (proc: Proc) => proc.kill("SIGTERM")]) {
    await using proc = startScript("cli/main.ts", ["serve", "--demo", "--stdio"]);
    proc.write(request);
    await proc.line(/"id":7/);
    end(proc);
    assert.deepEqual(await proc.exited, { code: 0, signal: null });
    assert.equal(proc.stdout.trim().split("\n").length, 1, "stdout holds messages alone");
  }
});

test("signals: serve goes on when nobody reads its messages any more", limits, async () => {
  const [command, args] = runtimeCommand("cli/main.ts", "serve", "--demo", "--port", "0", "--log-level", "debug");
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  try {
    let text = "";
    const url = await new Promise<string>((resolve) => {
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        const found = endpoint.exec(text);
        if (found) resolve(found[0]);
      });
    });
    child.stderr.destroy();
    for (let index = 0; index < 5; index += 1) assert.equal((await fetch(new URL("/livez", url))).status, 200);
    const exited = once(child, "exit");
    process.kill(child.pid ?? 0, "SIGTERM");
    assert.deepEqual(await exited, [0, null]);
  } finally {
    child.kill("SIGKILL");
  }
});
