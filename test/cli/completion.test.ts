// Completion: what may come next, as the program says it and as the shells that are here show it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeCommand } from "../kit/process.ts";
import { createFolder, type Folder, mcpctl } from "./kit.ts";

const limits = { timeout: 60_000 };
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
  assert.deepEqual(complete(folder, "call", "weather/w"), []);
  const listed = mcpctl(["list", "tools", "weather", "-c", "mcpctl.json"], folder.path, {
    XDG_CACHE_HOME: join(folder.path, "cache"),
  });
  assert.equal(listed.code, 0, listed.stderr);
  assert.deepEqual(complete(folder, "call", "weather/w"), ["weather/word_count"]);
});

/** Calls the shell's own function with a command line, and prints what it would offer. */
const drivers: readonly (readonly [shell: string, script: string])[] = [
  [
    "bash",
    'source <(mcpctl completion bash); COMP_WORDS=(mcpctl list tools w); COMP_CWORD=3; _mcpctl; printf "%s\\n" "${COMPREPLY[@]}"',
  ],
  [
    "zsh",
    "compdef() { :; }; compadd() { print -l -- $found }; words=(mcpctl list tools w); CURRENT=4; source <(mcpctl completion zsh); _mcpctl",
  ],
  ["fish", 'mcpctl completion fish | source; complete -C "mcpctl list tools w"'],
];

for (const [shell, script] of drivers) {
  const isHere = spawnSync(shell, ["-c", "exit 0"]).status === 0;
  test(`completion: in ${shell}`, { ...limits, skip: !isHere }, () => {
    using folder = createWorld();
    const [program, rest] = runtimeCommand("cli/main.ts");
    const line = [program, ...rest].map((word) => `'${word}'`).join(" ");
    const define = shell === "fish" ? `function mcpctl; ${line} $argv; end;` : `mcpctl() { ${line} "$@"; };`;
    const { stdout, stderr } = spawnSync(shell, ["-c", `${define} ${script}`], {
      cwd: folder.path,
      encoding: "utf8",
      env: { ...process.env, HOME: folder.path },
    });
    assert.deepEqual(stdout.trim().split("\n"), ["weather", "web"], stderr);
  });
}

test("completion: a script for each shell, and none for another", limits, () => {
  for (const shell of ["bash", "zsh", "fish", "powershell"])
    assert.match(mcpctl(["completion", shell]).stdout, /mcpctl complete --/, shell);
  const { code, stderr } = mcpctl(["completion", "bsh"]);
  assert.equal(code, 2);
  assert.match(stderr, /did you mean bash\?/);
});
