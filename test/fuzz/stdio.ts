// The front on stdin and stdout under lines that nobody sends by mistake: each line that comes back must be a message.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rawStdio } from "../e2e/kit.ts";
import { runtimeCommand } from "../kit/process.ts";
import { Messages } from "./messages.ts";
import { mutate, Random } from "./random.ts";
import { assertQuiet, growthOf, isMessage, memoryOf, type Outcome } from "./watch.ts";

/** Lines between two calls whose answers are waited for: the backend has them all by then, and so does not fall behind. */
const batch = 200;
const patienceMs = 20_000;

const settings = {
  backends: { time: { ...rawStdio("--tools", "now"), timeouts: { call: "2s" } } },
  limits: { body: "64KiB", sessions: 100 },
};

/** A gateway on stdin and stdout, whose every line is looked at. */
class Pipe implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #folder: string = mkdtempSync(join(tmpdir(), "fuzz-"));
  readonly #answered = new Map<string, () => void>();
  stderr = "";
  #rest = "";
  lines = 0;

  constructor() {
    const config = join(this.#folder, "mcpctl.json");
    writeFileSync(config, JSON.stringify(settings));
    const [command, args] = runtimeCommand("cli/main.ts", "serve", "--stdio", "-c", config);
    this.child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdin?.on("error", () => {});
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    this.child.stderr
      ?.setEncoding("utf8")
      .on("data", (text: string) => (this.stderr = (this.stderr + text).slice(-100_000)));
  }

  /** Writes bytes and a call behind them; resolves when that is answered. */
  async write(bytes: Buffer, mark: string): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#answered.set(mark, resolve));
    const params = '{"name":"time__now","arguments":{}}';
    const call = `{"jsonrpc":"2.0","id":"${mark}","method":"tools/call","params":${params}}\n`;
    this.child.stdin?.write(Buffer.concat([bytes, Buffer.from(call)]));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no answer to ${mark}; ${this.stderr.slice(-2000)}\n${bytes.toString("latin1")}`)),
        patienceMs,
      );
    });
    await Promise.race([answered, late]);
    clearTimeout(timer);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      this.lines += 1;
      assert.ok(isMessage(line), `no message on stdout: ${line.slice(0, 300)}`);
      const [, mark] = /^\{"jsonrpc":"2\.0","id":"(fuzz-mark-\d+)","result"/.exec(line) ?? [];
      if (mark === undefined) continue;
      this.#answered.get(mark)?.();
      this.#answered.delete(mark);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
    this.child.stdin?.end();
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 15_000);
    if (this.child.exitCode === null && this.child.signalCode === null) await ended;
    clearTimeout(timer);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function fuzzStdio(total: number, seed: number): Promise<Outcome> {
  await using pipe = new Pipe();
  const random = new Random(seed);
  const messages = new Messages(random, seed);
  const greeting =
    '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"f","version":"1"}}}\n';
  await pipe.write(Buffer.from(greeting), "fuzz-mark-0");
  const memory: number[] = [];
  const startedAt = performance.now();
  let sent = 0;
  for (let round = 1; sent < total; round += 1) {
    const lines: Buffer[] = [];
    for (let at = 0; at < batch; at += 1) lines.push(lineOf(random, messages), Buffer.from("\n"));
    await pipe.write(Buffer.concat(lines), `fuzz-mark-${round}`);
    sent += batch;
    if (Math.floor((sent * 20) / total) > memory.length) memory.push(memoryOf(pipe.child.pid ?? 0));
    assert.equal(pipe.child.exitCode, null, pipe.stderr);
  }
  assertQuiet(pipe.stderr);
  return {
    title: "stdin and stdout",
    sent,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    counts: { "lines that came back": pipe.lines },
    memory,
    growth: growthOf(memory, sent),
  };
}

/** Without line ends inside: those would only make it several lines. */
function lineOf(random: Random, messages: Messages): Buffer {
  if (random.once(50)) return Buffer.from(random.bytes(random.below(200)).filter((byte) => byte !== 0x0a));
  if (random.once(2_000)) return Buffer.alloc(70_000, "x");
  const line = messages.fromClient();
  return Buffer.from((random.once(10) ? mutate(random, line, line) : line).filter((byte) => byte !== 0x0a));
}
