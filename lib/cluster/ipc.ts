// The workers of one supervisor: messages go through it, and it keeps what they keep together.

import { randomBytes } from "node:crypto";
import { Scope } from "../core/scope.ts";
import { asRecord } from "../core/text.ts";
import type { Lease, LeaseTerms, Wire, WireState } from "../core/wire.ts";
import type { Memory } from "./memory.ts";

/** What two processes say to each other: lists, whose first item says what they are. */
export interface Channel {
  say(words: readonly unknown[]): void;
}

/** A supervisor that takes longer is as good as gone. */
const answerMs = 2_000;

/** The end of a worker. */
export class IpcWire implements Wire {
  readonly node: string = randomBytes(4).toString("hex");
  readonly label = "the supervisor of the workers";
  readonly state: WireState = { kind: "up", since: Date.now() };
  readonly #channel: Channel;
  readonly #asked = new Map<number, (value: unknown) => void>();
  #lastId = 0;
  #hear: (text: string) => void = () => {};

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  start(hear: (text: string) => void): void {
    this.#hear = hear;
    void this.ask("join", this.node).catch(() => {});
  }

  /** What the supervisor said; false where it is of no concern here. */
  take([what, first, second]: readonly unknown[]): boolean {
    if (what === "heard") this.#hear(String(first));
    else if (what === "reply") this.#asked.get(Number(first))?.(second);
    else return false;
    return true;
  }

  async send(node: string | undefined, text: string): Promise<number> {
    return Number(await this.ask("send", node ?? "", text));
  }

  async count(): Promise<number> {
    return Number(await this.ask("count"));
  }

  async read(key: string): Promise<Readonly<Record<string, string>>> {
    return textsOf(await this.ask("read", key));
  }

  async write(key: string, fields: Readonly<Record<string, string>>, ttlMs: number): Promise<void> {
    await this.ask("write", key, fields, ttlMs);
  }

  async erase(key: string, fields: readonly string[]): Promise<void> {
    await this.ask("erase", key, fields);
  }

  async lease(key: string, { calls, perMs }: LeaseTerms, want: number): Promise<Lease> {
    const { granted, waitMs } = asRecord(await this.ask("lease", key, calls, perMs, want));
    return { granted: Number(granted), waitMs: Number(waitMs) };
  }

  async add(key: string, amount: number, ttlMs: number): Promise<number> {
    return Number(await this.ask("add", key, amount, ttlMs));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Rejects where the supervisor does not answer in time. */
  async ask(operation: string, ...words: readonly unknown[]): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = new Promise((resolve) => this.#asked.set(id, resolve));
    using scope = new Scope(undefined, answerMs);
    try {
      this.#channel.say(["ask", id, operation, ...words]);
      return await scope.race(answered);
    } finally {
      this.#asked.delete(id);
    }
  }
}

/** The end of the supervisor. */
export class Exchange {
  readonly #memory: Memory;
  readonly #other: (operation: string, words: readonly unknown[]) => unknown;
  readonly #members = new Map<Channel, string>();

  /** `other` answers what is asked beside that, now or later. */
  constructor(memory: Memory, other: (operation: string, words: readonly unknown[]) => unknown) {
    this.#memory = memory;
    this.#other = other;
  }

  /** What a worker said; false where it is of no concern here. */
  take(channel: Channel, [what, id, operation, ...words]: readonly unknown[]): boolean {
    if (what !== "ask") return false;
    const answer = this.#answer(channel, String(operation), words);
    if (answer instanceof Promise) void answer.then((late: unknown) => channel.say(["reply", id, late]));
    else channel.say(["reply", id, answer]);
    return true;
  }

  /** A worker is gone. */
  leave(channel: Channel): void {
    this.#members.delete(channel);
  }

  #answer(channel: Channel, operation: string, words: readonly unknown[]): unknown {
    const [first, second, third, fourth] = words;
    const key = String(first);
    switch (operation) {
      case "join":
        this.#members.set(channel, key);
        return true;
      case "send":
        return this.#send(key, second);
      case "count":
        return this.#members.size;
      case "read":
        return this.#memory.read(key);
      case "write":
        return this.#memory.write(key, textsOf(second), Number(third));
      case "erase":
        return this.#memory.erase(key, Array.isArray(second) ? second.map(String) : []);
      case "lease":
        return this.#memory.lease(key, { calls: Number(second), perMs: Number(third) }, Number(fourth));
      case "add":
        return this.#memory.add(key, Number(second), Number(third));
      default:
        return this.#other(operation, words);
    }
  }

  #send(node: string, text: unknown): number {
    const reached = [...this.#members].filter(([, name]) => node === "" || name === node);
    for (const [channel] of reached) channel.say(["heard", text]);
    return reached.length;
  }
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(asRecord(value)).map(([name, text]) => [name, String(text)]));
}
