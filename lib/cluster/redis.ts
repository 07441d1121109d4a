// Valkey or Redis as the place where gateway processes meet; it comes and goes, and they go on without it.

import { randomBytes } from "node:crypto";
import { createClient } from "@redis/client";
import type { ClusterPlan } from "../config/rules-cluster.ts";
import type { Lease, LeaseTerms, Wire, WireState } from "../core/wire.ts";

/** An engine that takes longer for one command is as good as gone. */
const commandMs = 2_000;
const connectMs = 2_000;
const pingMs = 2_000;
const firstRetryMs = 100;
const maxRetryMs = 2_000;

/** A bucket of tokens that fills up as time passes, by the clock of the engine. */
const leaseScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local calls, per, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(bucket[1]) or calls
local at = tonumber(bucket[2]) or now
tokens = math.min(calls, tokens + math.max(0, now - at) * calls / per)
local granted = math.min(want, math.floor(tokens))
redis.call('HSET', KEYS[1], 'tokens', tostring(math.min(calls, tokens - granted)), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil(per) + 1000)
local wait = 0
if want > 0 and granted < 1 then wait = math.ceil((1 - tokens) * per / calls) end
return { granted, wait }
`;

type Client = ReturnType<typeof open>;

function open(url: string) {
  return createClient({
    url,
    // What cannot be sent now is decided about by who sends it.
    disableOfflineQueue: true,
    pingInterval: pingMs,
    commandOptions: { timeout: commandMs },
    socket: {
      connectTimeout: connectMs,
      socketTimeout: pingMs + commandMs,
      reconnectStrategy: (retries: number) =>
        Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(retries, 10)) * (0.75 + Math.random() / 4),
    },
  });
}

export class RedisWire implements Wire {
  readonly node: string = randomBytes(4).toString("hex");
  readonly label: string;
  readonly #prefix: string;
  /** One sends, the other hears: a connection that hears does nothing else. */
  readonly #sender: Client;
  readonly #hearer: Client;
  #state: WireState = { kind: "away", since: Date.now(), why: "it is not connected yet" };
  #changed: (state: WireState) => void = () => {};
  #isClosed = false;

  constructor({ url, prefix }: ClusterPlan) {
    const { protocol, host } = new URL(url);
    this.label = `${protocol}//${host}`;
    this.#prefix = prefix;
    this.#sender = open(url);
    this.#hearer = open(url);
  }

  get state(): WireState {
    return this.#state;
  }

  start(hear: (text: string) => void, changed: (state: WireState) => void): void {
    this.#changed = changed;
    for (const client of [this.#sender, this.#hearer]) {
      client.on("error", (error: unknown) => this.#away(error));
      client.on("end", () => this.#away(new Error("the connection has ended")));
    }
    this.#sender.on("ready", () => this.#look());
    this.#hearer.on("ready", () => void this.#listen(hear));
    void this.#sender.connect().catch((error: unknown) => this.#away(error));
    void this.#hearer.connect().catch((error: unknown) => this.#away(error));
  }

  async send(node: string | undefined, text: string): Promise<number> {
    return await this.#sender.publish(node === undefined ? this.#all : this.#own(node), text);
  }

  async count(): Promise<number> {
    return (await this.#sender.pubSubNumSub([this.#all]))[this.#all] ?? 0;
  }

  async read(key: string): Promise<Readonly<Record<string, string>>> {
    return { ...(await this.#sender.hGetAll(this.#key(key))) };
  }

  async write(key: string, fields: Readonly<Record<string, string>>, ttlMs: number): Promise<void> {
    await Promise.all([
      this.#sender.hSet(this.#key(key), { ...fields }),
      this.#sender.pExpire(this.#key(key), Math.ceil(ttlMs)),
    ]);
  }

  async erase(key: string, fields: readonly string[]): Promise<void> {
    await this.#sender.hDel(this.#key(key), [...fields]);
  }

  async lease(key: string, { calls, perMs }: LeaseTerms, want: number): Promise<Lease> {
    const options = { keys: [this.#key(key)], arguments: [String(calls), String(perMs), String(want)] };
    const answer: unknown = await this.#sender.eval(leaseScript, options);
    const [granted, waitMs] = Array.isArray(answer) ? answer.map(Number) : [];
    return { granted: granted ?? 0, waitMs: waitMs ?? 0 };
  }

  async add(key: string, amount: number, ttlMs: number): Promise<number> {
    const [total] = await Promise.all([
      this.#sender.incrByFloat(this.#key(key), amount),
      this.#sender.pExpire(this.#key(key), Math.ceil(ttlMs)),
    ]);
    return Number(total);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // What was sent last has left before.
    if (this.#sender.isReady) await this.#sender.close().catch(() => {});
    else if (this.#sender.isOpen) this.#sender.destroy();
    if (this.#hearer.isOpen) this.#hearer.destroy();
  }

  get #all(): string {
    return `${this.#prefix}:all`;
  }

  #own(node: string): string {
    return `${this.#prefix}:node:${node}`;
  }

  #key(key: string): string {
    return `${this.#prefix}:${key}`;
  }

  /** The client subscribes again by itself after a connection was lost; the first time it must be told. */
  async #listen(hear: (text: string) => void): Promise<void> {
    try {
      await this.#hearer.unsubscribe();
      await this.#hearer.subscribe([this.#all, this.#own(this.node)], (text) => hear(text));
      this.#look();
    } catch (error) {
      this.#away(error);
    }
  }

  #look(): void {
    if (this.#state.kind === "up" || !this.#sender.isReady || !this.#hearer.isReady) return;
    this.#become({ kind: "up", since: Date.now() });
  }

  #away(error: unknown): void {
    if (this.#isClosed) return;
    const why = error instanceof Error ? error.message || error.name : String(error);
    if (this.#state.kind === "up") this.#become({ kind: "away", since: Date.now(), why });
    else this.#state = { ...this.#state, why };
  }

  #become(state: WireState): void {
    this.#state = state;
    this.#changed(state);
  }
}
