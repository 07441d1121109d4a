// The load generator: opens the sessions of a target and runs rounds of calls over them.

import { Eras } from "../backend/eras.ts";
import { decodeText } from "../core/text.ts";
import { asRecord } from "../core/text.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { every, Scope } from "../core/scope.ts";
import type { ServerFacts } from "../protocol/codec.ts";
import { type BenchCase, caseOrder, checkTools } from "./bench-cases.ts";
import { drive, type Launcher, type Load, type Stretch } from "./bench-drive.ts";
import { Latencies } from "./bench-histogram.ts";
import { type Outcome, Recorder, type Sample } from "./bench-record.ts";
import { BenchSession, type SessionCounts } from "./bench-session.ts";
import type { CallFacts } from "./bench-template.ts";
import { Evidence } from "./evidence.ts";
import { openPeer, type Patience } from "./peer.ts";
import type { Target } from "./target.ts";

export interface BenchOptions {
  readonly target: Target;
  readonly version: string;
  readonly cases: readonly BenchCase[];
  readonly sessions: number;
  /** Another era or revision than the config says. */
  readonly protocol?: string | undefined;
  readonly allowsWrites: boolean;
  /** Of one call. */
  readonly callMs: number;
  /** Calls whose time comes while so many are in flight are dropped. */
  readonly maxInFlight: number;
  /** What the server lets be seen while it is connected to. */
  readonly evidence?: Evidence;
  /** Hears of every call that is over. */
  readonly ended?: (sample: Sample, nonce: string, outcome: Outcome, reply: Uint8Array | undefined) => void;
}

export interface RoundOptions {
  readonly load: Load;
  readonly durationMs: number;
  readonly count: number;
  readonly warmupMs: number;
  readonly progress?: ((progress: Progress) => void) | undefined;
}

/** How a round is getting on. */
export interface Progress {
  readonly phase: "warm-up" | "run" | "drain";
  readonly elapsedMs: number;
  readonly inFlight: number;
  readonly recorder: Recorder;
}

export interface Round {
  readonly recorder: Recorder;
  /** Of the calls before; empty without a warm-up. */
  readonly warmup: Recorder;
  readonly lag: Latencies;
  /** From the beginning to the end of the last answer. */
  readonly elapsedMs: number;
  /** How long calls were started. */
  readonly drivenMs: number;
}

/** Handshakes and first calls, apart from what follows. */
export interface Cold {
  readonly open: Latencies;
  readonly first: Latencies;
}

const progressMs = 250;
const openAtOnce = 32;

export class Bench implements AsyncDisposable {
  readonly #options: BenchOptions;
  readonly #sessions: readonly BenchSession[];
  readonly #choose: (seq: number) => BenchCase | undefined;
  readonly #scope = new Scope();
  readonly counts: SessionCounts;
  readonly cold: Cold = { open: new Latencies(), first: new Latencies() };
  readonly #run = crypto.randomUUID().slice(0, 8);
  #seq = 0;
  #inFlight = 0;
  #idle: (() => void) | undefined;

  private constructor(options: BenchOptions) {
    const { target, version, protocol, sessions } = options;
    const eras = new Eras();
    const evidence = options.evidence ?? new Evidence();
    const counts = { opened: 0, lost: 0, reinitialised: 0, reconnected: 0 };
    const { replicas } = target.plan;
    this.counts = counts;
    this.#options = options;
    this.#choose = caseOrder(options.cases);
    this.#sessions = Array.from({ length: sessions }, (_, index) => {
      const replica = replicas[index % replicas.length];
      if (!replica) throw new GatewayError("internal", `${target.name} has no replica`);
      return new BenchSession({ target, replica, protocol, version, eras, evidence, counts });
    });
  }

  /** Checks what is to be called, opens all sessions and makes one call on each. */
  static async open(options: BenchOptions, patience: Patience): Promise<Bench> {
    const { target, version, protocol, cases, allowsWrites } = options;
    if (cases.some(({ tool }) => tool !== undefined)) {
      const evidence = options.evidence ?? new Evidence();
      const asking = { target, version, evidence, ...(protocol === undefined ? {} : { protocol }) };
      await using peer = await openPeer(asking, patience);
      await checkTools(peer, cases, allowsWrites, patience);
    }
    // A server that says nothing is not waited for longer than there is time.
    const { plan } = target;
    const connectMs = Math.max(1, Math.min(plan.connectMs, patience.until - Date.now()));
    const bench = new Bench({ ...options, target: { ...target, plan: { ...plan, connectMs } } });
    try {
      await bench.#openAll(patience.scope);
      return bench;
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #openAll(scope: Scope): Promise<void> {
    const recorder = new Recorder(1000);
    const queue = [...this.#sessions.entries()];
    const opener = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const [index, session] = next;
        const startedAt = performance.now();
        await scope.race(session.open());
        const openedAt = performance.now();
        this.cold.open.add(openedAt - startedAt);
        await this.#launch(openedAt, recorder, scope, index);
        this.cold.first.add(performance.now() - openedAt);
      }
    };
    await Promise.all(Array.from({ length: Math.min(openAtOnce, queue.length) }, opener));
  }

  /** What the server said of itself. */
  get facts(): ServerFacts | undefined {
    return this.#sessions[0]?.facts;
  }

  async round(options: RoundOptions, scope: Scope): Promise<Round> {
    const { load, durationMs, count, warmupMs, progress } = options;
    const sliceMs =
      durationMs === Infinity
        ? 250
        : Math.max(50, durationMs > 20_000 ? durationMs / 600 : 0, Math.min(1000, durationMs / 20));
    const warmup = new Recorder(Math.max(50, warmupMs));
    const recorder = new Recorder(sliceMs);
    const lag = new Latencies();
    const beganAt = performance.now();
    warmup.begin(beganAt);
    const warmLoad: Load = load.kind === "open" ? { kind: "open", rate: steady(load.rate) } : load;
    let phase: Progress["phase"] = warmupMs > 0 ? "warm-up" : "run";
    const tell = (): void =>
      progress?.({ phase, elapsedMs: performance.now() - beganAt, inFlight: this.#inFlight, recorder });
    const stop = progress ? every(progressMs, tell) : (): void => {};
    try {
      const warm: Stretch = { beganAt, durationMs: warmupMs, count: Infinity };
      if (warmupMs > 0) await drive(warmLoad, warm, this.#launcher(warmup, new Latencies(), scope), scope);
      phase = "run";
      const measured: Stretch = {
        beganAt: load.kind === "open" ? beganAt + warmupMs : performance.now(),
        durationMs,
        count,
      };
      recorder.begin(measured.beganAt);
      await drive(load, measured, this.#launcher(recorder, lag, scope), scope);
      const drivenMs = performance.now() - measured.beganAt;
      phase = "drain";
      await this.#drained(scope);
      return { recorder, warmup, lag, drivenMs, elapsedMs: performance.now() - measured.beganAt };
    } finally {
      stop();
    }
  }

  #launcher(recorder: Recorder, lag: Latencies, scope: Scope): Launcher {
    return { lag, launch: (intendedAt) => this.#launch(intendedAt, recorder, scope) };
  }

  async #launch(intendedAt: number, recorder: Recorder, scope: Scope, on?: number): Promise<boolean> {
    const { callMs, maxInFlight } = this.#options;
    if (this.#inFlight >= maxInFlight) {
      recorder.drop(intendedAt);
      return false;
    }
    const seq = this.#seq;
    this.#seq += 1;
    const index = on ?? seq % this.#sessions.length;
    const session = this.#sessions[index];
    const chosen = this.#choose(seq);
    if (!session || !chosen) return false;
    const facts: CallFacts = { seq, nonce: `${this.#run}-${seq}`, session: index };
    const sample: Sample = {
      seq,
      session: index,
      intendedAt,
      sentAt: 0,
      headAt: 0,
      endedAt: 0,
      isClosed: false,
      retried: false,
    };
    this.#inFlight += 1;
    recorder.start(sample);
    const patience = new Scope(scope, callMs, () => this.#late());
    let reply: Uint8Array | undefined;
    let outcome: Outcome;
    try {
      reply = await session.call(chosen.template(facts), sample, patience);
      outcome = judge(reply, chosen.tool !== undefined);
    } catch (error) {
      outcome = failed(patience.cancelled ? patience.reason : error);
    }
    patience[Symbol.dispose]();
    sample.endedAt = performance.now();
    recorder.end(sample, outcome);
    this.#options.ended?.(sample, facts.nonce, outcome, reply);
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#idle?.();
    return outcome.kind === "ok";
  }

  #late(): GatewayError {
    const text = `no answer within ${this.#options.callMs} ms`;
    return new GatewayError("callTimeout", text, { backend: this.#options.target.name });
  }

  /** Every call has its own time, so this ends. */
  async #drained(scope: Scope): Promise<void> {
    if (this.#inFlight === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    const release = scope.onCancel(() => resolve());
    await promise;
    release();
    this.#idle = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#scope.cancel();
    await Promise.all(this.#sessions.map((session) => session[Symbol.asyncDispose]()));
  }
}

function steady({ from, to }: { readonly from: number; readonly to: number }): { from: number; to: number } {
  const rate = from > 0 ? from : to;
  return { from: rate, to: rate };
}

const ok: Outcome = { kind: "ok" };
const isErrorKey = Buffer.from('"isError"');

/** An error of the server, and a tool's own, are no success. */
function judge(reply: Uint8Array, isTool: boolean): Outcome {
  const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength);
  const mayBeError = bytes.includes('"error"') || (isTool && bytes.includes(isErrorKey));
  if (!mayBeError) return ok;
  const { error, result } = asRecord(JSON.parse(decodeText(reply)));
  if (error !== undefined) {
    const { code, message, data } = asRecord(error);
    const id = asRecord(data)["code"];
    const name = `rpc ${String(code)}${typeof id === "string" ? ` ${id}` : ""}`;
    return { kind: "failed", class: name, message: String(message).slice(0, 300) };
  }
  if (!isTool || asRecord(result)["isError"] !== true) return ok;
  const { content } = asRecord(result);
  const first = Array.isArray(content) ? asRecord(content[0])["text"] : undefined;
  return { kind: "failed", class: "isError", message: typeof first === "string" ? first.slice(0, 300) : "" };
}

function failed(thrown: unknown): Outcome {
  const { code, row, message } = asGatewayError(thrown);
  return { kind: "failed", class: `${row.id} ${code}`, message };
}
