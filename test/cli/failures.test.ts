// Each command against each way in which a server fails: exit code, code, cause and fix, time, and nothing left behind.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { type Proc, runtime, runtimeCommand, startScript } from "../kit/process.ts";
import { startFailing, type Urls } from "./failing.ts";
import { createFolder } from "./kit.ts";

const limits = { timeout: 280_000 };

interface Failure {
  readonly name: string;
  /** A server of a config; `mark` is a word in the command line of all its processes. */
  readonly server: (mark: string, urls: Urls) => object;
  /** Of the error, by command; "" where it is the same for all. */
  readonly code: string;
  readonly exit: number;
}

const sh = (script: string, mark: string): object => ({ command: "bash", args: ["-c", script, mark] });
const raw = (mark: string, ...args: string[]): object => {
  const [command, rest] = runtimeCommand("test/kit/raw-server.ts", "stdio", "--name", mark, ...args);
  return { command, args: rest };
};
const pager = (mark: string, mode: string): object => {
  const [command, rest] = runtimeCommand("test/kit/pager-server.ts", mode);
  return { command, args: [...rest, mark] };
};

const failures: readonly Failure[] = [
  { name: "command not found", server: () => ({ command: "no-such-program" }), code: "E4102", exit: 4 },
  { name: "exits at once", server: (mark) => sh("echo oops >&2; exit 3", mark), code: "E4103", exit: 4 },
  { name: "hangs", server: (mark) => sh("exec -a $0 sleep 60", mark), code: "E4104", exit: 4 },
  {
    name: "garbage on stdout",
    server: (mark) => sh('echo "Starting server"; exec -a $0 sleep 60', mark),
    code: "E6004",
    exit: 6,
  },
  {
    name: "a grandchild keeps the pipe",
    server: (mark) => sh("(exec -a $0 sleep 60) & exit 1", mark),
    code: "E4103",
    exit: 4,
  },
  {
    name: "malformed JSON-RPC",
    server: (mark) => sh(`while read -r _; do echo '{"jsonrpc":"2.0","id":1,"neither":true}'; done # $0`, mark),
    code: "E6001",
    exit: 6,
  },
  { name: "unsupported version", server: (mark) => raw(mark, "--version", "1999-01-01"), code: "E6001", exit: 6 },
  { name: "pagination loop", server: (mark) => pager(mark, "repeat"), code: "E6020", exit: 6 },
  { name: "wrong port", server: (_, { closed }) => ({ url: closed }), code: "E4101", exit: 4 },
  { name: "connection reset", server: (_, { reset }) => ({ url: reset }), code: "E4105", exit: 4 },
  { name: "401", server: (_, { status401 }) => ({ url: status401 }), code: "E5001", exit: 5 },
  { name: "404", server: (_, { status404 }) => ({ url: status404 }), code: "E6001", exit: 6 },
  { name: "500 with HTML", server: (_, { status500 }) => ({ url: status500 }), code: "E6001", exit: 6 },
  {
    name: "TLS error",
    server: (_, { status404 }) => ({ url: status404.replace("http:", "https:") }),
    code: "E4101",
    exit: 4,
  },
];

/** Deno proves the same code; what users run is proved in every form. */
const isAll = runtime === "bun";
const some = ["table", "json"] as const;
const results = isAll ? ["table", "json", "ndjson", "yaml"] : some;
const listings = isAll ? ["table", "wide", "json", "ndjson", "yaml", "name"] : some;

const commands: readonly (readonly [name: string, args: readonly string[], forms: readonly string[]])[] = [
  ["list", ["list", "tools", "m.json"], listings],
  ["call", ["call", "m.json:it/echo"], results],
  ["get", ["get", "m.json:it/prompt"], some],
  ["read", ["read", "m.json:it/file:///x"], some],
  ["lock", ["lock", "--diff", "-c", "m.json"], ["json"]],
  ["probe", ["probe", "m.json"], isAll ? [...listings, "nagios", "prometheus"] : some],
  ["validate", ["validate", "--online", "m.json"], isAll ? [...listings, "sarif", "github", "junit"] : some],
];

/** Processes with this word in their command line, zombies aside. */
function processesOf(mark: string): readonly string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(mark);
    } catch {
      return false;
    }
  });
}

/** The kernel takes a moment to end a process that was killed. */
async function gone(mark: string, label: string): Promise<void> {
  const until = Date.now() + 1000;
  while (processesOf(mark).length > 0) {
    assert.ok(Date.now() < until, `${label} left processes: ${processesOf(mark).join(" ")}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const failure of failures) {
  test(`failures: ${failure.name}`, limits, async () => {
    await using failing = await startFailing();
    // Only those that list meet a bad list, and it is no more than a warning to those who look at more than lists.
    const lists = ["list", "call", "lock"];
    const meant = commands.filter(([name]) => failure.name !== "pagination loop" || lists.includes(name));
    await Promise.all(
      meant.map(async ([name, args, forms]) => {
        // Those that say nothing use up the time that they are given.
        for (const form of isSilent(failure) ? some : forms) await check(failure, failing.urls, { name, args, form });
      }),
    );
  });
}

function isSilent({ name }: Failure): boolean {
  return ["hangs", "garbage on stdout", "malformed JSON-RPC"].includes(name);
}

interface Line {
  readonly name: string;
  readonly args: readonly string[];
  readonly form: string;
}

async function check(failure: Failure, urls: Urls, { name, args, form }: Line): Promise<void> {
  const label = `${failure.name}, ${name} -o ${form}`;
  const mark = `mark-${randomUUID()}`;
  using folder = createFolder({ "m.json": JSON.stringify({ mcpServers: { it: failure.server(mark, urls) } }) });
  const patience = isSilent(failure) ? "4s" : "20s";
  const startedAt = performance.now();
  await using proc = startScript("cli/main.ts", [...args, "-o", form, "--timeout", patience], { cwd: folder.path });
  const { code } = await proc.exited;
  const ms = performance.now() - startedAt;
  const told = `${label}\n${proc.stdout}\n${proc.stderr}`;
  assert.ok(ms < 25_000, `${label} took ${ms} ms`);
  await gone(mark, label);
  assert.ok(!`${proc.stdout}${proc.stderr}`.includes("\u001b"), told);
  if (name === "probe") return checkProbe(failure, proc, form, told);
  if (name === "validate") return checkValidation(failure, proc, form, told);
  // Of many servers of one config, a lock says the gravest; what a gateway makes of it may be another word.
  if (name === "lock") assert.ok(code !== null && code >= 4 && code <= 6, told);
  else assert.equal(code, failure.exit, told);
  // Pages of an endless listing left as they came.
  if (form !== "ndjson" || failure.name !== "pagination loop") assert.equal(proc.stdout, "", told);
  checkError(failure, proc.stderr, { name, form }, told);
}

function checkError({ code }: Failure, stderr: string, { name, form }: Omit<Line, "args">, told: string): void {
  const wanted = name === "lock" ? /^E[456]\d{3}$/ : new RegExp(`^${code}$`);
  if (form === "json" || form === "ndjson") {
    const error = JSON.parse(stderr);
    assert.match(error.code, wanted, told);
    assert.ok(error.cause !== "" && error.fix !== "" && error.message !== "", told);
    assert.equal(error.place.line, 1);
    return;
  }
  const [, shown = ""] = /^error\[(E\d{4})\] it: /.exec(stderr) ?? [];
  assert.match(shown, wanted, told);
  for (const part of [/\n {2}at m\.json:1:\d+\n/, /\n {2}cause: \S/, /\n {2}fix: \S/, /\n {2}more: mcpctl explain E/])
    assert.match(stderr, part, told);
}

/** What is wrong is the answer of a probe. */
function checkProbe({ code, exit }: Failure, { stdout, stderr, exit: ended }: Proc, form: string, told: string): void {
  assert.equal(ended?.code, form === "nagios" ? 2 : exit, told);
  switch (form) {
    case "json":
    case "ndjson": {
      const said = JSON.parse(stdout);
      const [server] = said.servers ?? [said];
      assert.equal(server.error.code, code, told);
      assert.ok(server.error.cause !== "" && server.error.fix !== "", told);
      assert.equal(server.state, exit === 5 ? "auth" : "down");
      return;
    }
    case "yaml":
      return assert.match(stdout, new RegExp(`\n +code: ${code}\n`), told);
    case "name":
      return assert.equal(stdout, "", told);
    case "nagios":
      return assert.match(stdout, new RegExp(`^MCP CRITICAL - .*${code}.* \\| .*\n$`), told);
    case "prometheus":
      return assert.match(stdout, /^mcpctl_probe_up\{server="it",replica="0"\} 0$/m, told);
    default:
      assert.match(stdout, new RegExp(`\nerror\\[${code}\\] it: `), told);
      assert.match(stdout, /\n {2}cause: \S[^]*\n {2}fix: \S/, told);
      assert.equal(stderr, "", told);
  }
}

/** And of a validation: the config is not as it should be. */
function checkValidation({ code }: Failure, { stdout, stderr, exit }: Proc, form: string, told: string): void {
  assert.equal(exit?.code, 1, told);
  switch (form) {
    case "json":
      return assertProblem(JSON.parse(stdout).problems.at(-1));
    case "ndjson":
      return assertProblem(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
    case "table":
    case "wide":
      assert.match(
        stderr,
        new RegExp(`(?:^|\\n)m\\.json:1:\\d+ error\\[${code}\\] it: .*\n {2}cause: \\S.*\n {2}fix: \\S`),
        told,
      );
      return assert.equal(stdout, "", told);
    default:
      assert.ok(stdout.includes(code), told);
  }
  function assertProblem(problem: ReturnType<typeof JSON.parse>): void {
    assert.deepEqual([problem.code, problem.file, problem.line], [code, "m.json", 1], told);
    assert.ok(problem.cause !== "" && problem.fix !== "" && problem.message !== "", told);
  }
}
