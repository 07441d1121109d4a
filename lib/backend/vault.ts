// Small secrets that outlive the program: one sealed file each, for its owner alone, in a folder of the user's state.

import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { GatewayError } from "../core/errors.ts";
import { type Scope, sleep } from "../core/scope.ts";
import { Sealer } from "../core/seal.ts";
import { decodeText, isRecord } from "../core/text.ts";

export type Entry = Readonly<Record<string, unknown>>;
export type Environment = Readonly<Record<string, string | undefined>>;

const fileMode = 0o600;
const folderMode = 0o700;
const keyName = "seal.key";
const suffix = ".sealed";
/** Whoever holds a lock for longer has died. */
const staleMs = 60_000;
const lockStepMs = 15;

/** Where logins are kept. */
function vaultFolder(env: Environment = process.env): string {
  const home = env["HOME"] ?? env["USERPROFILE"] ?? homedir();
  return join(env["XDG_STATE_HOME"] || join(home, ".local", "state"), "mcpctl", "oauth");
}

/** A name for an entry that says nothing of what it is about. */
export function entryName(kind: string, ...parts: readonly string[]): string {
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return `${kind}-${digest.slice(0, 32)}`;
}

export class Vault {
  readonly #folder: string;
  readonly #sealKeys: readonly string[];
  #sealer: Sealer | undefined;

  /** Without keys it makes one of its own, beside what it seals. */
  constructor(sealKeys: readonly string[], folder: string = vaultFolder()) {
    this.#folder = folder;
    this.#sealKeys = sealKeys;
  }

  /** Changes with every write; undefined where there is no such entry. */
  stamp(name: string): string | undefined {
    try {
      const { ino, mtimeMs, size } = statSync(this.#file(name));
      return `${ino} ${mtimeMs} ${size}`;
    } catch {
      return undefined;
    }
  }

  /** Undefined where there is none, or it was sealed with other keys or under another name. */
  read(name: string): Entry | undefined {
    let text: string;
    try {
      text = readFileSync(this.#file(name), "utf8");
    } catch {
      return undefined;
    }
    const payload = this.#open().open(name, text.trim());
    const value: unknown = payload && JSON.parse(decodeText(payload));
    return isRecord(value) ? value : undefined;
  }

  write(name: string, entry: Entry): void {
    this.#attempt(() => {
      this.#prepare();
      this.#put(this.#file(name), this.#open().seal(name, JSON.stringify(entry)));
    });
  }

  remove(name: string): void {
    rmSync(this.#file(name), { force: true });
  }

  /** All entries of a kind that can be opened. */
  all(kind: string): readonly (readonly [name: string, entry: Entry])[] {
    let files: readonly string[];
    try {
      files = readdirSync(this.#folder);
    } catch {
      return [];
    }
    return files.flatMap((file) => {
      const name = file.endsWith(suffix) ? file.slice(0, -suffix.length) : "";
      const entry = name.startsWith(`${kind}-`) ? this.read(name) : undefined;
      return entry ? [[name, entry] as const] : [];
    });
  }

  /** Signs of a text that only holders of these keys can make; the first one is to be given away. */
  signs(purpose: string, text: string): readonly string[] {
    return this.#open().signs(purpose, text);
  }

  /** Works on an entry while nobody else does who keeps to this, in this process or another. */
  async exclusive<T>(name: string, scope: Scope, work: () => Promise<T>): Promise<T> {
    const lock = `${this.#file(name)}.lock`;
    while (!this.#take(lock)) await sleep(lockStepMs, scope);
    try {
      return await work();
    } finally {
      rmSync(lock, { force: true });
    }
  }

  #take(lock: string): boolean {
    return this.#attempt(() => {
      this.#prepare();
      try {
        writeFileSync(lock, String(process.pid), { flag: "wx", mode: fileMode });
        return true;
      } catch (error) {
        if (!isCode(error, "EEXIST")) throw error;
      }
      if (ageOf(lock) > staleMs) rmSync(lock, { force: true });
      return false;
    });
  }

  #open(): Sealer {
    // The own key opens what was sealed before there were others.
    this.#sealer ??= new Sealer([...this.#sealKeys, ...this.#ownKey()]);
    return this.#sealer;
  }

  #ownKey(): readonly string[] {
    const file = join(this.#folder, keyName);
    const known = readKey(file);
    if (known !== undefined) return [known];
    if (this.#sealKeys.length > 0) return [];
    return this.#attempt(() => {
      this.#prepare();
      const draft = `${file}.${process.pid}`;
      writeFileSync(draft, randomBytes(32).toString("base64url"), { mode: fileMode });
      try {
        // Whoever was first, all have the same one from then on.
        linkSync(draft, file);
      } catch (error) {
        if (!isCode(error, "EEXIST")) throw error;
      } finally {
        rmSync(draft, { force: true });
      }
      return [readKey(file) ?? ""];
    });
  }

  /** Whole or not at all: another process may read it meanwhile. */
  #put(file: string, text: string): void {
    const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
    try {
      writeFileSync(draft, text, { mode: fileMode, flag: "wx" });
      renameSync(draft, file);
    } finally {
      rmSync(draft, { force: true });
    }
  }

  #prepare(): void {
    mkdirSync(this.#folder, { recursive: true, mode: folderMode });
    if ((statSync(this.#folder).mode & 0o077) !== 0) chmodSync(this.#folder, folderMode);
  }

  #file(name: string): string {
    return join(this.#folder, name + suffix);
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const text = `logins cannot be kept in ${this.#folder}: ${why}; XDG_STATE_HOME says where else`;
      throw new GatewayError("vaultUnusable", text, { cause: error, data: { sent: false } });
    }
  }
}

function readKey(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}

function ageOf(file: string): number {
  try {
    return Date.now() - statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
