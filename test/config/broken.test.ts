// Configs with one mistake each at its place, together with files that want to run something or take for ever: in time, and
// with nothing run.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, closeSync, ftruncateSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { formatProblem, type Loaded, loadPlan, type Problem } from "../../lib/config/load.ts";
import { runtimeCommand } from "../kit/process.ts";
import { type Broken, brokenFiles } from "./broken-files.ts";

const mark = "▸";
/** Of all files together, as people wait for it; a test is started by a slower way, and on busy machines. */
const budgetMs = 2_000;

function expected(text: string): string {
  const before = text.slice(0, text.indexOf(mark)).split("\n");
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

/** What is said of the file; that a runner is not on this machine is its own affair. */
async function problemsIn(folder: string, file: string): Promise<readonly Problem[]> {
  const env = { PATH: process.env["PATH"], HOME: "/home/you" };
  const loaded: Loaded = await loadPlan({ cwd: folder, files: [file], env, lint: true });
  const all = loaded.kind === "ok" ? loaded.warnings : loaded.problems;
  return all.filter(({ code, message }) => !(code === "E3155" && message.includes('"npx"')));
}

interface Set extends Disposable {
  readonly folder: string;
  readonly files: readonly (readonly [file: string, broken: Broken])[];
}

function createSet(): Set {
  const folder = mkdtempSync(join(tmpdir(), "mcpctl-broken-"));
  const files = brokenFiles.map((broken, index): readonly [string, Broken] => {
    const file = join(String(index), broken[0]);
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), broken[2].replace(mark, ""));
    return [file, broken];
  });
  return { folder, files, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

test("broken: every dialect, and each mistake at its place", async () => {
  assert.ok(brokenFiles.length >= 60);
  using set = createSet();
  for (const [file, [, code, text]] of set.files) {
    const problems = await problemsIn(set.folder, file);
    const wanted = `${expected(text)} ${code}`;
    const said = problems.map((problem) => `${problem.line}:${problem.column} ${problem.code}`);
    assert.ok(said.includes(wanted), `${text}\n${wanted} is not among\n${problems.map(formatProblem).join("\n")}`);
    assert.ok(said.length <= 2, `${text}\n${problems.map(formatProblem).join("\n")}`);
  }
});

/** Files that would leave a trace if anything in them ran; `ran` is the trace. */
function hostile(folder: string, ran: string): readonly string[] {
  const touch = `touch '${ran}'`;
  const script = `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(ran)}, "");`;
  const files: Readonly<Record<string, string | Uint8Array>> = {
    "evil.ts": script,
    "evil.js": `require("node:fs").writeFileSync(${JSON.stringify(ran)}, "");`,
    "extends.yaml": "extends: ./evil.ts\nbackends: {}\n",
    "extends-many.yaml": "extends: [./evil.js, 'gh:a/b', 'http://127.0.0.1:1/x.ts']\nbackends: {}\n",
    "tag.yaml": `backends: !!js/function "function(){ ${touch} }"\n`,
    "command.yaml": `backends: { a: { command: sh, args: [-c, "${touch}"] } }\n`,
    "substitution.yaml": `backends: { a: { command: "$(${touch})", args: ["\`${touch}\`", "\${X:-$(${touch})}"] } }\n`,
    "proto.json":
      '{ "__proto__": { "polluted": 1 }, "backends": { "a": { "constructor": { "prototype": { "polluted": 1 } } } } }',
    "proto.toml": "[__proto__]\npolluted = 1\n",
    "deep.json": "[".repeat(100_000),
    "deep.yaml": "{a: ".repeat(50_000),
    "bomb.yaml": `a: &a [x, x]\n${"bcdefghijklmnopqrst".replaceAll(/./g, (c) => `${c}: &${c} [*${String.fromCharCode(c.charCodeAt(0) - 1)}, *${String.fromCharCode(c.charCodeAt(0) - 1)}]\n`)}`,
    "binary.yaml": Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256),
    "nul.json": '{ "backends": { "a": { "command": "x\\u0000y" } } }',
    // What other tools read, and this one does not.
    ".mcpctlrc": `extends=./evil.ts\n`,
    ".configrc": `extends=./evil.ts\n`,
    "package.json": `{ "mcpctl": { "extends": "./evil.ts" }, "scripts": { "prepare": "${touch}" } }`,
    "bunfig.toml": 'preload = ["./evil.ts"]\n',
    "mcpctl.config.ts": script,
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const large = openSync(join(folder, "large.yaml"), "w");
  ftruncateSync(large, 100 * 2 ** 20);
  closeSync(large);
  const named = Object.keys(files).filter(
    (name) => /^(?:[a-z-]+)\.(?:yaml|json|toml)$/.test(name) && name !== "bunfig.toml",
  );
  return [...named, "large.yaml"];
}

test("broken: with hostile files among them, all is said in time, and nothing runs", async () => {
  using set = createSet();
  const ran = join(set.folder, "RAN");
  const evil = hostile(set.folder, ran);
  const before = process.cpuUsage();
  for (const [file] of set.files) await problemsIn(set.folder, file);
  for (const file of evil) {
    const problems = await problemsIn(set.folder, file);
    assert.ok(problems.length > 0 || file === "command.yaml" || file === "package.json", file);
  }
  const { user, system } = process.cpuUsage(before);
  // What others do on this machine is not counted.
  assert.ok((user + system) / 1000 < budgetMs, `${(user + system) / 1000} ms of CPU`);
  assert.ok(!existsSync(ran));
  assert.equal(Reflect.get({}, "polluted"), undefined);
});

test("broken: the command says the same of a folder of hostile files, and runs nothing", { timeout: 120_000 }, () => {
  using set = createSet();
  const ran = join(set.folder, "RAN");
  for (const file of hostile(set.folder, ran).filter((name) => name !== "package.json")) {
    if (!/^(?:extends|tag|large|proto|binary)/.test(file)) continue;
    const [command, args] = runtimeCommand("cli/main.ts", "validate", file);
    // Not from the folder itself, where the runtime of this test would read its own files.
    const named = args.map((word) => (word === file ? join(set.folder, file) : word));
    const { status, stdout } = spawnSync(command, named, { cwd: tmpdir(), encoding: "utf8", timeout: 120_000 });
    assert.ok(status === 1 || status === 3, `${file} ends with ${status}`);
    assert.equal(stdout, "", file);
  }
  assert.ok(!existsSync(ran));
});
