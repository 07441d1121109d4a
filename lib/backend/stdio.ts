// A backend as a child process: messages as lines on its stdin and stdout, its whole process group ended with it.

import type { ChildProcessWithoutNullStreams } from "node:child_process";
import process from "node:process";
import type { StdioReplicaPlan } from "../config/plan.ts";
import { childProcess } from "../core/builtins.ts";
import { GatewayError } from "../core/errors.ts";
import { after, Scope, sleep } from "../core/scope.ts";
import { maskOf, secretsOf } from "../core/secrets.ts";
import { allocate } from "../core/text.ts";
import { childEnvironment } from "./environment.ts";
import type { InFlight, StraightCall } from "./flight.ts";
import { foreignLine, LineSplitter } from "./lines.ts";
import { StderrTail } from "./stderr.ts";
import type { SendOutcome, Transport, TransportEvents } from "./transport.ts";
import type { StraightWay } from "./straight.ts";
import { LineWriter, type Outgoing } from "./writer.ts";

export interface StdioOptions {
  readonly backend: string;
  readonly replica: StdioReplicaPlan;
  readonly maxMessageBytes: number;
  readonly stderr: (line: string) => void;
  /** Something on stdout that is no message. */
  readonly stray: (what: string) => void;
  /** What the last words of the child are, where they say more than that it ended. */
  readonly failure?: ((backend: string, said: string) => GatewayError | undefined) | undefined;
}

/** 2025-11-25, Lifecycle, "Shutdown": stdin closed, then SIGTERM, then SIGKILL. */
const exitAfterEofMs = 2_000;
const exitAfterTermMs = 2_000;
/** What a grandchild that holds the pipes may still say after the child has exited. */
const drainAfterExitMs = 100;
/** Unread bytes on a child's stdin after which it counts as hung. */
const maxUnreadBytes = 64 * 2 ** 20;
/** Looked through for what it must not say; less of it is shown. */
const maxStrayBytes = 1024;
export async function openStdio(options: StdioOptions, events: TransportEvents, scope: Scope): Promise<Transport> {
  const { backend, replica } = options;
  const box = replica.sandbox && (await import("./sandbox.ts"));
  const start = box && replica.sandbox ? box.boxed(backend, replica, replica.sandbox) : replica;
  scope.throwIfCancelled();
  const child = childProcess().spawn(start.command, [...start.args], {
    cwd: replica.cwd,
    env: childEnvironment(replica),
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own, so that the grandchildren (npx, shells) end with it.
    detached: process.platform !== "win32",
    windowsHide: true,
  });
  // A later failure (of a signal) must not end the gateway.
  child.on("error", () => {});
  try {
    await scope.race(
      new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", reject);
      }),
    );
  } catch (error) {
    if (scope.cancelled) {
      // It may start all the same; nobody would end it.
      child.once("spawn", () => endGroup(child, "SIGKILL"));
      throw error;
    }
    const why = error instanceof Error ? error.message : String(error);
    const message = `backend "${backend}" could not be started: ${why}`;
    throw new GatewayError("spawnFailed", message, { backend, cause: error, data: { sent: false } });
  }
  return new ChildTransport(child, { ...options, failure: box?.boxFailure }, events);
}

/** A straight call on its way to the child. */
class StraightLine implements Outgoing {
  readonly message: Uint8Array;
  readonly flight: InFlight;
  readonly #transport: ChildTransport;

  constructor(transport: ChildTransport, flight: InFlight, message: Uint8Array) {
    this.#transport = transport;
    this.flight = flight;
    this.message = message;
  }

  get call(): number {
    return this.flight.upstream;
  }

  taken(): void {
    this.#transport.left(this, true);
  }

  refused(): void {
    this.#transport.left(this, false);
  }
}

class ChildTransport implements Transport, StraightWay {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #options: StdioOptions;
  readonly #events: TransportEvents;
  readonly #stderr: StderrTail;
  /** What it was given, it may say: others need not read that. */
  readonly #mask: (text: string) => string;
  readonly #exited = Promise.withResolvers<void>();
  readonly #finished = Promise.withResolvers<void>();
  readonly #startedAt = Date.now();
  readonly #kill = (): void => endGroup(this.#child, "SIGKILL");
  #closing: Promise<void> | undefined;
  #over = false;
  readonly #writer: LineWriter;
  #unreadBytes = 0;

  constructor(child: ChildProcessWithoutNullStreams, options: StdioOptions, events: TransportEvents) {
    this.#child = child;
    this.#options = options;
    this.#events = events;
    this.#mask = maskOf(secretsOf(options.replica));
    this.#stderr = new StderrTail(options.stderr, this.#mask);
    this.#writer = new LineWriter(child.stdin, () => this.#pipeEnded());
    const lines = new LineSplitter(
      options.maxMessageBytes,
      (line) => this.#line(line),
      () => this.#tooLong(),
    );
    child.stdout.on("data", (chunk: Uint8Array) => lines.push(chunk));
    child.stderr.on("data", (chunk: Uint8Array) => this.#stderr.push(chunk));
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on("error", () => {});
    child.stdout.once("end", () => {
      lines.end();
      this.#pipeEnded();
    });
    // The last words of a crash often have no line end.
    child.stderr.once("end", () => this.#stderr.end());
    child.once("exit", () => this.#exit());
    // A gateway that ends without closing its links (a second signal, a crash) must not leave the group behind.
    process.setMaxListeners(process.getMaxListeners() + 1);
    process.on("exit", this.#kill);
  }

  straight(): StraightWay | undefined {
    const isOpen = !this.#over && this.#child.stdin.writable;
    return isOpen && this.#unreadBytes <= maxUnreadBytes ? this : undefined;
  }

  carry(flight: InFlight, call: StraightCall): void {
    const message = allocate(call.size(flight.upstream));
    call.put(flight.upstream, message, 0);
    this.#unreadBytes += message.length;
    this.#writer.write(new StraightLine(this, flight, message));
  }

  /** A straight call was taken, or refused. */
  left({ message, flight }: StraightLine, isTaken: boolean): void {
    this.#unreadBytes -= message.length;
    if (isTaken) flight.owner.sent(flight, "open");
    else flight.owner.broken(flight, this.#ended(false));
  }

  send(message: Uint8Array, call: number | undefined, _scope: Scope): Promise<SendOutcome> {
    const { stdin } = this.#child;
    if (this.#over || !stdin.writable) return Promise.reject(this.#ended(false));
    if (this.#unreadBytes > maxUnreadBytes) {
      const text = `backend "${this.#options.backend}" does not read its input`;
      const data = { sent: false };
      return Promise.reject(new GatewayError("unavailable", text, { backend: this.#options.backend, data }));
    }
    this.#unreadBytes += message.length;
    return new Promise((resolve, reject) => {
      const taken = (): void => {
        this.#unreadBytes -= message.length;
        resolve(call === undefined ? "ended" : "open");
      };
      const refused = (): void => {
        this.#unreadBytes -= message.length;
        reject(this.#ended(false));
      };
      this.#writer.write({ message, call, taken, refused });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  negotiated(): void {}

  opened(): void {}

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  #line(line: Uint8Array): void {
    // Servers print banners to stdout; a line that cannot be a message must not cost a call.
    const first = line[0];
    if (first === 0x7b || first === 0x5b) return this.#events.message(line, undefined);
    const begin = Buffer.from(line.subarray(0, maxStrayBytes)).toString("utf8");
    this.#options.stray(`${foreignLine}: ${JSON.stringify(this.#mask(begin).slice(0, 80))}`);
  }

  #tooLong(): void {
    const { backend, maxMessageBytes } = this.#options;
    const text = `backend "${backend}" sent a message of over ${maxMessageBytes} bytes; raise limits.message`;
    this.#finish(new GatewayError("badProtocol", text, { backend, data: { sent: true } }));
    void this.close();
  }

  /** The server may end a link by closing its output (2025-11-25, Lifecycle, "Shutdown"); without an input it is no use either. */
  #pipeEnded(): void {
    after(drainAfterExitMs, () => this.#finish(this.#ended(true)));
    void this.close();
  }

  #exit(): void {
    this.#exited.resolve();
    // A message that is sent from now on reaches nobody, and can go to the next child.
    this.#events.retired(this.#ended(false));
    // The rest of stdout and the last words on stderr may come after the exit; a grandchild that keeps a pipe open must
    // not hold the verdict.
    const finish = (): void => this.#finish(this.#ended(true));
    const stop = after(drainAfterExitMs, finish);
    const outputs = [this.#child.stdout, this.#child.stderr];
    const check = (): void => {
      if (!outputs.every(({ readableEnded }) => readableEnded)) return;
      stop();
      finish();
    };
    for (const output of outputs) output.once("end", check);
    check();
    void this.close();
  }

  #finish(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    this.#finished.resolve();
    this.#events.closed(error, this.#writer.unsent);
  }

  #ended(sent: boolean): GatewayError {
    const { backend, failure } = this.#options;
    const { exitCode, signalCode } = this.#child;
    const how = signalCode
      ? `was ended by ${signalCode}`
      : exitCode === null
        ? "closed its output"
        : `exited with code ${exitCode}`;
    const lived = Date.now() - this.#startedAt;
    const said = this.#stderr.last;
    const why = failure?.(backend, said);
    if (why) return why;
    const message = `backend "${backend}" ${how} after ${lived} ms${said ? `; it said: ${said}` : ""}`;
    return new GatewayError("exited", message, { backend, data: { sent } });
  }

  async #end(): Promise<void> {
    const patience = new Scope();
    const exited = this.#exited.promise;
    this.#child.stdin.end();
    await Promise.race([exited, sleep(exitAfterEofMs, patience)]);
    endGroup(this.#child, "SIGTERM");
    if (!this.#hasExited) await Promise.race([exited, sleep(exitAfterTermMs, patience)]);
    // Also after a clean exit: what is left in the group would be an orphan.
    endGroup(this.#child, "SIGKILL");
    await exited;
    patience.cancel();
    process.off("exit", this.#kill);
    process.setMaxListeners(process.getMaxListeners() - 1);
    // What the child said last is still in its pipes: often the answer to the last call.
    await this.#finished.promise;
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }

  get #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

/** A signal to the child and all that it started; that there is none left is no error. */
function endGroup(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals): void {
  const { pid } = child;
  if (pid === undefined) return;
  try {
    if (process.platform === "win32") child.kill(signal);
    else process.kill(-pid, signal);
  } catch {
    // No process of the group is left.
  }
}
