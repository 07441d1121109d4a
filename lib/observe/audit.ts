// The audit log: one line of JSON for each call, each with a hash over itself and the line before, appended to a file.

import { hash as digest } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Flight } from "../core/flight.ts";
import type { Observer } from "../core/observer.ts";
import { after } from "../core/scope.ts";
import { asRecord } from "../core/text.ts";
import { AuditLines, origin } from "./audit-lines.ts";

/** What is written of one event; `time`, `seq` and `hash` come beside it. */
export type AuditEntry = Readonly<Record<string, unknown>>;

export interface AuditOptions {
  readonly file: string;
  /** A file that is larger gets a name with its time, and a new one begins. */
  readonly maxBytes: number;
  readonly observer: Observer;
}

/** What the disk has not taken; beyond that entries are counted, and not kept. */
const maxWaitingBytes = 64 * 2 ** 20;
/** Of a file that goes on: its last line is in here. */
const tailBytes = 1024 * 1024;
/** A process that is killed loses what came in this time. */
const gatherMs = 50;
/** Small, for the runtime may write while everybody waits. */
const pieceBytes = 64 * 1024;
/** Pieces that are kept to be filled again. */
const maxSpare = 4;

/** Lines that are written at once. */
interface Piece {
  readonly bytes: Buffer;
  filled: number;
  lines: number;
  /** What is behind them goes to a new file; the old one gets this at the end of its name. */
  aside: string | undefined;
}

export class AuditLog {
  readonly #options: AuditOptions;
  readonly #lines: AuditLines;
  /** What is filled now. */
  #piece: Piece = createPiece(Buffer.allocUnsafe(pieceBytes));
  readonly #full: Piece[] = [];
  readonly #spare: Buffer[] = [];
  #waitingBytes = 0;
  #lost = 0;
  /** Of the file, with what waits. */
  #fileBytes: number;
  #handle: FileHandle | undefined;
  #writing: Promise<void> | undefined;
  #stopWaiting: (() => void) | undefined;
  #isBroken = false;

  private constructor(options: AuditOptions, handle: FileHandle, { seq, hash, size }: AuditState) {
    this.#options = options;
    this.#handle = handle;
    this.#lines = new AuditLines(seq, hash);
    this.#fileBytes = size;
  }

  /** Goes on with the file where there is one. Rejects where it cannot be written. */
  static async open(options: AuditOptions): Promise<AuditLog> {
    const handle = await open(options.file, "a+", 0o600);
    const state = await readState(handle);
    const log = new AuditLog(options, handle, state);
    // A line that a crash has cut off must not run into the next one.
    if (state.isCut) await handle.appendFile("\n");
    log.#begin();
    log.#next();
    await log.#writing;
    return log;
  }

  write(entry: AuditEntry): void {
    this.writeJson(JSON.stringify(entry));
  }

  /** The same for an entry that is JSON already: an object with a member at least. */
  writeJson(entry: string): void {
    if (this.#takes()) this.#keep(this.#lines.entry(entry, Date.now()));
  }

  /** A call is over; `more`: as JSON, members of its line, each behind its comma. */
  called(flight: Flight, more: string = ""): void {
    if (this.#takes()) this.#keep(this.#lines.call(flight, more));
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    while (this.#waitingBytes > 0) {
      this.#next();
      await this.#writing;
    }
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #takes(): boolean {
    if (this.#waitingBytes > maxWaitingBytes) {
      this.#lost += 1;
      return false;
    }
    if (this.#lost === 0) return true;
    const lost = JSON.stringify({ event: "lost", entries: this.#lost });
    this.#lost = 0;
    this.#keep(this.#lines.entry(lost, Date.now()));
    return true;
  }

  #keep(length: number): void {
    this.#put(length);
    if (this.#fileBytes > this.#options.maxBytes) this.#putAside();
    // What comes in a short time is written at once: a write for each call would cost more than all the rest of it.
    this.#stopWaiting ??= after(gatherMs, () => {
      this.#stopWaiting = undefined;
      this.#next();
    });
  }

  #put(length: number): void {
    if (this.#piece.filled + length > this.#piece.bytes.length) this.#next(length);
    const piece = this.#piece;
    this.#lines.copy(length, piece.bytes, piece.filled);
    piece.filled += length;
    piece.lines += 1;
    this.#waitingBytes += length;
    this.#fileBytes += length;
  }

  /** Writes what there is, and fills another piece from here on, in which there is room for so much. */
  #next(length: number = 0): void {
    const piece = this.#piece;
    if (piece.filled === 0 && length <= piece.bytes.length) return;
    const spare = length <= pieceBytes ? this.#spare.pop() : undefined;
    this.#piece = createPiece(spare ?? Buffer.allocUnsafe(Math.max(pieceBytes, length)));
    if (piece.filled === 0) return;
    this.#full.push(piece);
    this.#writing ??= this.#writeAll();
  }

  #putAside(): void {
    this.#piece.aside = `${new Date().toISOString().replaceAll(":", "-")}.${this.#lines.seq}`;
    this.#next();
    this.#fileBytes = 0;
    this.#begin();
  }

  /** The first line of a file, or of a process, says what it follows. */
  #begin(): void {
    const { hash } = this.#lines;
    this.#put(this.#lines.entry(JSON.stringify({ event: "begin", prev: hash }), Date.now()));
  }

  /** One piece after another. */
  async #writeAll(): Promise<void> {
    for (let piece = this.#full.shift(); piece; piece = this.#full.shift()) {
      try {
        await this.#append(piece);
        this.#isBroken = false;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (!this.#isBroken) this.#options.observer.log("error", "gateway", `the audit log cannot be written: ${why}`);
        this.#isBroken = true;
      }
      this.#waitingBytes -= piece.filled;
      if (piece.bytes.length === pieceBytes && this.#spare.length < maxSpare) this.#spare.push(piece.bytes);
    }
    this.#writing = undefined;
  }

  async #append(piece: Piece): Promise<void> {
    const { file } = this.#options;
    try {
      this.#handle ??= await open(file, "a", 0o600);
      await this.#handle.appendFile(piece.bytes.subarray(0, piece.filled));
    } catch (error) {
      this.#lost += piece.lines;
      throw error;
    }
    if (piece.aside === undefined) return;
    await this.#handle.close();
    this.#handle = undefined;
    await rename(file, `${file}.${piece.aside}`);
  }
}

function createPiece(bytes: Buffer): Piece {
  return { bytes, filled: 0, lines: 0, aside: undefined };
}

/** How a file ends that goes on. */
interface AuditState {
  readonly seq: number;
  readonly hash: string;
  readonly size: number;
  /** Its last line is not whole. */
  readonly isCut: boolean;
}

async function readState(handle: FileHandle): Promise<AuditState> {
  const { size } = await handle.stat();
  const bytes = Buffer.alloc(Math.min(size, tailBytes));
  await handle.read(bytes, 0, bytes.length, size - bytes.length);
  const text = bytes.toString("utf8");
  const last = readLine(text.slice(text.lastIndexOf("\n", text.length - 2) + 1).trimEnd());
  return { seq: last?.seq ?? 0, hash: last?.hash ?? origin, size, isCut: size > 0 && !text.endsWith("\n") };
}

interface Line {
  readonly seq: number;
  readonly hash: string;
  readonly prev: string | undefined;
  /** What the hash is over. */
  readonly body: string;
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
  return digest("sha256", expected + body, "hex") === hash
    ? undefined
    : "it, or the line before, is not as it was written";
}
