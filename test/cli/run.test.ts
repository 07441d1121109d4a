// What the program says to people and to scripts: help, mistakes, exit codes, no colours in pipes.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { version } from "../../cli/version.ts";
import { projectRoot, runtimeCommand, startScript } from "../kit/process.ts";
import { createFolder, type Ended, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };
const escape = "\u001b";

const valid = "backends: { fs: { command: nothing-is-started }, far: { url: 'http://127.0.0.1:1/mcp' } }\n";

function assertMistake({ code, stdout, stderr }: Ended, exit: number, message: RegExp): void {
  assert.equal(code, exit, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, message);
}

test("run: the version is that of package.json", limits, () => {
  assert.equal(version, JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")).version);
  for (const line of ["--version", "-v", "version", "list --version", "--version list", "-o json --version"])
    assert.deepEqual(mcpctl(line.split(" ")), { code: 0, stdout: `${version}\n`, stderr: "" }, line);
  // Behind -- it belongs to the server.
  assert.notEqual(mcpctl(["probe", "--", "no-such-program", "--version"]).code, 0);
});

test("run: help goes to stdout, plain and without spaces at the ends of lines", limits, () => {
  const commands = [
    [],
    ["--help"],
    ["-h"],
    ["help"],
    ["serve", "--help"],
    ["help", "serve"],
    ["validate", "-h"],
    ["schema", "--help"],
    ["health", "--help"],
    ["list", "--help"],
    ["probe", "--help"],
    ["call", "--help"],
    ["get", "--help"],
    ["read", "--help"],
    ["config", "--help"],
    ["explain", "--help"],
    ["version", "--help"],
  ];
  for (const args of commands) {
    const { code, stdout, stderr } = mcpctl(args, undefined, { FORCE_COLOR: "1", CI: "1" });
    const label = args.join(" ");
    assert.deepEqual([code, stderr], [0, ""], label);
    assert.ok(!stdout.includes(escape), label);
    assert.doesNotMatch(stdout, /[ \t]$/m, label);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
  }
  const { stdout } = mcpctl([]);
  for (const name of ["serve", "validate", "health", "schema", "--version", "EXIT CODES"])
    assert.ok(stdout.includes(name), name);
  assert.ok(!stdout.includes("demo"), "the command for the demo's own children is not for people");
});

test("run: an unknown command or flag exits with 2 and says what was meant", limits, () => {
  assertMistake(
    mcpctl(["srve"]),
    2,
    /^error\[E2001\] unknown command "srve"; did you mean serve\?\n {2}fix: see mcpctl --help\n$/,
  );
  assertMistake(mcpctl(["--versoin"]), 2, /unknown flag "--versoin"; did you mean --version\?/);
  assertMistake(mcpctl(["help", "srve"]), 2, /unknown command "srve"/);
  assertMistake(
    mcpctl(["serve", "--prot", "1"]),
    2,
    /unknown flag --prot; did you mean --port\?\n {2}fix: see mcpctl serve --help/,
  );
  assertMistake(mcpctl(["serve", "--", "--help"]), 2, /unexpected argument "--help"/);
  assertMistake(mcpctl(["constructor"]), 2, /unknown command "constructor"/);
});

test("run: flags that contradict each other, and wrong values, exit with 2 before anything is read", limits, () => {
  assertMistake(mcpctl(["serve", "--port", "70000"]), 2, /--port must be a number from 0 to 65535, not "70000"/);
  assertMistake(mcpctl(["serve", "--log-level", "loud"]), 2, /--log-level must be one of error, warn, info, debug/);
  assertMistake(mcpctl(["serve", "--demo", "-c", "x"]), 2, /--config means nothing with --demo/);
  assertMistake(mcpctl(["serve", "--stdio", "--port", "1"]), 2, /--port means nothing with --stdio/);
  assertMistake(mcpctl(["health", "--timeout", "5"]), 2, /--timeout must be a duration like 5s/);
  assertMistake(mcpctl(["demo", "nothing"]), 2, /there is no demo backend "nothing"/);
});

test("run: a configuration that keeps serve from starting exits with 3", limits, () => {
  using folder = createFolder({ "bad.yaml": "backends: { a: { comand: x } }\n" });
  assertMistake(
    mcpctl(["serve"], folder.path),
    3,
    /error\[E3114\] no config found.*\n {2}fix: name a file with -c, or start with/,
  );
  assertMistake(
    mcpctl(["serve", "-c", "bad.yaml"], folder.path),
    3,
    /bad\.yaml:1:\d+ error\[E3101\].*did you mean "command"/,
  );
  assertMistake(
    mcpctl(["serve", "--demo", "--host", "0.0.0.0"], folder.path),
    3,
    /error\[E3003\].*\n {2}cause: .*\n {2}fix: .*--insecure/,
  );
});

test("run: a port in use exits with 3 and leaves nothing running", limits, async () => {
  await using first = startScript("cli/main.ts", ["serve", "--demo", "--port", "0"]);
  const [, port = ""] = await first.line(/127\.0\.0\.1:(\d+)\/mcp/, "stderr");
  assertMistake(mcpctl(["serve", "--demo", "--port", port]), 3, /error\[E3004\].*in use/);
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
});

test("run: validate says yes, no, or that there was nothing to look at", limits, () => {
  using folder = createFolder({
    "mcpctl.yaml": valid,
    "bad.yaml": "naming: sideways\nbackends: { a: { comand: x } }\n",
  });
  const good = mcpctl(["validate"], folder.path);
  assert.equal(good.code, 0);
  assert.match(good.stderr, /^mcpctl\.yaml:1:28 warning\[E3155\] .*"nothing-is-started", which is not there to run\n$/);
  assert.match(good.stdout, /mcpctl\.yaml: valid, 2 backends\n$/);
  const bad = mcpctl(["validate", "-c", "bad.yaml"], folder.path);
  assertMistake(bad, 1, /bad\.yaml:1:9 error\[/);
  assert.equal(
    bad.stderr
      .trim()
      .split("\n")
      .filter((line) => line.includes("error[")).length,
    2,
    "every mistake at once",
  );
  using empty = createFolder();
  assertMistake(mcpctl(["validate"], empty.path), 3, /E3114/);
  assertMistake(mcpctl(["validate", "-c", "gone.yaml"], empty.path), 3, /gone\.yaml error\[E3108\] is not there/);
});

test("run: validate says its warnings and still says yes", limits, () => {
  using folder = createFolder({
    ".mcp.json": JSON.stringify({
      mcpServers: { "My Server": { type: "carrier-pigeon", url: "http://127.0.0.1:1/" } },
    }),
  });
  const { code, stdout, stderr } = mcpctl(["validate"], folder.path);
  assert.equal(code, 0);
  assert.match(stdout, /valid, 1 backend\n/);
  assert.match(stderr, /warning\[E3152\].*My-Server/);
  assert.match(stderr, /warning\[E3154\]/);
});

test("run: schema prints a JSON Schema", limits, () => {
  const { code, stdout, stderr } = mcpctl(["schema"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(JSON.parse(stdout).$schema, "https://json-schema.org/draft/2020-12/schema");
});

test("run: a reader that goes away ends nothing with a stack trace", limits, () => {
  const [command, options] = runtimeCommand("cli/main.ts", "schema");
  const script = 'exec 3>&1; { "$@" 2>&3; echo "exit $?" >&3; } | true';
  const { stdout } = spawnSync("bash", ["-c", script, "bash", command, ...options], {
    encoding: "utf8",
    cwd: tmpdir(),
  });
  assert.equal(stdout, "exit 0\n");
});

test("run: an answer that cannot be written is a failure", { ...limits, skip: !existsSync("/dev/full") }, () => {
  const [command, options] = runtimeCommand("cli/main.ts", "schema");
  const { status, stderr } = spawnSync("bash", ["-c", '"$@" > /dev/full', "bash", command, ...options], {
    encoding: "utf8",
    cwd: tmpdir(),
  });
  assert.equal(status, 70);
  assert.match(stderr, /^error\[E7002\] the answer could not be written/);
});

test("run: control characters of a config do nothing to the terminal", limits, () => {
  using folder = createFolder({ "mcpctl.json": '{ "backends": {}, "\\u001b[31mred\\u0007": 1 }' });
  const { code, stderr } = mcpctl(["validate"], folder.path);
  assert.equal(code, 1);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(stderr, /[\u0000-\u0009\u000b-\u001f]/);
});
