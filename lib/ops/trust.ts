// Which configs may start processes: those that somebody has agreed to, by path and content.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import type { BackendPlan } from "../config/plan.ts";
import { asRecord } from "../core/text.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const maxKept = 1000;

/** One word for these files as they are now. */
export function digestOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) {
    hash.update(`${file}\0`);
    try {
      hash.update(readFileSync(file));
    } catch {
      // A file that is gone says something else than one that is there.
      hash.update("\0gone");
    }
    hash.update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

/** True where using these backends runs something, or sends what the file takes from the environment. */
export function needsTrust(backends: readonly BackendPlan[]): boolean {
  return backends.some(({ replicas }) =>
    replicas.some(
      (replica) => replica.kind === "stdio" || Object.keys(replica.headers).length > 0 || replica.auth !== undefined,
    ),
  );
}

export function isTrusted(digest: string, env: Environment): boolean {
  return Object.hasOwn(read(env), digest);
}

/** Remembers it; where that fails, the question comes again. */
export function keepTrust(digest: string, files: readonly string[], env: Environment): void {
  const entries = Object.entries({ ...read(env), [digest]: files.join(", ") }).slice(-maxKept);
  const file = storeOf(env);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`, { mode: 0o600 });
    renameSync(draft, file);
  } catch {
    // A home without room, or none at all.
  }
}

function read(env: Environment): Readonly<Record<string, unknown>> {
  try {
    return asRecord(JSON.parse(readFileSync(storeOf(env), "utf8")));
  } catch {
    return {};
  }
}

function storeOf(env: Environment): string {
  const home = env["HOME"] ?? env["USERPROFILE"] ?? homedir();
  return join(env["XDG_STATE_HOME"] ?? join(home, ".local", "state"), "mcpctl", "trust.json");
}
