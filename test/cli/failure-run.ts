// Runs cells of the table of failures, many at a time, and checks what every one of them must keep.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { errorTable } from "../../lib/core/errors.ts";
import { until } from "../e2e/kit.ts";
import { bunExecutable, type Proc, projectRoot, runtime, startProcess, startScript } from "../kit/process.ts";

/** How `mcpctl` is started: the binary that users run, and the sources where the runtime is another one. */
export interface Program extends Disposable {
  /** Of the binary; empty where there is none. */
  readonly path: string;
  start(args: readonly string[], cwd?: string): Proc;
}

export function buildProgram(): Program {
  if (runtime !== "bun")
    return {
      path: "",
      start: (args, cwd) => startScript("cli/main.ts", args, cwd === undefined ? {} : { cwd }),
      [Symbol.dispose]: () => {},
    };
  const folder = mkdtempSync(join(tmpdir(), "mcpctl-failures-"));
  // With its entry named it is not built twice, to find out in which order it is laid out best.
  const build = [join(projectRoot, "deploy/build.ts"), "--host", "--entry", "cli/main.ts", "--out", folder];
  execFileSync(bunExecutable(), build, { cwd: projectRoot, stdio: "pipe" });
  return {
    path: join(folder, "mcpctl"),
    start: (args, cwd) => startProcess(join(folder, "mcpctl"), args, { cwd: cwd ?? folder }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What has ended, and all that is needed to say what was wrong with it. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
  readonly told: string;
}

/** Much longer than any cell takes, and than the time that any is given. */
const watchdogMs = 120_000;

export async function runCell(program: Program, label: string, args: readonly string[], cwd?: string): Promise<Ended> {
  const startedAt = performance.now();
  await using proc = program.start(args, cwd);
  proc.end();
  const watchdog = setTimeout(() => proc.kill("SIGKILL"), watchdogMs);
  const { code, signal } = await proc.exited;
  clearTimeout(watchdog);
  const ms = performance.now() - startedAt;
  const told = `${label}: mcpctl ${args.join(" ")}\n${signal ?? `exit ${code}`} after ${ms.toFixed(0)} ms\n--- stdout\n${proc.stdout}\n--- stderr\n${proc.stderr}`;
  assert.equal(signal, null, told);
  // Colours are for terminals.
  assert.ok(!`${proc.stdout}${proc.stderr}`.includes("\u001b"), told);
  return { code, stdout: proc.stdout, stderr: proc.stderr, ms, told };
}

/** Does the work of all, so many at a time, in the order in which they came. */
export class Crew {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(places: number) {
    this.#free = places;
  }

  async do<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

/** The exit code of a command that ends with an error. */
export function exitOf(code: string): number {
  const row = Object.values(errorTable).find(({ id }) => id === code);
  assert.ok(row, code);
  return row.exit;
}

/** An error as people read it, or a script: its code, where, why, and what to do. */
export function assertError(stderr: string, code: string, form: string, told: string, server = false): void {
  const isUsage = exitOf(code) === 2;
  if (form === "json" || form === "ndjson") {
    const error = JSON.parse(stderr);
    assert.deepEqual([error.kind, error.code], ["Error", code], told);
    for (const part of ["message", "cause", "fix"]) assert.match(error[part], /\S/, told);
    if (server) assert.deepEqual([error.target, error.place.file, error.place.line], ["it", "m.json", 1], told);
    return;
  }
  assert.match(stderr, new RegExp(`^error\\[${code}\\] ${server ? "it: " : ""}\\S`), told);
  if (server) assert.match(stderr, /\n {2}at m\.json:1:\d+\n/, told);
  if (code !== "E2001") assert.match(stderr, /\n {2}cause: \S.*\n/, told);
  assert.match(stderr, /\n {2}fix: \S/, told);
  if (!isUsage) assert.match(stderr, new RegExp(`\\n {2}more: mcpctl explain ${code}\\n$`), told);
  assert.doesNotMatch(stderr, /^ +at .*\.[jt]s:\d+/m, told);
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

/** Fails where a process with this word is left; the kernel takes a moment to end those that were killed. */
export async function assertGone(mark: string): Promise<void> {
  await until(() => processesOf(mark).length === 0, "they are gone").catch(() => {
    const left = processesOf(mark);
    const lines = left.map((pid) => `${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")}`);
    for (const pid of left) process.kill(Number(pid), "SIGKILL");
    assert.fail(`processes are left: ${lines.join("\n").slice(0, 4000)}`);
  });
}
