// Declares the tests of the table of failures: each cell is run, and checked as its form wants it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { runtime } from "../kit/process.ts";
import { startFailing, type Urls } from "./failing.ts";
import {
  assertError,
  assertGone,
  buildProgram,
  Crew,
  type Ended,
  exitOf,
  type Program,
  runCell,
} from "./failure-run.ts";
import { type CommandRow, commands, type Failure } from "./failure-table.ts";
import { createFolder } from "./kit.ts";

export const limits = { timeout: 280_000 };

export interface World {
  readonly program: Program;
  readonly urls: Urls;
  /** Of a process that may be stopped. */
  readonly pid: number;
}

/** Ends with the test file. */
export async function openWorld(): Promise<World> {
  const program = buildProgram();
  const failing = await startFailing();
  const bystander = spawn("sleep", ["600"], { stdio: "ignore" });
  after(async () => {
    bystander.kill("SIGKILL");
    await failing[Symbol.asyncDispose]();
    program[Symbol.dispose]();
  });
  return { program, urls: failing.urls, pid: bystander.pid ?? 0 };
}

/** Those that work, and those that wait until their time is over: the one does not hold up the other. */
export const workers: Crew = new Crew(6);
export const waiters: Crew = new Crew(80);
/** Long enough on a machine that has much else to do for a server to print its first line. */
const patienceMs = 8_000;
/** Never waited for. */
export const neverMs = 100_000;

/** Users run what Bun compiles: every form. Deno proves the same code: each failure and each command, on the diagonal. */
const pairs = ["table", "json"];
export const formsOf = ({ forms }: CommandRow, place: number, isVariant = false): readonly string[] => {
  if (runtime === "bun") return isVariant ? ["json"] : forms;
  if (place % 3 !== 0) return [];
  const some = forms.filter((form) => pairs.includes(form) || form === "yaml");
  return some.slice(place % some.length).slice(0, 1);
};

interface Cell {
  readonly failure: Failure;
  readonly command: CommandRow;
  readonly form: string;
  readonly mark: string;
}

const isSilentTo = ({ isSilent, except }: Failure, { name }: CommandRow): boolean =>
  isSilent === true && except?.[name] === undefined;

async function runOne({ failure, command, form, mark }: Cell, { program, urls, pid }: World): Promise<void> {
  const server = { ...failure.server(mark, urls) };
  const isAsked = command.name === "login" && "url" in server;
  const it = isAsked ? { ...server, auth: "oauth" } : server;
  using folder = createFolder({
    "m.json": JSON.stringify({ backends: { it } }),
    "mcp.lock": JSON.stringify({ version: 1, backends: {} }),
  });
  const isSilent = isSilentTo(failure, command);
  const timeoutMs = isSilent ? patienceMs : neverMs;
  const words = command.args.map((word) => word.replace("PID", String(pid)));
  const args = [...words, "-o", form, "--timeout", `${timeoutMs}ms`];
  const ended = await runCell(program, `${failure.name}, ${command.name} -o ${form}`, args, folder.path);
  // What fails at once is told at once; what hangs is told when the time is over, and not much later.
  assert.ok(isSilent ? ended.ms >= patienceMs - 500 : ended.ms < neverMs, ended.told);
  checkOutcome(failure, command, form, ended);
}

function checkOutcome(failure: Failure, command: CommandRow, form: string, ended: Ended): void {
  const outcome = failure.except?.[command.name] ?? failure.code;
  const { code, stdout, stderr, told } = ended;
  if (outcome === "fine") {
    // Which of two equals is slower is chance.
    assert.ok(code === 0 || (code === 1 && command.name === "bench compare"), told);
    assert.doesNotMatch(stderr, /error/, told);
    return;
  }
  if (command.answers === "probe") return checkProbe(failure, outcome, form, ended);
  if (command.answers === "validation") return checkValidation(failure, outcome, form, ended);
  assert.ok(outcome !== "warns", told);
  assert.equal(code, exitOf(outcome), told);
  // Pages of an endless listing leave as they come.
  if (form !== "ndjson" || failure.name !== "pagination loop") assert.equal(stdout, "", told);
  // A login is about an account, and a word that is wrong about no server.
  assertError(stderr, outcome, form, told, command.name !== "login" && exitOf(outcome) !== 2);
}

/** What is wrong is the answer of a probe. */
function checkProbe({ code: id }: Failure, outcome: string, form: string, { code, stdout, stderr, told }: Ended): void {
  const isWarning = outcome === "warns";
  const exit = isWarning ? 0 : exitOf(id);
  const state = isWarning ? "degraded" : exit === 5 ? "auth" : "down";
  assert.equal(code, form === "nagios" ? (isWarning ? 1 : 2) : exit, told);
  switch (form) {
    case "json":
    case "ndjson": {
      const said = JSON.parse(stdout);
      const [server] = said.servers ?? [said];
      assert.equal(server.state, state, told);
      if (isWarning) return assert.match(server.warnings[0].text, new RegExp(`^${id} \\S`), told);
      assert.equal(server.error.code, id, told);
      return assert.ok(server.error.cause !== "" && server.error.fix !== "", told);
    }
    case "yaml":
      return assert.match(stdout, new RegExp(isWarning ? `text: .*${id} ` : `\n +code: ${id}\n`), told);
    case "name":
      return assert.equal(stdout, "", told);
    case "nagios":
      return assert.match(stdout, new RegExp(`^MCP ${isWarning ? "WARNING" : "CRITICAL"} - .*${id}.* \\| .*\n$`), told);
    case "prometheus":
      return assert.match(
        stdout,
        new RegExp(`^mcpctl_probe_up\\{server="it",replica="0"\\} ${isWarning ? 1 : 0}$`, "m"),
        told,
      );
    default:
      if (isWarning) return assert.match(stdout, new RegExp(`\n *warning: .*${id} \\S`), told);
      assert.match(stdout, new RegExp(`error\\[${id}\\] it: `), told);
      assert.match(stdout, /\n {2}cause: \S[^]*\n {2}fix: \S/, told);
      return assert.equal(stderr, "", told);
  }
}

/** And of a validation: the config is not as it should be. */
function checkValidation({ code: id }: Failure, outcome: string, form: string, ended: Ended): void {
  const { code, stdout, stderr, told } = ended;
  const severity = outcome === "warns" ? "warning" : "error";
  assert.equal(code, severity === "error" ? 1 : 0, told);
  switch (form) {
    case "json":
    case "ndjson": {
      const all =
        form === "json"
          ? JSON.parse(stdout).problems
          : stdout
              .trim()
              .split("\n")
              .map((line) => JSON.parse(line));
      const problem = all.find((each: { readonly code: string }) => each.code === id);
      assert.deepEqual([problem?.severity, problem?.file, problem?.line], [severity, "m.json", 1], told);
      return assert.ok(problem.cause !== "" && problem.fix !== "" && problem.message !== "", told);
    }
    case "table":
    case "wide":
      assert.match(
        stderr,
        new RegExp(`(?:^|\\n)m\\.json:1:\\d+ ${severity}\\[${id}\\] it: .*\n {2}cause: \\S.*\n {2}fix: \\S`),
        told,
      );
      return assert.equal(stdout, severity === "error" ? "" : "m.json: valid, 1 backend\n", told);
    default:
      return assert.ok(stdout.includes(id), told);
  }
}

/** One test for each failure; all cells begin now, and each test waits for its own. */
export function testFailures(some: readonly Failure[], world: World): void {
  for (const [row, failure] of some.entries()) {
    const mark = `mark-${randomUUID()}`;
    const cells = commands.flatMap((command, column) =>
      formsOf(command, row + column, failure.isVariant).map((form): Cell => ({ failure, command, form, mark })),
    );
    const done = Promise.allSettled(
      cells.map((cell) => (isSilentTo(failure, cell.command) ? waiters : workers).do(() => runOne(cell, world))),
    );
    test(`failures: ${failure.name}, in ${cells.length} ways`, limits, async () => {
      for (const outcome of await done) if (outcome.status === "rejected") throw outcome.reason;
      await assertGone(mark);
    });
  }
}
