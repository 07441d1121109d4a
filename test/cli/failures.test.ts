// Each command against each way in which a server fails: exit code, code, cause and fix, time, and nothing left behind.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { runtimeCommand, startScript } from "../kit/process.ts";
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

/** Addresses of servers that fail in their own ways. */
type Urls = Readonly<Record<"closed" | "reset" | "status401" | "status404" | "status500", string>>;

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

const commands: readonly (readonly [name: string, args: readonly string[], forms: readonly string[]])[] = [
  ["list", ["list", "tools", "m.json"], ["table", "json", "ndjson", "yaml", "name"]],
  ["call", ["call", "m.json:it/echo"], ["table", "json"]],
  ["get", ["get", "m.json:it/prompt"], ["json"]],
  ["read", ["read", "m.json:it/file:///x"], ["table"]],
  ["probe", ["probe", "m.json"], ["table", "json"]],
];

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}/mcp`;
}

async function startFailing(): Promise<{ urls: Urls } & AsyncDisposable> {
  const status = (code: number): Server =>
    createHttpServer((request, response) => {
      request.resume();
      response.writeHead(code, { "content-type": "text/html" }).end(`<html><h1>${code}</h1></html>`);
    });
  const reset = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  const closed = createServer();
  const servers = [status(401), status(404), status(500), reset, closed];
  const [status401 = "", status404 = "", status500 = "", resetUrl = "", closedUrl = ""] = await Promise.all(
    servers.map(listening),
  );
  closed.close();
  return {
    urls: { status401, status404, status500, reset: resetUrl, closed: closedUrl },
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) server.close();
    },
  };
}

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
    // Only those that list meet a bad list.
    const meant = commands.filter(([name]) => failure.name !== "pagination loop" || name === "list" || name === "call");
    await Promise.all(
      meant.map(async ([name, args, forms]) => {
        for (const form of forms) await check(failure, failing.urls, name, args, form);
      }),
    );
  });
}

async function check(failure: Failure, urls: Urls, name: string, args: readonly string[], form: string): Promise<void> {
  const label = `${failure.name}, ${name} -o ${form}`;
  const mark = `mark-${randomUUID()}`;
  using folder = createFolder({ "m.json": JSON.stringify({ mcpServers: { it: failure.server(mark, urls) } }) });
  // Only those that say nothing use it up.
  const isSilent = ["hangs", "garbage on stdout", "malformed JSON-RPC"].includes(failure.name);
  const patience = isSilent ? "1500ms" : "20s";
  const startedAt = performance.now();
  await using proc = startScript("cli/main.ts", [...args, "-o", form, "--timeout", patience], { cwd: folder.path });
  const { code } = await proc.exited;
  const ms = performance.now() - startedAt;
  const told = `${label}\n${proc.stdout}\n${proc.stderr}`;
  assert.equal(code, failure.exit, told);
  assert.ok(ms < 15_000, `${label} took ${ms} ms`);
  await gone(mark, label);
  assert.ok(!`${proc.stdout}${proc.stderr}`.includes("\u001b"), told);
  if (name === "probe") return checkReport(failure, proc.stdout, form, told);
  // Pages of an endless listing left as they came.
  if (form !== "ndjson" || failure.name !== "pagination loop") assert.equal(proc.stdout, "", told);
  if (form === "json" || form === "ndjson") {
    const error = JSON.parse(proc.stderr);
    assert.equal(error.code, failure.code, told);
    assert.ok(error.cause !== "" && error.fix !== "" && error.message !== "", told);
    assert.equal(error.place.line, 1);
    return;
  }
  assert.match(proc.stderr, new RegExp(`^error\\[${failure.code}\\] it: `), told);
  for (const part of [/\n {2}at m\.json:1:\d+\n/, /\n {2}cause: \S/, /\n {2}fix: \S/, /\n {2}more: mcpctl explain E/])
    assert.match(proc.stderr, part, told);
}

/** What is wrong is the answer of a probe. */
function checkReport({ code }: Failure, stdout: string, form: string, told: string): void {
  if (form === "json") {
    const [server] = JSON.parse(stdout).servers;
    assert.equal(server.error.code, code, told);
    assert.ok(server.error.cause !== "" && server.error.fix !== "", told);
    return;
  }
  assert.match(stdout, new RegExp(`\\nerror\\[${code}\\] it: `), told);
  assert.match(stdout, /\n {2}cause: \S[^]*\n {2}fix: \S/, told);
}
