// Completion: what may come next, as the program says it and as the shells that are here show it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeCommand } from "../kit/process.ts";
import { provide } from "../kit/packages.ts";
import { createFolder, type Folder, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };
const [command, args] = runtimeCommand("cli/main.ts", "demo", "text");

function createWorld(): Folder {
  return createFolder({
    "mcpctl.json": JSON.stringify({ backends: { weather: { command, args }, web: { url: "http://h/" } } }),
  });
}

function complete(folder: Folder, ...words: readonly string[]): readonly string[] {
  const { code, stdout, stderr } = mcpctl(["complete", "--", ...words], folder.path, {
    XDG_CACHE_HOME: join(folder.path, "cache"),
  });
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout.split("\n").filter((line) => line !== "");
}

test("completion: commands, flags, values, servers, and tools that were listed", limits, () => {
  using folder = createWorld();
  assert.deepEqual(complete(folder, "pro"), ["probe"]);
  assert.deepEqual(complete(folder, "list", "to"), ["tools"]);
  assert.deepEqual(complete(folder, "list", "tools", "w"), ["weather", "web"]);
  assert.deepEqual(complete(folder, "probe", "--wa"), ["--watch"]);
  assert.deepEqual(complete(folder, "probe", "-o", "na"), ["name", "nagios"]);
  assert.deepEqual(complete(folder, "-o", "json", "list", "re"), ["resources"]);
  assert.deepEqual(complete(folder, "config", "con"), ["convert"]);
  assert.deepEqual(complete(folder, "schema", "Pag"), ["Page", "PageList"]);
  assert.deepEqual(complete(folder, "nonsense", ""), []);
  assert.deepEqual(complete(folder, "list", "tools", "weather", "w"), []);
  assert.deepEqual(complete(folder, "list", "-c", "mcpctl.json", "tools", "we"), ["weather", "web"]);
  assert.deepEqual(complete(folder, "list", "tools", "mcpctl.json:wea"), ["mcpctl.json:weather"]);
  assert.deepEqual(complete(folder, "wait", "--for", "b"), ["backend=weather", "backend=web"]);
  assert.deepEqual(complete(folder, "validate", "--for", "cu"), ["cursor"]);
  assert.deepEqual(complete(folder, "tail", "--backend", "wea"), ["weather"]);
  assert.deepEqual(complete(folder, "explain", "E4103"), ["E4103"]);
  assert.deepEqual(complete(folder, "call", "weather/w"), []);
  const listed = mcpctl(["list", "tools", "weather", "-c", "mcpctl.json"], folder.path, {
    XDG_CACHE_HOME: join(folder.path, "cache"),
  });
  assert.equal(listed.code, 0, listed.stderr);
  assert.deepEqual(complete(folder, "call", "weather/w"), ["weather/word_count"]);
});

/** A shell as people start it, and what loads the script in it. */
const shells: readonly (readonly [shell: string, start: string, load: string])[] = [
  ["bash", "bash --norc --noprofile -i", "source <(mcpctl completion bash)"],
  ["zsh", "zsh -f -i", "autoload -U compinit; compinit -u -D; source <(mcpctl completion zsh)"],
  ["fish", "fish --no-config -i", "mcpctl completion fish | source"],
];

const hasTmux = provide("tmux", "tmux", "-V");

/** What is typed, and what stands there after the tabulator key. */
const typed: readonly (readonly [line: string, full: string])[] = [
  ["mcpctl prob", "mcpctl probe "],
  ["mcpctl list tools wea", "mcpctl list tools weather "],
  ["mcpctl call weather/w", "mcpctl call weather/word_count "],
  ["mcpctl probe mcpctl.json:wea", "mcpctl probe mcpctl.json:weather "],
  ["mcpctl list -c mcp", "mcpctl list -c mcpctl.json "],
  ["mcpctl wait --for backend=wea", "mcpctl wait --for backend=weather "],
];

for (const [shell, start, load] of shells) {
  test(`completion: typed in ${shell}`, { ...limits, skip: !hasTmux || !provide(shell, shell) }, () => {
    using folder = createWorld();
    const home = join(folder.path, "home");
    const bin = join(folder.path, "bin");
    const [program, rest] = runtimeCommand("cli/main.ts");
    mkdirSync(bin);
    const words = [program, ...rest].map((word) => `'${word}'`).join(" ");
    writeFileSync(join(bin, "mcpctl"), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
    const env = {
      ...process.env,
      HOME: home,
      HISTFILE: "/dev/null",
      XDG_CACHE_HOME: join(home, "cache"),
      PATH: `${bin}:${process.env["PATH"]}`,
    };
    const listed = spawnSync(join(bin, "mcpctl"), ["list", "tools", "weather", "-c", "mcpctl.json"], {
      cwd: folder.path,
      env,
    });
    assert.equal(listed.status, 0, String(listed.stderr));
    const socket = `mcpctl-${process.pid}-${randomUUID()}`;
    const tmux = (...args: readonly string[]): string =>
      spawnSync("tmux", ["-L", socket, "-f", "/dev/null", ...args], { encoding: "utf8", env, cwd: folder.path }).stdout;
    const until = (shown: string): void => {
      const late = Date.now() + 20_000;
      while (!tmux("capture-pane", "-p", "-N").includes(shown))
        assert.ok(Date.now() < late, `no ${JSON.stringify(shown)} in:\n${tmux("capture-pane", "-p")}`);
    };
    try {
      tmux("new-session", "-d", "-x", "120", "-y", "40", start);
      tmux("send-keys", `${load}; echo rea''dy`, "Enter");
      until("\nready");
      for (const [line, full] of typed) {
        tmux("send-keys", "-l", line);
        until(line);
        tmux("send-keys", "Tab");
        until(full);
        tmux("send-keys", "C-u");
      }
    } finally {
      tmux("kill-server");
    }
  });
}

test("completion: a script for each shell, and none for another", limits, () => {
  for (const shell of ["bash", "zsh", "fish", "powershell"])
    assert.match(mcpctl(["completion", shell]).stdout, /mcpctl complete --/, shell);
  const { code, stderr } = mcpctl(["completion", "bsh"]);
  assert.equal(code, 2);
  assert.match(stderr, /did you mean bash\?/);
});
