// What holds for every command: targets, flags anywhere, errors for people and for scripts, trust.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runtimeCommand } from "../kit/process.ts";
import { createFolder, type Ended, type Folder, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };
const [command, args] = runtimeCommand("cli/main.ts", "demo", "text");
const server = { command, args };

function createConfig(file: string, servers: object): Folder {
  return createFolder({ [file]: JSON.stringify({ mcpServers: servers }) });
}

/** Runs it with a home of its own, where no config has been trusted yet. */
function at(folder: Folder, ...argv: readonly string[]): Ended {
  return mcpctl(argv, folder.path, { XDG_STATE_HOME: join(folder.path, "state") });
}

test("conventions: one syntax of targets", limits, () => {
  using folder = createConfig("m.json", { one: server, two: server });
  const count = (...argv: string[]): number => {
    const { code, stdout, stderr } = at(folder, "-o", "name", "list", ...argv);
    assert.equal(code, 0, stderr);
    return stdout.trim().split("\n").length;
  };
  assert.equal(count("tools", "-c", "m.json"), 10);
  assert.equal(count("tools", "m.json"), 10);
  assert.equal(count("tools", "one", "-c", "m.json"), 5);
  assert.equal(count("tools", "m.json:two"), 5);
  assert.equal(count("tools", "m.json:t*"), 5);
  assert.equal(count("tools", "*/diff", "-c", "m.json"), 2);
  assert.equal(count("tools", "m.json:one/diff"), 1);
  assert.equal(count("tools", "--", command, ...args), 5);
  const wrong = at(folder, "list", "tools", "thre", "-c", "m.json");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /error\[E2002\] no server is called "thre"; there are one, two\n/);
  assert.match(at(folder, "list", "tools", "oen", "-c", "m.json").stderr, /did you mean one\?/);
  assert.match(
    at(folder, "list", "tool", "-c", "m.json").stderr,
    /there are one, two; did you mean mcpctl list tools\?/,
  );
});

test("conventions: flags stand before the command and behind it, and -- ends them", limits, () => {
  using folder = createConfig("m.json", { one: server });
  const before = at(folder, "-c", "m.json", "-o", "json", "list", "tools");
  const behind = at(folder, "list", "tools", "-c", "m.json", "-o", "json");
  assert.equal(before.code, 0, before.stderr);
  assert.deepEqual(JSON.parse(before.stdout), JSON.parse(behind.stdout));
  assert.match(at(folder, "--config", "m.json").stderr, /there is no command behind --config/);
  const passed = at(folder, "list", "tools", "--", command, ...args, "--help");
  // The help of the other program is no help of this one.
  assert.equal(passed.code, 4);
  assert.match(passed.stderr, /error\[E4103\][^]*USAGE mcpctl demo/);
});

test("conventions: with -o json an error is one line with all that people are told", limits, () => {
  for (const argv of [
    ["list", "tools", "-o", "json", "--", "no-such-program"],
    ["-o", "json", "nonsense"],
    ["list", "--output=json", "--nonsense"],
    ["list", "tools", "-ojson", "-c", "gone.json"],
  ]) {
    using folder = createFolder();
    const { code, stdout, stderr } = at(folder, ...argv);
    assert.equal(stdout, "");
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    const error = JSON.parse(stderr);
    assert.equal(error.kind, "Error");
    assert.equal(error.exit, code);
    for (const member of ["code", "message", "cause", "fix"]) assert.notEqual(error[member], "", member);
  }
});

test("conventions: a config that is found starts nothing before somebody agrees to it as it is", limits, () => {
  const touch = { command: "sh", args: ["-c", "touch started; exec cat"] };
  using folder = createConfig(".mcp.json", { sneaky: touch });
  const started = (): boolean => existsSync(join(folder.path, "started"));
  for (const argv of [["list"], ["list", "servers"], ["validate"]]) assert.equal(at(folder, ...argv).code, 0);
  const refused = at(folder, "list", "tools");
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /error\[E3005\]/);
  const [, digest = ""] = /--trust ([0-9a-f]{16})/.exec(refused.stderr) ?? [];
  assert.equal(at(folder, "list", "tools", "--trust", "0".repeat(16)).code, 3);
  assert.ok(!started());
  at(folder, "list", "tools", "--trust", digest, "--timeout", "1s");
  assert.ok(started());
  assert.notEqual(at(folder, "list", "tools", "--timeout", "1s").code, 3, "once is enough");
  using other = createConfig(".mcp.json", { sneaky: { ...touch, args: ["-c", "touch started; exec cat "] } });
  assert.equal(at(other, "list", "tools", "--trust", digest).code, 3, "another content is another question");
});

test("conventions: naming a file is consent", limits, () => {
  using folder = createConfig(".mcp.json", { one: server });
  assert.equal(at(folder, "list", "tools").code, 3);
  assert.equal(at(folder, "list", "tools", "-c", ".mcp.json").code, 0);
  assert.equal(at(folder, "list", "tools", ".mcp.json:one").code, 0);
});

test("conventions: a snapshot is compared with what is listed now", limits, () => {
  using folder = createConfig("m.json", { one: server });
  const { stdout } = at(folder, "list", "tools", "m.json", "-o", "json");
  using snapshots = createFolder({ "same.json": stdout, "other.json": stdout.replace('"name":"diff"', '"name":"x"') });
  const same = at(folder, "list", "tools", "m.json", "--diff", join(snapshots.path, "same.json"));
  assert.deepEqual([same.code, same.stdout], [0, ""], same.stderr);
  using gone = createFolder({ "more.json": stdout.replace('"name": "diff"', '"name": "was_there"') });
  const less = at(folder, "list", "tools", "m.json", "--diff", join(gone.path, "more.json"));
  assert.equal(less.code, 1, less.stderr);
  assert.match(less.stdout, /breaking +one\/was_there +is gone/);
  assert.match(less.stdout, /compatible +one\/diff +is new/);
});

test("conventions: all mistakes of a config at once, for people and for scripts", limits, () => {
  using folder = createFolder({ "bad.yaml": "backends:\n  a: { comand: x }\n  b: 3\n" });
  const told = at(folder, "list", "tools", "-c", "bad.yaml");
  assert.deepEqual([told.code, told.stdout], [3, ""]);
  assert.match(
    told.stderr,
    /^error\[E3002\] bad\.yaml: 2 mistakes\n {2}bad\.yaml:2:8 error\[E3101\] .*\n {2}bad\.yaml:3:6 error\[E3102\] .*\n {2}cause: /,
  );
  const { stderr } = at(folder, "call", "a/x", "-c", "bad.yaml", "-o", "json");
  const { code, problems } = JSON.parse(stderr);
  const places = problems.map((each: Record<string, unknown>) => [each["code"], each["line"], each["column"]]);
  assert.deepEqual(
    [code, places],
    [
      "E3002",
      [
        ["E3101", 2, 8],
        ["E3102", 3, 6],
      ],
    ],
  );
});
