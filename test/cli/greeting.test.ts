// What `serve` says at its start: a table on a terminal, plain lines elsewhere.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { runtimeCommand, startScript } from "../kit/process.ts";
import { createFolder, type Folder } from "./kit.ts";

const limits = { timeout: 120_000 };
const hasTmux = spawnSync("tmux", ["-V"]).status === 0;

function createConfig(): Folder {
  const demo = (...words: readonly string[]): object => {
    const [command, args] = runtimeCommand("cli/main.ts", "demo", ...words);
    return { command, args };
  };
  const backends = {
    text: demo("text"),
    clock: { replicas: [demo("clock", "a"), demo("clock", "b")] },
    gone: { command: "no-such-program" },
  };
  return createFolder({ "m.json": JSON.stringify({ listen: "127.0.0.1:0", backends }) });
}

test("greeting: a line for each backend where nobody watches", limits, async () => {
  using folder = createConfig();
  await using proc = startScript("cli/main.ts", ["serve", "-c", "m.json"], { cwd: folder.path });
  await proc.line(/^ {2}up +text +stdio +5 tools, \d+ ms$/, "stderr");
  await proc.line(/^ {2}up +clock +stdio\+stdio {2}[12]\/2 replicas, 2 tools, \d+ ms$/, "stderr");
  await proc.line(/^ {2}reconnecting +gone +stdio +E4102 could not be started: /, "stderr");
  assert.ok(!proc.stderr.includes("\u001b") && proc.stdout === "");
});

test("greeting: a table on a terminal", { ...limits, skip: !hasTmux }, () => {
  using folder = createConfig();
  const socket = `mcpctl-greeting-${randomUUID()}`;
  const tmux = (...words: readonly string[]): string =>
    spawnSync("tmux", ["-L", socket, "-f", "/dev/null", ...words], { encoding: "utf8" }).stdout;
  const [command, rest] = runtimeCommand("cli/main.ts", "serve", "-c", "m.json", "--log-level", "error");
  const line = [command, ...rest].map((word) => `'${word}'`).join(" ");
  try {
    tmux("new-session", "-d", "-x", "80", "-y", "40", `cd '${folder.path}'; ${line}`);
    const until = Date.now() + 30_000;
    const look = (): readonly string[] => tmux("capture-pane", "-p").split("\n");
    let lines = look();
    while (!lines.some((each) => each.startsWith("gone ")) && Date.now() < until) lines = look();
    const text = lines.join("\n");
    assert.match(text, /^BACKEND {2}STATE +REPLICAS {2}TOOLS +TIME {2}NOTE$/m);
    assert.match(text, /^text +up +5 +\d+ ms$/m);
    assert.match(text, /^clock +up +[12]\/2 +2 +\d+ ms$/m);
    assert.match(text, /^gone +reconnecting +E4102 could not be started: .*…$/m);
    assert.ok(lines.every((each) => each.length <= 80));
  } finally {
    tmux("kill-server");
  }
});
