// A hand-written MCP server, without an SDK, that misbehaves as its flags say: `raw-server.ts stdio|http [flags]`.
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { outcomeOf } from "./raw-answers.ts";
import type { RawOptions } from "./raw-answers.ts";
import { serveRawHttp } from "./raw-http.ts";

const { positionals, values } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    /** Never answers initialize. */
    silent: { type: "boolean", default: false },
    /** Never answers tools/list. */
    "hang-list": { type: "boolean", default: false },
    /** stdio: lines that are no JSON before every message; HTTP: HTML instead of JSON. */
    garbage: { type: "boolean", default: false },
    /** Exits when it hears `notifications/initialized`. */
    "exit-after-init": { type: "boolean", default: false },
    /** tools/list in this many pages of one tool each. */
    pages: { type: "string", default: "0" },
    /** With --pages: the next cursor is always the first page. */
    "loop-cursor": { type: "boolean", default: false },
    /** Every tool answers like `raw`. */
    bigint: { type: "boolean", default: false },
    /** Starts a `sleep` in its process group; the tool `pid` names it. */
    grandchild: { type: "boolean", default: false },
    /** Appends every received line or body to this file. */
    record: { type: "string" },
    /** Outlives SIGTERM and the end of its input, for two minutes. */
    "ignore-sigterm": { type: "boolean", default: false },
    /** The protocol version it answers with, whatever it was asked for. */
    version: { type: "string" },
    /** HTTP: a session is unknown after this many requests. */
    "session-loss": { type: "string", default: "0" },
    /** HTTP: answers every POST with this status and an HTML page. */
    status: { type: "string", default: "0" },
    /** HTTP: redirects /mcp to /mcp/ with 307. */
    redirect: { type: "boolean", default: false },
    /** HTTP: the stream of a tool call ends after an event id; a GET with Last-Event-ID gives the answer. */
    cut: { type: "boolean", default: false },
    /** HTTP: answers every request with an event stream. */
    sse: { type: "boolean", default: false },
    /** HTTP: 405 on GET. */
    "no-get": { type: "boolean", default: false },
    /** Waits before every answer but the one to initialize. */
    delay: { type: "string", default: "0" },
    /** Names of its tools, separated by commas. */
    tools: { type: "string", default: "echo,raw,pid,hang,reset" },
    name: { type: "string", default: "raw" },
    instructions: { type: "string" },
    /** Writes this many lines of 100 bytes to stderr at its start. */
    "stderr-lines": { type: "string", default: "0" },
    port: { type: "string", default: "0" },
  },
});

const options: RawOptions = {
  silent: values.silent,
  hangList: values["hang-list"],
  garbage: values.garbage,
  exitAfterInit: values["exit-after-init"],
  pages: Number(values.pages),
  loopCursor: values["loop-cursor"],
  bigint: values.bigint,
  version: values.version,
  name: values.name,
  delayMs: Number(values.delay),
  tools: values.tools.split(","),
  instructions: values.instructions,
  grandchildPid: values.grandchild ? startGrandchild() : undefined,
};

process.stderr.write(`${"e".repeat(99)}\n`.repeat(Number(values["stderr-lines"])));
if (values["ignore-sigterm"]) {
  process.on("SIGTERM", () => {});
  // Long enough for any test, and no orphan for ever if a test run is aborted.
  setTimeout(() => process.exit(1), 120_000);
}
if (positionals[0] === "http") {
  const port = Number(values.port);
  const sessionLoss = Number(values["session-loss"]);
  const { sse, redirect, cut } = values;
  const flags = { sse, redirect, cut, noGet: values["no-get"], status: Number(values.status) };
  const url = await serveRawHttp({ ...options, ...flags, port, sessionLoss, record });
  process.stdout.write(`listening ${url}\n`);
  // Set by the kit: a test that was aborted leaves no server behind.
  if (process.env["EXIT_WITH_STDIN"] === "1") process.stdin.resume().on("end", () => process.exit(0));
} else {
  let rest = "";
  // Not by readline, for which U+2028 in a text is the end of a line.
  process.stdin.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      record(line);
      if (line.trim() !== "") reply(line).catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
    }
  });
  process.stdin.on("end", () => {
    if (!values["ignore-sigterm"]) process.exit(0);
  });
}

async function reply(line: string): Promise<void> {
  const outcome = outcomeOf(line, options);
  if (outcome.kind === "exit") process.exit(0);
  if (outcome.kind === "drop") process.exit(1);
  if (outcome.kind !== "answer") return;
  if (outcome.afterMs > 0) await pause(outcome.afterMs);
  if (options.garbage) process.stdout.write("Starting server…\n\n{broken\n[1,2\nnull\n");
  process.stdout.write(`${outcome.text}\n`);
}

function record(message: string): void {
  if (values.record !== undefined) appendFileSync(values.record, `${message}\n`);
}

function startGrandchild(): number | undefined {
  const child = spawn("sleep", ["300"], { stdio: "ignore" });
  child.unref();
  return child.pid;
}
