// Child processes for tests, under the runtime that runs the test: start, wait for a line, write, kill by pid.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json. */
export const projectRoot: string = fileURLToPath(new URL("../..", import.meta.url));

/** Which runtime runs this test. */
export const runtime: "bun" | "deno" = "deno" in process.versions ? "deno" : "bun";

/** The command that runs a TypeScript file (a path, absolute or from the project's root) as this test is run. */
export function runtimeCommand(script: string, ...args: string[]): [string, string[]] {
  const path = join(projectRoot, script.startsWith(projectRoot) ? script.slice(projectRoot.length) : script);
  return [process.execPath, [...(runtime === "deno" ? ["run", "-A", "--no-check"] : []), path, ...args]];
}

/** The Bun executable, also while Deno runs the test. */
export function bunExecutable(): string {
  return runtime === "bun" ? process.execPath : join(projectRoot, "node_modules", ".bin", "bun");
}

export interface StartOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Makes the child the leader of its own process group. */
  readonly detached?: boolean;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export type OutputName = "stdout" | "stderr";

const defaultTimeoutMs = 60_000;

/** A running child process; `await using` ends it. */
export class Proc implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #output: Record<OutputName, string> = { stdout: "", stderr: "" };
  readonly #waiting = new Set<() => void>();
  readonly #failure: { error?: Error } = {};
  #ended: Exit | undefined;
  readonly exited: Promise<Exit>;

  constructor(command: string, args: readonly string[], options: StartOptions = {}) {
    this.#child = spawn(command, args, {
      cwd: options.cwd ?? projectRoot,
      env: { ...process.env, ...options.env },
      detached: options.detached ?? false,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#collect("stdout");
    this.#collect("stderr");
    // A child that is gone before its input is read is the test's subject, not its failure.
    this.#child.stdin?.on("error", () => {});
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        this.#ended ??= exit;
        this.#wake();
        resolve(this.#ended);
      };
      this.#child.on("error", (error) => {
        this.#failure.error = error;
        end({ code: null, signal: null });
      });
      this.#child.on("close", (code, signal) => end({ code, signal }));
    });
  }

  /** The process id; 0 if it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stdout(): string {
    return this.#output.stdout;
  }

  get stderr(): string {
    return this.#output.stderr;
  }

  /** How it ended, or `undefined` while it runs. */
  get exit(): Exit | undefined {
    return this.#ended;
  }

  /** Waits for the first complete line that matches, and gives the match; looks at earlier output too. */
  line(pattern: RegExp, from: OutputName = "stdout", timeoutMs: number = defaultTimeoutMs): Promise<RegExpExecArray> {
    const find = (): RegExpExecArray | undefined => {
      for (const line of this.#output[from].split("\n").slice(0, -1)) {
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
      return undefined;
    };
    return this.#when(find, () => `${String(pattern)} on ${from}`, timeoutMs);
  }

  /** Writes to the child's standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Closes the child's standard input. */
  end(): void {
    this.#child.stdin?.end();
  }

  /** Sends a signal to this process alone. */
  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    if (this.#ended !== undefined || this.pid === 0) return;
    try {
      // Deno's ChildProcess.kill sends nothing a second time, so SIGKILL after SIGTERM would be lost.
      process.kill(this.pid, signal);
    } catch {
      // It has ended and its exit is about to be reported.
    }
  }

  /** Asks it to end, and ends it if it has not done so in time. */
  async stop(graceMs: number = 5000): Promise<Exit> {
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.exited;
  }

  #collect(name: OutputName): void {
    this.#child[name]?.setEncoding("utf8");
    this.#child[name]?.on("data", (chunk: string) => {
      this.#output[name] += chunk;
      this.#wake();
    });
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }

  #when<T>(find: () => T | undefined, what: () => string, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        settle();
      };
      const report = (why: string): Error =>
        new Error(`no ${what()}: ${why}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`, {
          cause: this.#failure.error,
        });
      const check = (): void => {
        const found = find();
        if (found !== undefined) finish(() => resolve(found));
        else if (this.#ended !== undefined) finish(() => reject(report(`exited with ${JSON.stringify(this.#ended)}`)));
      };
      const timer = setTimeout(() => finish(() => reject(report(`${timeoutMs} ms passed`))), timeoutMs);
      this.#waiting.add(check);
      check();
    });
  }
}

/** Starts a program. */
export function startProcess(command: string, args: readonly string[], options: StartOptions = {}): Proc {
  return new Proc(command, args, options);
}

/** Starts a TypeScript file of the project under the runtime of this test. */
export function startScript(script: string, args: readonly string[] = [], options: StartOptions = {}): Proc {
  return new Proc(...runtimeCommand(script, ...args), options);
}

/** A server of the kit over HTTP, with the URL that it printed. */
export interface HttpServerProcess extends AsyncDisposable {
  readonly proc: Proc;
  readonly url: string;
}

/** Starts `fixture-server.ts http` or `raw-server.ts http` and waits until it listens. */
export function startHttpServer(
  script: string = "test/kit/fixture-server.ts",
  args: readonly string[] = [],
): Promise<HttpServerProcess> {
  return startListening(script, ["http", ...args]);
}

/** Starts `fixture-server.ts sse` and waits until it listens. */
export function startSseServer(...args: string[]): Promise<HttpServerProcess> {
  return startListening("test/kit/fixture-server.ts", ["sse", ...args]);
}

async function startListening(script: string, args: readonly string[]): Promise<HttpServerProcess> {
  const proc = startScript(script, args, { env: { EXIT_WITH_STDIN: "1" } });
  const [, url = ""] = await proc.line(/^listening (http:\S+)$/);
  return { proc, url, [Symbol.asyncDispose]: () => proc[Symbol.asyncDispose]() };
}

/** True while a process with this id exists; a zombie that nobody has reaped is not alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !isZombie(pid);
}

/** Whether `/proc` calls it a zombie; false where there is no `/proc`. */
export function isZombie(pid: number): boolean {
  try {
    return /^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
