// Starts and ends the programs of a bench run: by pid, with logs in the run's own folder, none left behind.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, delimiter, join, resolve } from "node:path";
import process from "node:process";

export const projectRoot: string = resolve(import.meta.dirname, "../..");

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** A program that runs. Its stdin stays open until `stop` or `finish`: the bench's own programs end with it. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  /** The next line on its stdout, where that was not sent to the log. */
  line(): Promise<string>;
  stop(): Promise<void>;
  /** Ends its stdin and waits. */
  finish(): Promise<void>;
}

/** The programs and files of one run. */
export class Stage implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "mcpctl-bench-"));
  readonly #children = new Set<ChildProcess>();

  /** Starts a program whose output goes to a log. */
  start(name: string, command: string, args: readonly string[], options: StartOptions = {}): Program {
    return this.#start(name, command, args, options, false);
  }

  /** Starts a program whose stdout is read line by line. */
  open(name: string, command: string, args: readonly string[], options: StartOptions = {}): Program {
    return this.#start(name, command, args, options, true);
  }

  /** Runs a program to its end and gives its stdout, whatever its exit code is; throws when it says nothing. */
  async run(command: string, args: readonly string[], options: StartOptions = {}): Promise<string> {
    const env = { ...process.env, ...options.env };
    const child = spawn(command, args, { detached: true, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#children.add(child);
    const [output, complaint] = [collect(child, "stdout"), collect(child, "stderr")];
    const [code] = await once(child, "close");
    this.#children.delete(child);
    if (output.text !== "") return output.text;
    throw new Error(`${basename(command)} ${args[0] ?? ""} ended with ${String(code)}: ${complaint.text.trim()}`);
  }

  /** At once, for signals and the time limit. */
  killAll(): void {
    for (const { pid } of this.#children) {
      try {
        // The group, because the workers of an nginx outlive their master.
        if (pid !== undefined) process.kill(-pid, "SIGKILL");
      } catch {
        // It has ended in this moment.
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children].map(end));
    rmSync(this.folder, { recursive: true, force: true });
  }

  #start(name: string, command: string, args: readonly string[], options: StartOptions, piped: boolean): Program {
    const log = openSync(join(this.folder, `${name}.log`), "a");
    const child = spawn(command, args, {
      cwd: this.folder,
      detached: true,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", piped ? "pipe" : log, log],
    });
    this.#children.add(child);
    child.on("error", () => {});
    child.on("exit", () => this.#children.delete(child));
    child.stdin?.on("error", () => {});
    if (child.pid === undefined) throw new Error(`${command} cannot be started`);
    const output = collect(child, "stdout");
    return {
      name,
      pid: child.pid,
      line: () => nextLine(child, output, name),
      stop: () => end(child),
      finish: async () => {
        child.stdin?.end();
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      },
    };
  }
}

interface Collected {
  text: string;
}

function collect(child: ChildProcess, stream: "stdout" | "stderr"): Collected {
  const collected = { text: "" };
  child[stream]?.setEncoding("utf8").on("data", (text: string) => (collected.text += text));
  return collected;
}

async function nextLine(child: ChildProcess, output: Collected, name: string): Promise<string> {
  while (!output.text.includes("\n")) {
    if (child.exitCode !== null || child.stdout === null) throw new Error(`${name} ended before it said something`);
    await Promise.race([once(child.stdout, "data"), once(child, "close")]);
  }
  const end = output.text.indexOf("\n");
  const line = output.text.slice(0, end);
  output.text = output.text.slice(end + 1);
  return line;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
  await exited;
  clearTimeout(timer);
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms));

/** A port that nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** The path of a program on the PATH or in the folders of the system's own; `undefined` where it is missing. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/bin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Runs a tool to its end; throws with what it said if it failed. */
export function runTool(command: string, args: readonly string[], cwd: string = projectRoot): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) return `${stdout}${stderr}`;
  throw new Error(
    `${basename(command)} ${args[0] ?? ""} failed: ${error?.message ?? `${stdout}${stderr}`.trim().slice(-2000)}`,
  );
}
