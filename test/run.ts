// Runs every test file under Bun and then under Deno, each in a process of its own, and sums what they report.
// Usage: bun test/run.ts [--only bun|deno] [files…]

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { addTally, emptyTally, formatTally, judge, type Outcome, type RuntimeName, type Tally } from "./kit/tally.ts";

interface Job {
  readonly runtime: RuntimeName;
  readonly file: string;
}

const root = resolve(import.meta.dirname, "..");
const fileTimeoutMs = 10 * 60_000;
const parallelFiles = 2;
/** Of a file that failed, what it printed last is printed again at the end: logs are read, and cut, from there. */
const lastLines = 60;

// Bun stops a test after 5 s by default, Deno never does; the limit per file is enough for both.
const argumentsOf: Readonly<Record<RuntimeName, readonly string[]>> = {
  bun: ["test", `--timeout=${fileTimeoutMs}`],
  deno: ["test", "--allow-all", "--no-check", "--no-lock", "--node-modules-dir=manual"],
};

// The pinned runtimes, not what happens to be in PATH.
const programOf = (runtime: RuntimeName): string => join(root, "node_modules/.bin", runtime);

const running = new Set<ChildProcess>();

/** Ends the process and what it started; a test that hangs or forgets a server must not outlive its file. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
}

async function runFile({ runtime, file }: Job, live: boolean): Promise<Outcome> {
  const child = spawn(programOf(runtime), [...argumentsOf[runtime], `./${file}`], {
    cwd: root,
    detached: true,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
      if (live) process.stdout.write(text);
    });
  }
  const timer = setTimeout(() => {
    output.stderr += `\n${file} did not end within ${fileTimeoutMs / 1000} s\n`;
    endGroup(child);
  }, fileTimeoutMs);
  const closed = once(child, "close");
  const [code] = await once(child, "exit");
  clearTimeout(timer);
  endGroup(child);
  // A process that left the group may hold the pipes open for ever: its output is not waited for.
  await Promise.race([closed, new Promise((done) => setTimeout(done, 1000).unref())]);
  running.delete(child);
  return { ...output, code: typeof code === "number" ? code : null };
}

interface Result {
  readonly tally: Tally;
  readonly output: string;
}

async function runJobs(jobs: readonly Job[], workers: number, live: boolean): Promise<Map<Job, Result>> {
  const results = new Map<Job, Result>();
  const queue = jobs.values();
  const work = async (): Promise<void> => {
    for (const job of queue) {
      const startedAt = performance.now();
      if (live) console.log(`\n── ${job.runtime} ${job.file}`);
      const outcome = await runFile(job, live);
      const { tally, problem } = judge(job.runtime, outcome);
      const output = tally.failed > 0 ? `${outcome.stdout}${outcome.stderr}` : "";
      results.set(job, { tally, output });
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      if (!live) process.stdout.write(`\n${outcome.stdout}${outcome.stderr}`);
      console.log(
        `── ${job.runtime} ${job.file}: ${formatTally(tally)} in ${seconds} s${problem ? `; ${problem}` : ""}`,
      );
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return results;
}

function findFiles(): string[] {
  const files = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => `test/${file.replaceAll("\\", "/")}`)
    .sort();
}

function readArguments(): { runtimes: RuntimeName[]; named: string[] } {
  const { values, positionals } = parseArgs({ options: { only: { type: "string" } }, allowPositionals: true });
  const { only } = values;
  if (only !== undefined && only !== "bun" && only !== "deno") throw new Error(`--only is bun or deno, not ${only}`);
  const named = positionals.map((file) => relative(root, resolve(file)));
  const missing = named.find((file) => !existsSync(join(root, file)));
  if (missing !== undefined) throw new Error(`there is no file ${missing}`);
  const runtimes: RuntimeName[] = only ? [only] : ["bun", "deno"];
  const absent = runtimes.find((runtime) => !existsSync(programOf(runtime)));
  if (absent !== undefined) throw new Error(`${absent} is not installed; run npm ci or bun install first`);
  return { runtimes, named };
}

async function main(): Promise<number> {
  const { runtimes, named } = readArguments();
  const live = named.length > 0;
  const files = live ? named : findFiles();
  const jobs = runtimes.flatMap((runtime) => files.map((file): Job => ({ runtime, file })));
  // What measures time has the machine to itself.
  const alone = (job: Job): boolean => job.file.startsWith("test/bench/");
  const results = new Map([
    ...(await runJobs(
      jobs.filter((job) => !alone(job)),
      live ? 1 : parallelFiles,
      live,
    )),
    ...(await runJobs(jobs.filter(alone), 1, live)),
  ]);
  console.log("");
  for (const [job, { tally, output }] of results) {
    if (tally.failed === 0) continue;
    if (!live) console.log(output.trimEnd().split("\n").slice(-lastLines).join("\n"));
    console.log(`failed: ${job.runtime} ${job.file}`);
  }
  const sumOf = (runtime: RuntimeName): Tally =>
    [...results]
      .filter(([job]) => job.runtime === runtime)

      .reduce((sum, [, { tally }]) => addTally(sum, tally), emptyTally);
  const sums = runtimes.map(sumOf);
  for (const [index, runtime] of runtimes.entries())
    console.log(`${runtime}: ${formatTally(sums[index] ?? emptyTally)}`);
  const total = sums.reduce(addTally, emptyTally);
  console.log(formatTally(total));
  return total.failed > 0 || sums.some((sum) => sum.passed === 0) ? 1 : 0;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    for (const child of running) endGroup(child);
    process.exit(signal === "SIGINT" ? 130 : 143);
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
