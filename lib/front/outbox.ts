// Bytes on their way to a client that may read more slowly than they come.

import type { Traffic } from "../core/meter.ts";
import { type TcpSocket, writeStart } from "../core/tcp.ts";

/** Written at once: after each of them the client has shown that it reads. */
const pieceBytes = 256 * 1024;
/** From here on whoever writes should wait… */
const congestedBytes = 2 ** 20;
/** …until no more than this is left, so that the client need not wait for more. */
const relievedBytes = 256 * 1024;
/** A client that has this much of its answers to read yet has to do so before it gets more of them. */
const behindBytes = 2 ** 20;
/** A reader that is this far behind does not read any more. */
const unreadBytes = 16 * 2 ** 20;

export class Outbox {
  readonly #socket: TcpSocket;
  /** None of these lists is there before it is needed: most clients read as fast as they are written to. */
  #queue: Uint8Array[] | undefined;
  #next = 0;
  /** How much of the first one is written. */
  #written = 0;
  #waiting = 0;
  /** The socket holds enough. */
  #full = false;
  #ending = false;
  /** To be called when nothing waits. */
  #taken: (() => void)[] | undefined;
  #relief: PromiseWithResolvers<void> | undefined;

  readonly #traffic: Traffic;

  constructor(socket: TcpSocket, traffic: Traffic) {
    this.#socket = socket;
    this.#traffic = traffic;
  }

  /** Called by the connection: the client has taken what the socket held; more is written. */
  drained(): void {
    this.#full = false;
    this.#pump();
    if (this.#relief && this.waiting <= relievedBytes) this.relieve();
  }

  /** Bytes that the client has not taken yet; 0 where the socket takes more. */
  get waiting(): number {
    return this.#full ? this.#waiting + this.#socket.writableLength : 0;
  }

  /** It has to read before it gets more answers. */
  get isBehind(): boolean {
    return this.waiting > behindBytes;
  }

  /** It does not read any more. */
  get isUnread(): boolean {
    return this.waiting > unreadBytes;
  }

  /** Undefined where the client keeps up; else resolves when it does again, or is gone. */
  get congestion(): Promise<void> | undefined {
    if (this.waiting <= congestedBytes || this.#socket.destroyed) return undefined;
    this.#relief ??= Promise.withResolvers();
    return this.#relief.promise;
  }

  /** `taken` is called when the system has all of it; never, where that does not come to pass. */
  write(bytes: Uint8Array, taken?: () => void): void {
    if (taken) (this.#taken ??= []).push(taken);
    this.#traffic.sent += bytes.length;
    if (!this.#full && bytes.length <= pieceBytes) {
      this.#full = !this.#socket.write(bytes);
      if (taken) this.#pump();
      return;
    }
    (this.#queue ??= []).push(bytes);
    this.#waiting += bytes.length;
    this.#pump();
  }

  /** Writes the first `length` bytes, which the caller may write over at once. */
  writeStart(bytes: Uint8Array, length: number): void {
    if (this.#full) this.write(Uint8Array.prototype.slice.call(bytes, 0, length));
    else {
      this.#traffic.sent += length;
      this.#full = !writeStart(this.#socket, bytes, length);
    }
  }

  /** Closes this side once everything was written. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#pump();
  }

  /** Called by the connection when it is gone, too: nobody waits for it any more. */
  relieve(): void {
    this.#relief?.resolve();
    this.#relief = undefined;
  }

  #pump(): void {
    while (!this.#full && this.#waiting > 0) this.#full = !this.#socket.write(this.#take());
    if (this.#waiting > 0) return;
    if (this.#taken && this.#socket.writableLength === 0) for (const taken of this.#taken.splice(0)) taken();
    if (this.#ending) this.#socket.end();
  }

  #take(): Uint8Array {
    const queue = this.#queue ?? [];
    const first = queue[this.#next] ?? new Uint8Array();
    const piece = first.subarray(this.#written, this.#written + pieceBytes);
    this.#waiting -= piece.length;
    this.#written += piece.length;
    if (this.#written === first.length) {
      this.#next += 1;
      this.#written = 0;
    }
    if (this.#next === queue.length) {
      this.#queue = undefined;
      this.#next = 0;
    }
    return piece;
  }
}
