// The metrics of all workers of a supervisor: asked for when somebody wants to see them, and put together.

import type { Channel } from "./cluster/ipc.ts";
import type { Observer } from "./core/observer.ts";
import { Scope } from "./core/scope.ts";
import { asRecord } from "./core/text.ts";
import { type DoorAddress, openDoor, type Write, type Written } from "./door.ts";
import type { Listener } from "./listen.ts";
import { type Part, Together } from "./observe/together.ts";

/** A worker that takes longer is not waited for: what it said before counts. */
const answerMs = 1_000;

export class WorkerMetrics {
  readonly #observer: Observer;
  readonly #together = new Together();
  /** What each said last, and its place. */
  readonly #members = new Map<Channel, { readonly place: number; text: string }>();
  readonly #asked = new Map<number, (text: string) => void>();
  #lastId = 0;
  #door = "";
  #listener: Promise<Listener | undefined> = Promise.resolve(undefined);

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  join(worker: Channel, place: number): void {
    this.#members.set(worker, { place, text: "" });
  }

  /** It has ended: what it counted stays. */
  leave(worker: Channel): void {
    const member = this.#members.get(worker);
    if (member && this.#members.delete(worker)) this.#together.retire(member.text);
  }

  /** What a worker said; false where it is of no concern here. */
  take(worker: Channel, [what, first, second]: readonly unknown[]): boolean {
    const member = this.#members.get(worker);
    if (what === "measured") {
      this.#asked.get(Number(first))?.(String(second));
      this.#asked.delete(Number(first));
    } else if (what === "farewell") {
      if (member) member.text = String(first);
    } else if (what === "door") this.#openDoor(first);
    else return false;
    return true;
  }

  /** Of all of them. */
  readonly write: Write = async (accept): Promise<Written> => {
    const parts = await Promise.all([...this.#members.keys()].map((worker) => this.#ask(worker)));
    return this.#together.write(
      parts.filter((part) => part !== undefined),
      accept,
    );
  };

  async close(): Promise<void> {
    await (await this.#listener)?.close(true);
  }

  async #ask(worker: Channel): Promise<Part | undefined> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#asked.set(id, resolve);
    using patience = new Scope(undefined, answerMs);
    worker.say(["measure", id]);
    const text = await patience.race(promise).catch(() => undefined);
    this.#asked.delete(id);
    const member = this.#members.get(worker);
    // One that has ended meanwhile is among those that have ended.
    if (!member) return undefined;
    if (text !== undefined) member.text = text;
    return { process: String(member.place), text: member.text, isOld: text === undefined };
  }

  /** All workers say the same, one after another. */
  #openDoor(address: unknown): void {
    const at = doorOf(asRecord(address));
    const door = at ? JSON.stringify(at) : "";
    if (door === this.#door) return;
    this.#door = door;
    this.#listener = this.#listener.then(async (before) => {
      await before?.close(true);
      return await openDoor(at, this.write, this.#observer);
    });
  }
}

function doorOf(said: Readonly<Record<string, unknown>>): DoorAddress | undefined {
  const { host, port, allowedHosts, allowedOrigins } = said;
  if (typeof host !== "string" || typeof port !== "number") return undefined;
  return { host, port, allowedHosts: textsOf(allowedHosts), allowedOrigins: textsOf(allowedOrigins) };
}

function textsOf(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.map(String) : [];
}
