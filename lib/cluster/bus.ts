// Messages between the processes of a gateway: sealed, by topic, in order, and given up where nobody takes them in time.

import { Scope, sleep } from "../core/scope.ts";
import type { Sealer } from "../core/seal.ts";
import { asRecord, decodeText, encodeText, joinBytes } from "../core/text.ts";
import type { Wire, WireState } from "../core/wire.ts";

export interface Message {
  /** The process that sent it. */
  readonly from: string;
  readonly head: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
}

export type Hear = (message: Message) => void;
/** What a process answers to what it was asked. */
export type Answer = (message: Message) => Promise<Pick<Message, "head" | "body">>;

const purpose = "cluster";
const replyTopic = "reply";
/** A message to a process that is not there waits so long while the wire is away, or was just now. */
const patienceMs = 5_000;
/** Processes come back one after another. */
const returnMs = 3_000;
const stepMs = 50;
const maxHeld = 10_000;
const newline = 0x0a;
const nothing = new Uint8Array();

export class Bus {
  readonly wire: Wire;
  readonly #sealer: Sealer;
  readonly #topics = new Map<string, Hear>();
  readonly #scope = new Scope();
  readonly #asked = new Map<number, (reply: Message) => void>();
  #lastAsk = 0;
  /** By process, what comes behind a message that has not arrived. */
  readonly #held = new Map<string, Promise<unknown>>();
  #heldCount = 0;
  /** Messages that could not be opened: of others with the same prefix and other keys. */
  foreign = 0;

  constructor(wire: Wire, sealer: Sealer) {
    this.wire = wire;
    this.#sealer = sealer;
    this.on(replyTopic, (reply) => this.#asked.get(Number(reply.head["ask"]))?.(reply));
  }

  get node(): string {
    return this.wire.node;
  }

  start(changed: (state: WireState) => void): void {
    this.wire.start((text) => this.#hear(text), changed);
  }

  /** One for each topic. */
  on(topic: string, hear: Hear): void {
    this.#topics.set(topic, hear);
  }

  /** To all others that are there now; nobody waits for it. */
  cast(topic: string, head: Readonly<Record<string, unknown>>, body: Uint8Array = nothing): void {
    void this.wire.send(undefined, this.#seal(topic, head, body)).catch(() => 0);
  }

  /** To one process; resolves to whether it was there. Messages to the same process arrive in order. */
  async tell(
    node: string,
    topic: string,
    head: Readonly<Record<string, unknown>>,
    body: Uint8Array = nothing,
  ): Promise<boolean> {
    const text = this.#seal(topic, head, body);
    const before = this.#held.get(node);
    if (!before && (await this.#send(node, text))) return true;
    return await this.#hold(node, text, before);
  }

  /** Answers what other processes ask; what it rejects with is no answer. */
  answer(topic: string, answer: Answer): void {
    this.on(topic, (message) => {
      const { from } = message;
      const { ask } = message.head;
      answer(message).then(
        ({ head, body }) => this.tell(from, replyTopic, { ...head, ask }, body),
        () => {},
      );
    });
  }

  /** Asks one process; resolves to undefined where it is not there or does not answer within the scope. */
  async ask(
    node: string,
    topic: string,
    head: Readonly<Record<string, unknown>>,
    body: Uint8Array,
    scope: Scope,
  ): Promise<Message | undefined> {
    this.#lastAsk += 1;
    const ask = this.#lastAsk;
    const replied = new Promise<Message>((resolve) => this.#asked.set(ask, resolve));
    try {
      const isThere = await scope.race(this.tell(node, topic, { ...head, ask }, body));
      return isThere ? await scope.race(replied) : undefined;
    } catch {
      return undefined;
    } finally {
      this.#asked.delete(ask);
    }
  }

  /** Asks all others; resolves when each that is there has answered, or the scope ends. */
  async askAll(topic: string, head: Readonly<Record<string, unknown>>, scope: Scope): Promise<void> {
    this.#lastAsk += 1;
    const ask = this.#lastAsk;
    const answered = Promise.withResolvers<void>();
    let left = 0;
    this.#asked.set(ask, () => {
      left -= 1;
      if (left === 0) answered.resolve();
    });
    try {
      const heard = await scope.race(this.wire.send(undefined, this.#seal(topic, { ...head, ask }, nothing)));
      // This process is among them. Answers may be here before the number is.
      left += heard - 1;
      if (left > 0) await scope.race(answered.promise);
    } catch {
      // Who is not there needs not know.
    } finally {
      this.#asked.delete(ask);
    }
  }

  async close(): Promise<void> {
    this.#scope.cancel();
    await this.wire.close();
  }

  async #send(node: string, text: string): Promise<boolean> {
    return (await this.wire.send(node, text).catch(() => 0)) > 0;
  }

  /** Behind those that are held already; by now there may be more of them than when it was sent. */
  async #hold(node: string, text: string, before: Promise<unknown> | undefined): Promise<boolean> {
    if (this.#heldCount >= maxHeld) return false;
    this.#heldCount += 1;
    const last = before ?? this.#held.get(node) ?? Promise.resolve();
    const sent = last.then(() => this.#insist(node, text));
    this.#held.set(node, sent);
    const done = await sent;
    this.#heldCount -= 1;
    if (this.#held.get(node) === sent) this.#held.delete(node);
    return done;
  }

  async #insist(node: string, text: string): Promise<boolean> {
    const end = Date.now() + patienceMs;
    for (;;) {
      const { kind, since } = this.wire.state;
      const mayCome = kind === "away" || Date.now() - since < returnMs;
      if (kind === "up" && (await this.#send(node, text))) return true;
      if (!mayCome || Date.now() > end) return false;
      try {
        await sleep(stepMs, this.#scope);
      } catch {
        return false;
      }
    }
  }

  #seal(topic: string, head: Readonly<Record<string, unknown>>, body: Uint8Array): string {
    return this.#sealer.seal(purpose, joinBytes([encodeText(`${JSON.stringify([this.node, topic, head])}\n`), body]));
  }

  #hear(text: string): void {
    const opened = this.#sealer.open(purpose, text);
    if (!opened) {
      this.foreign += 1;
      return;
    }
    const end = opened.indexOf(newline);
    const [from, topic, head] = readHead(decodeText(opened.subarray(0, end)));
    if (from !== this.node) this.#topics.get(topic)?.({ from, head, body: opened.subarray(end + 1) });
  }
}

function readHead(text: string): readonly [from: string, topic: string, head: Readonly<Record<string, unknown>>] {
  const parts: unknown = JSON.parse(text);
  const [from, topic, head] = Array.isArray(parts) ? (parts satisfies readonly unknown[]) : [];
  return [String(from), String(topic), asRecord(head)];
}
