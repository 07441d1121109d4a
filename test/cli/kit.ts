// Command lines as people type them, run from the sources under the runtime of the test.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { runtimeCommand } from "../kit/process.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line to its end, without a terminal. */
export function mcpctl(args: readonly string[], cwd?: string, env: Readonly<Record<string, string>> = {}): Ended {
  const [command, options] = runtimeCommand("cli/main.ts", ...args);
  const { status, stdout, stderr } = spawnSync(command, options, {
    cwd: cwd ?? tmpdir(),
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout: 120_000,
  });
  return { code: status, stdout, stderr };
}

export interface Folder extends Disposable {
  readonly path: string;
}

/** A new folder with these files; `using` removes it. */
export function createFolder(files: Readonly<Record<string, string>> = {}): Folder {
  const path = mkdtempSync(join(tmpdir(), "mcpctl-cli-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 10 }) };
}
