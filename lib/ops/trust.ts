// Which configs may start processes: those that somebody has agreed to, by path and content.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { BackendPlan } from "../config/plan.ts";
import { type Environment, Memo } from "./memo.ts";

const memo = new Memo("XDG_STATE_HOME", [".local", "state"], "trust.json");
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
  return Object.hasOwn(memo.read(env), digest);
}

/** Remembers it; where that fails, the question comes again. */
export function keepTrust(digest: string, files: readonly string[], env: Environment): void {
  const entries = Object.entries({ ...memo.read(env), [digest]: files.join(", ") }).slice(-maxKept);
  memo.write(Object.fromEntries(entries), env);
}
