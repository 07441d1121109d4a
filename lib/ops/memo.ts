// Small facts that commands remember between runs: one file of JSON each, in the user's own folders.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { asRecord } from "../core/text.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
export type Entries = Readonly<Record<string, unknown>>;

/** A file in the folder that a variable names, or else in one below the user's home. */
export class Memo {
  readonly #variable: string;
  readonly #fallback: readonly string[];
  readonly #name: string;

  constructor(variable: string, fallback: readonly string[], name: string) {
    this.#variable = variable;
    this.#fallback = fallback;
    this.#name = name;
  }

  /** What was kept; nothing where there is no such file, or one that cannot be read. */
  read(env: Environment): Entries {
    try {
      return asRecord(JSON.parse(readFileSync(this.#file(env), "utf8")));
    } catch {
      return {};
    }
  }

  /** Puts these in the place of what was kept; where that fails, nothing is said. */
  write(entries: Entries, env: Environment): void {
    const file = this.#file(env);
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      // Whole or not at all: another command may read it meanwhile.
      const draft = `${file}.${process.pid}`;
      writeFileSync(draft, `${JSON.stringify(entries, undefined, 2)}\n`, { mode: 0o600 });
      renameSync(draft, file);
    } catch {
      // A home without room, or none at all.
    }
  }

  #file(env: Environment): string {
    const home = env["HOME"] ?? env["USERPROFILE"] ?? homedir();
    return join(env[this.#variable] ?? join(home, ...this.#fallback), "mcpctl", this.#name);
  }
}
