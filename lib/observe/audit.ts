// The audit log: one line of JSON for each call, each with a hash over itself and the line before, appended to a file.

import { hash as digest } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Observer } from "../core/observer.ts";
import { after } from "../core/scope.ts";
import { asRecord } from "../core/text.ts";

/** What is written of one event; `time`, `seq` and `hash` come beside it. */
export type AuditEntry = Readonly<Record<string, unknown>>;

export interface AuditOptions {
  readonly file: string;
  /** A file that is larger gets a name with its time, and a new one begins. */
  readonly maxBytes: number;
  readonly observer: Observer;
}

/** What the disk has not taken; beyond that entries are counted, and not kept. */
const maxWaitingChars = 64 * 2 ** 20;
/** Of a file that goes on: its last line is in here. */
const tailBytes = 1024 * 1024;
/** A process that is killed loses what came in this time. */
const gatherMs = 50;
const origin = "0".repeat(64);

export class AuditLog {
  readonly #options: AuditOptions;
  readonly #waiting: string[] = [];
  #waitingChars = 0;
  #lost = 0;
  #seq = 0;
  #hash = origin;
  #now = 0;
  /** As text, which many entries share. */
  #time = "";
  #bytes = 0;
  #handle: FileHandle | undefined;
  #writing: Promise<void> | undefined;
  #stopWaiting: (() => void) | undefined;
  #isBroken = false;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Goes on with the file where there is one. Rejects where it cannot be written. */
  static async open(options: AuditOptions): Promise<AuditLog> {
    const log = new AuditLog(options);
    await log.#open();
    return log;
  }

  write(entry: AuditEntry): void {
    this.writeJson(JSON.stringify(entry));
  }

  /** The same for an entry that is JSON already: an object with a member at least. */
  writeJson(entry: string): void {
    if (this.#waitingChars > maxWaitingChars) {
      this.#lost += 1;
      return;
    }
    if (this.#lost > 0) {
      this.#keep(JSON.stringify({ event: "lost", entries: this.#lost }));
      this.#lost = 0;
    }
    this.#keep(entry);
    this.#schedule();
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    while (this.#waiting.length > 0 || this.#writing) await (this.#writing ?? this.#flush());
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #keep(entry: string): void {
    const now = Date.now();
    if (now !== this.#now) this.#time = new Date(now).toISOString();
    this.#now = now;
    const body = `{"time":"${this.#time}",${entry.slice(1)}`;
    this.#waiting.push(body);
    this.#waitingChars += body.length;
  }

  /** Lines get their numbers and hashes as they are written, so that the first one of a file can come between them. */
  #lineOf(entry: string): string {
    this.#seq += 1;
    const body = `{"seq":${this.#seq},${entry.slice(1)}`;
    this.#hash = hashOf(this.#hash, body);
    return `${body.slice(0, -1)},"hash":"${this.#hash}"}\n`;
  }

  /** What comes in a short time is written at once: a write for each call would cost more than all the rest of it. */
  #schedule(): void {
    if (this.#stopWaiting || this.#writing) return;
    this.#stopWaiting = after(gatherMs, () => {
      this.#stopWaiting = undefined;
      void this.#flush();
    });
  }

  #flush(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      if (this.#waiting.length > 0) this.#schedule();
    });
    return this.#writing;
  }

  /** Writes what waits; what comes meanwhile is gathered for the next time. */
  async #writeAll(): Promise<void> {
    const entries = this.#waiting.splice(0);
    this.#waitingChars = 0;
    let written = 0;
    let safe = 0;
    try {
      while (written < entries.length) {
        const lines: string[] = [];
        for (let bytes = this.#bytes; written < entries.length && bytes <= this.#options.maxBytes; written += 1) {
          const line = this.#lineOf(entries[written] ?? "{}");
          lines.push(line);
          bytes += line.length;
        }
        await this.#append(lines.join(""));
        safe = written;
        if (this.#bytes > this.#options.maxBytes) await this.#rotate();
      }
      this.#isBroken = false;
    } catch (error) {
      this.#lost += entries.length - safe;
      const why = error instanceof Error ? error.message : String(error);
      if (!this.#isBroken) this.#options.observer.log("error", "gateway", `the audit log cannot be written: ${why}`);
      this.#isBroken = true;
    }
  }

  async #append(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await this.#handle?.appendFile(bytes);
    this.#bytes += bytes.length;
  }

  async #rotate(): Promise<void> {
    const { file } = this.#options;
    await this.#handle?.close();
    await rename(file, `${file}.${new Date().toISOString().replaceAll(":", "-")}.${this.#seq}`);
    this.#handle = await open(file, "a", 0o600);
    this.#bytes = 0;
    await this.#begin("");
  }

  async #open(): Promise<void> {
    const { file } = this.#options;
    this.#handle = await open(file, "a+", 0o600);
    const { size } = await this.#handle.stat();
    this.#bytes = size;
    const tail = Buffer.alloc(Math.min(size, tailBytes));
    await this.#handle.read(tail, 0, tail.length, size - tail.length);
    const text = tail.toString("utf8");
    const last = readLine(text.slice(text.lastIndexOf("\n", text.length - 2) + 1).trimEnd());
    if (last) {
      this.#seq = last.seq;
      this.#hash = last.hash;
    }
    // A line that a crash has cut off must not run into the next one.
    await this.#begin(size > 0 && !text.endsWith("\n") ? "\n" : "");
  }

  /** The first line of a file, or of a process, says what it follows. */
  async #begin(before: string): Promise<void> {
    const entry = { time: new Date().toISOString(), event: "begin", prev: this.#hash };
    await this.#append(before + this.#lineOf(JSON.stringify(entry)));
  }
}

interface Line {
  readonly seq: number;
  readonly hash: string;
  readonly prev: string | undefined;
  /** What the hash is over. */
  readonly body: string;
}

function hashOf(before: string, body: string): string {
  return digest("sha256", before + body, "hex");
}

function readLine(text: string): Line | undefined {
  const [, start, hash = ""] = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/s.exec(text) ?? [];
  if (start === undefined) return undefined;
  const body = `${start}}`;
  try {
    const { seq, event, prev } = asRecord(JSON.parse(body));
    if (typeof seq !== "number") return undefined;
    return { seq, hash, body, prev: event === "begin" && typeof prev === "string" ? prev : undefined };
  } catch {
    return undefined;
  }
}

export interface AuditVerdict {
  readonly lines: number;
  /** Of the last line: to compare with what was noted elsewhere, for lines that are cut off at the end leave no trace. */
  readonly hash: string;
  /** Where the chain breaks first; undefined where it holds. */
  readonly broken: { readonly file: string; readonly line: number; readonly why: string } | undefined;
}

/** Whether the lines of these files, in this order, are all there, and as they were written. */
export async function verifyAudit(files: readonly string[]): Promise<AuditVerdict> {
  let before: { readonly seq: number; readonly hash: string } | undefined;
  let lines = 0;
  for (const file of files) {
    let at = 0;
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      at += 1;
      const line = readLine(text);
      const why = line ? whyBroken(line, before) : "it is no line of an audit log";
      if (!line || why !== undefined)
        return { lines, hash: before?.hash ?? "", broken: { file, line: at, why: why ?? "" } };
      before = line;
      lines += 1;
    }
  }
  return { lines, hash: before?.hash ?? "", broken: undefined };
}

function whyBroken(
  { seq, hash, prev, body }: Line,
  before: { seq: number; hash: string } | undefined,
): string | undefined {
  const expected = before?.hash ?? prev;
  if (expected === undefined) return "the lines before it are missing";
  if (before && seq !== before.seq + 1) return `its number is ${seq}, and that of the line before ${before.seq}`;
  return hashOf(expected, body) === hash ? undefined : "it, or the line before, is not as it was written";
}
