// Several processes of this program on one port, under one supervisor: started, replaced when they end, and exchanged one
// by one for new ones.

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { type Channel, Exchange } from "./cluster/ipc.ts";
import { Memory } from "./cluster/memory.ts";
import type { Observer } from "./core/observer.ts";
import { Scope, sleep } from "./core/scope.ts";
import { type Exchanged, type WorkerTerms, workerVariable } from "./crew.ts";
import { WorkerMetrics } from "./worker-metrics.ts";

export interface WorkerOptions {
  readonly count: number;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly observer: Observer;
}

const firstRestartMs = 100;
const maxRestartMs = 10_000;
/** One that has lived for so long did not end because of its start. */
const provenMs = 30_000;
/** A worker that is not ready by then is not waited for any longer. */
const readyMs = 30_000;
const keptRounds = 16;

interface Worker extends Channel {
  readonly child: ChildProcess;
  readonly startedAt: number;
  readonly listens: Promise<number>;
  readonly ready: Promise<void>;
  readonly ended: Promise<number>;
}

export class Workers {
  readonly #options: WorkerOptions;
  readonly #memory = new Memory();
  readonly #exchange = new Exchange(this.#memory, (operation, words) => this.#answer(operation, words));
  readonly #metrics: WorkerMetrics;
  readonly #sealKey = randomBytes(32).toString("base64url");
  readonly #scope = new Scope();
  readonly #places: (Worker | undefined)[] = [];
  /** Those that were exchanged, and finish what they have begun. */
  readonly #leaving = new Set<Worker>();
  #port: number | undefined;
  #exchanging: Promise<void> = Promise.resolve();
  /** The last of them, by round. */
  readonly #rounds = new Map<number, Exchanged>();
  #lastRound = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#metrics = new WorkerMetrics(options.observer);
  }

  /** Runs them until {@link stop}; resolves to the exit code: not 0 where the first one could not start. */
  async run(): Promise<number> {
    const first = this.#start(0);
    const port = await Promise.race([first.listens, first.ended.then(() => undefined)]);
    if (port === undefined) return (await first.ended) || 1;
    this.#port = port;
    const others = Array.from({ length: this.#options.count - 1 }, (_, at) => at + 1);
    for (const place of others) this.#start(place);
    await Promise.all([0, ...others].map((place) => this.#keep(place)));
    await Promise.all([...this.#leaving].map(({ ended }) => ended));
    await this.#metrics.close();
    this.#memory[Symbol.dispose]();
    return 0;
  }

  /** Passes a signal on to all of them. */
  signal(name: NodeJS.Signals): void {
    for (const worker of [...this.#places, ...this.#leaving]) if (worker) kill(worker, name);
  }

  /** Lets them end; none is started any more. */
  stop(): void {
    this.#scope.cancel();
    this.signal("SIGTERM");
  }

  /** Exchanges them one by one: a new one is ready before the one in its place leaves. Resolves when all are new. */
  exchange(): Promise<void> {
    this.#lastRound += 1;
    const round = this.#lastRound;
    this.#rounds.set(round, { round, state: "running", fresh: 0, count: this.#options.count });
    this.#rounds.delete(round - keptRounds);
    this.#exchanging = this.#exchanging.then(() => this.#exchangeAll(round));
    return this.#exchanging;
  }

  #answer(operation: string, [first]: readonly unknown[]): unknown {
    if (operation === "metrics") return this.#metrics.write(String(first));
    if (operation !== "exchange") return undefined;
    if (typeof first === "number") return this.#rounds.get(first);
    void this.exchange();
    return this.#rounds.get(this.#lastRound);
  }

  #became(round: number, change: Pick<Exchanged, "state" | "fresh"> & { readonly why?: string }): void {
    this.#rounds.set(round, { round, count: this.#options.count, ...change });
  }

  async #exchangeAll(round: number): Promise<void> {
    const { observer, count } = this.#options;
    for (let place = 0; place < count; place += 1) {
      const why = this.#scope.cancelled ? "the gateway is shutting down" : await this.#exchangeOne(place);
      if (why !== undefined) {
        observer.log("error", "gateway", why);
        return this.#became(round, { state: "failed", fresh: place, why });
      }
      observer.log("info", "gateway", `worker ${place} was exchanged`);
      this.#became(round, { state: place + 1 === count ? "done" : "running", fresh: place + 1 });
    }
  }

  /** Resolves to why it could not be done. */
  async #exchangeOne(place: number): Promise<string | undefined> {
    const before = this.#places[place];
    const next = this.#start(place);
    using patience = new Scope(this.#scope, readyMs);
    const isReady = await patience
      .race(Promise.race([next.ready.then(() => true), next.ended.then(() => false)]))
      .catch(() => false);
    if (!isReady) {
      kill(next, "SIGTERM");
      this.#places[place] = before;
      return `a new worker ${place} did not start; the one before it stays`;
    }
    if (!before) return undefined;
    this.#leaving.add(before);
    kill(before, "SIGTERM");
    void before.ended.then(() => this.#leaving.delete(before));
    await this.#scope.race(before.ended).catch(() => {});
    return undefined;
  }

  /** Starts the worker of a place again whenever it ends. */
  async #keep(place: number): Promise<void> {
    let waitMs = firstRestartMs;
    for (;;) {
      const worker = this.#places[place];
      if (!worker) return;
      const code = await worker.ended;
      if (this.#scope.cancelled) return;
      // Another one has its place.
      if (this.#places[place] !== worker) continue;
      waitMs = Date.now() - worker.startedAt > provenMs ? firstRestartMs : Math.min(maxRestartMs, waitMs * 2);
      const { observer } = this.#options;
      observer.log("error", "gateway", `worker ${place} ended (${code}); it is started again in ${waitMs} ms`);
      await sleep(waitMs, this.#scope).catch(() => {});
      if (this.#scope.cancelled) return;
      if (this.#places[place] === worker) this.#start(place);
    }
  }

  #start(place: number): Worker {
    const [program = "", ...args] = this.#options.command;
    const child = spawn(program, args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, [workerVariable]: "1" },
    });
    const listens = Promise.withResolvers<number>();
    const ready = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<number>();
    const worker: Worker = {
      child,
      startedAt: Date.now(),
      listens: listens.promise,
      ready: ready.promise,
      ended: ended.promise,
      say: (words) => void (child.connected && child.send([...words], () => {})),
    };
    child.on("message", (words: unknown) => {
      if (!Array.isArray(words)) return;
      if (this.#exchange.take(worker, words) || this.#metrics.take(worker, words)) return;
      const [what, value]: readonly unknown[] = words;
      if (what === "hello") {
        const { count } = this.#options;
        const terms: WorkerTerms = { place, count, port: this.#port, sealKey: this.#sealKey };
        worker.say(["terms", terms]);
      } else if (what === "listening") listens.resolve(Number(value));
      else if (what === "ready") ready.resolve();
    });
    child.on("error", () => ended.resolve(70));
    child.on("exit", (code, signal) => {
      this.#exchange.leave(worker);
      this.#metrics.leave(worker);
      ended.resolve(code ?? (signal ? 1 : 0));
    });
    this.#metrics.join(worker, place);
    this.#places[place] = worker;
    return worker;
  }
}

function kill({ child }: Worker, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined && child.exitCode === null) process.kill(child.pid, signal);
  } catch {
    // It has ended in this moment.
  }
}
