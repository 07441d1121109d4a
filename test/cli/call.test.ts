// `mcpctl call`, `get` and `read` against servers of both SDK lines and the demo.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bunExecutable, projectRoot, runtimeCommand, startHttpServer, startScript } from "../kit/process.ts";
import { createFolder, type Ended, type Folder, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };
const [command, base] = runtimeCommand("cli/main.ts", "demo");
const everything = {
  command: bunExecutable(),
  args: [join(projectRoot, "node_modules/@modelcontextprotocol/server-everything/dist/index.js"), "stdio"],
};

function createConfig(): Folder {
  const demo = (name: string): object => ({ command, args: [...base, name] });
  const [raw, args] = runtimeCommand("test/kit/raw-server.ts", "stdio", "--bigint");
  const mcpServers = { text: demo("text"), notes: demo("notes"), everything, raw: { command: raw, args } };
  return createFolder({ "m.json": JSON.stringify({ mcpServers }) });
}

function ok({ code, stdout, stderr }: Ended): string {
  assert.equal(code, 0, stderr);
  return stdout;
}

test("call: text for people, and exactly what came for scripts", limits, () => {
  using folder = createConfig();
  const run = (...args: string[]): Ended => mcpctl(args, folder.path);
  assert.equal(ok(run("call", "m.json:everything/get-sum", "a=1", "b=2")), "The sum of 1 and 2 is 3.\n");
  const document = ok(run("call", "m.json:raw/raw", "-o", "json"));
  assert.match(document, /"kind": "CallResult"/);
  assert.ok(document.includes('{"x-before":{"big":9007199254740993},  "content":'), "not a byte is changed");
  const yaml = ok(run("call", "m.json:raw/raw", "-o", "yaml"));
  assert.match(yaml, /big: 9007199254740993/);
});

test("call: wrong words and tools send nothing and say what was meant", limits, () => {
  using folder = createConfig();
  const run = (...args: string[]): Ended => mcpctl(["call", ...args], folder.path);
  for (const [args, message] of [
    [["m.json:text/word_count", "txt=a"], /E2003\].*text is missing; txt is unknown \(did you mean text\?\)/],
    [["m.json:text/wordcount"], /E2004\] .*did you mean word_count\?/],
    [["m.json:text"], /E2004\] .*no tool of text is named; there are diff/],
    [["m.json:*/x"], /"m\.json:\*\/x" is 4 servers; name one/],
    [["m.json:text/word_count", "loose"], /"loose" is no argument/],
    [[], /which one\?/],
  ] as const) {
    const { code, stdout, stderr } = run(...args);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, message);
  }
  const forced = run("m.json:text/word_count", "txt=a", "--no-validate");
  assert.equal(forced.code, 1, "the tool says that it failed");
  assert.notEqual(forced.stdout, "");
});

test("call: images and blobs go to files, progress to stderr", limits, () => {
  using folder = createConfig();
  const saved = ok(mcpctl(["call", "m.json:everything/get-tiny-image", "--save", "out"], folder.path));
  const [, file = ""] = /^saved (.+)$/m.exec(saved) ?? [];
  assert.deepEqual([...readFileSync(join(folder.path, file)).subarray(1, 4)], [...Buffer.from("PNG")]);
  const slow = mcpctl(["call", "m.json:text/repeat_slowly", "text=hi", "times=2"], folder.path);
  assert.equal(ok(slow), '{"repeated":["hi","hi"]}\n');
  assert.match(slow.stderr, /progress: 2 of 2 █+ said it 2 of 2 times/);
});

test("call: over an address, and a command line", limits, async () => {
  await using server = await startHttpServer();
  const { code, stdout, stderr } = await run(["list", "tools", server.url, "-o", "name"]);
  assert.equal(code, 0, stderr);
  assert.ok(stdout.includes("echo\n"), stdout);
  const called = await run(["call", server.url, "echo", "message=hi", "text=hi", "--no-validate"]);
  assert.equal(called.code, 0, called.stderr);
  assert.match(called.stdout, /hi/);
  const line = [everything.command, ...everything.args];
  assert.equal(ok(mcpctl(["call", "echo", "message=hi", "--", ...line])), "Echo: hi\n");
});

/** Not spawnSync: the server's output must be read meanwhile. */
async function run(args: readonly string[]): Promise<Ended> {
  await using proc = startScript("cli/main.ts", args);
  const { code } = await proc.exited;
  return { code, stdout: proc.stdout, stderr: proc.stderr };
}

test("get and read: prompts with their roles, resources as they are", limits, () => {
  using folder = createConfig();
  const prompt = ok(mcpctl(["get", "m.json:text/summarize", "text=abc"], folder.path));
  assert.match(prompt, /^user: Summarize [^]*abc/);
  const missing = mcpctl(["get", "m.json:text/summarize"], folder.path);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /E2003\].*summarize needs text=…/);
  const note = ok(mcpctl(["read", "m.json:notes/note://mcpctl/tools"], folder.path));
  assert.match(note, /^# |tool/i);
  const gone = mcpctl(["read", "m.json:notes/note://mcpctl/nothing"], folder.path);
  assert.deepEqual([gone.code, gone.stdout], [6, ""]);
  assert.match(gone.stderr, /error\[E6005\] notes: answered resources\/read with error -32002/);
});
