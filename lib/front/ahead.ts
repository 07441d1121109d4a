// What a client sends before its turn: kept until the request before it is answered.

import type { TcpSocket } from "../core/tcp.ts";

/** Requests that a client sends before their turn; beyond this it is not read. A small piece costs at least so much. */
const maxBytes = 256 * 1024;
const pieceCostBytes = 1024;

export class Ahead {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  readonly #socket: TcpSocket;

  private constructor(socket: TcpSocket) {
    this.#socket = socket;
  }

  /** Keeps bytes; there is nothing of it before the first. No more is read where there is enough. */
  static keep(ahead: Ahead | undefined, socket: TcpSocket, bytes: Uint8Array): Ahead {
    const kept = ahead ?? new Ahead(socket);
    kept.#add(bytes);
    return kept;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  #add(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#bytes += Math.max(bytes.length, pieceCostBytes);
    if (this.#bytes > maxBytes) this.#socket.pause();
  }

  /** All of it, in one piece. */
  take(): Uint8Array {
    const [first = new Uint8Array(), ...more] = this.#pieces;
    const all = more.length === 0 ? first : Buffer.concat(this.#pieces);
    this.drop();
    return all;
  }

  drop(): void {
    this.#pieces = [];
    this.#bytes = 0;
  }
}
