// Bytes on their way to a client that may read more slowly than they come.

import type { TcpSocket } from "../core/tcp.ts";

/** Written at once: after each of them the client has shown that it reads. */
const pieceBytes = 64 * 1024;

export class Outbox {
  readonly #socket: TcpSocket;
  readonly #drained: () => void;
  #queue: Uint8Array[] = [];
  #next = 0;
  /** How much of the first one is written. */
  #written = 0;
  #waiting = 0;
  /** The socket holds enough. */
  #full = false;
  #ending = false;

  /** `drained` is called when the client has taken what the socket held, before more is written. */
  constructor(socket: TcpSocket, drained: () => void) {
    this.#socket = socket;
    this.#drained = drained;
    socket.on("drain", () => {
      this.#full = false;
      this.#pump();
      this.#drained();
    });
  }

  /** Bytes that the client has not taken yet; 0 where the socket takes more. */
  get waiting(): number {
    return this.#full ? this.#waiting + this.#socket.writableLength : 0;
  }

  write(bytes: Uint8Array): void {
    if (!this.#full && bytes.length <= pieceBytes) {
      this.#full = !this.#socket.write(bytes);
      return;
    }
    this.#queue.push(bytes);
    this.#waiting += bytes.length;
    this.#pump();
  }

  /** Closes this side once everything was written. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#pump();
  }

  #pump(): void {
    while (!this.#full && this.#waiting > 0) this.#full = !this.#socket.write(this.#take());
    if (this.#ending && this.#waiting === 0) this.#socket.end();
  }

  #take(): Uint8Array {
    const first = this.#queue[this.#next] ?? new Uint8Array();
    const piece = first.subarray(this.#written, this.#written + pieceBytes);
    this.#waiting -= piece.length;
    this.#written += piece.length;
    if (this.#written === first.length) {
      this.#next += 1;
      this.#written = 0;
    }
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    }
    return piece;
  }
}
