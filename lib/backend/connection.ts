// One connection to a backend: sends one request at a time and turns what comes back, or fails to, into one outcome.
import type { Socket } from "node:net";
import { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";
import { type HttpBody, QueuedBody } from "./http1-body.ts";
import { keepAliveTimeoutMs, type ResponseHead } from "./http1-head.ts";
import { ResponseParser } from "./http1.ts";
import { errorCode } from "./socket.ts";

/** Head and body go out in one write up to this size; a larger body is written in pieces of it. */
const WRITE_BYTES = 64 * 1024;

export interface HttpReply {
  readonly status: number;
  /** Lower-case names; repeated fields joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: HttpBody;
}

/** Who lends a connection out and takes it back. */
export interface ConnectionOwner {
  /** The exchange is complete and the connection may carry another; `serverIdleMs` is how long the server keeps it. */
  released(connection: Connection, serverIdleMs: number | undefined): void;
  /** The connection is gone. Called once. */
  closed(connection: Connection): void;
}

interface Exchange {
  readonly parser: ResponseParser;
  readonly resolve: (reply: HttpReply) => void;
  readonly reject: (reason: unknown) => void;
  readonly release: () => void;
  head: ResponseHead | undefined;
  body: QueuedBody | undefined;
  written: boolean;
}

/** One socket, with at most one exchange on it: requests are never pipelined. */
export class Connection {
  readonly #socket: Socket;
  readonly #name: string;
  readonly #maxHeadBytes: number;
  readonly #owner: ConnectionOwner;
  #exchange: Exchange | undefined;
  #usable = true;
  #closed = false;
  #lastError: unknown;
  #answered = false;
  /** `Date.now()` of its last release; kept by the pool. */
  idleSince: number = 0;
  /** `Date.now()` after which the connection must not be used again; kept by the pool. */
  expiresAt: number = Infinity;

  constructor(socket: Socket, name: string, maxHeadBytes: number, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#name = name;
    this.#maxHeadBytes = maxHeadBytes;
    this.#owner = owner;
    socket.on("data", (bytes: Uint8Array) => this.#onData(bytes));
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error: unknown) => {
      this.#lastError = error;
      this.#fail(this.#lost(error));
    });
    socket.on("close", () => this.#onClose());
  }

  /** False once the server has closed its side, has said something unasked, or anything failed. */
  get usable(): boolean {
    return this.#usable && this.#exchange === undefined && !this.#socket.destroyed && this.#socket.writable;
  }

  /** True when any byte of an answer to the latest request came. */
  get answered(): boolean {
    return this.#answered;
  }

  /**
   * Sends a request. The scope governs until the body is complete: cancelled, it destroys the connection at once.
   * Rejects with a `GatewayError` "unreachable" where the connection was gone before anything was written.
   */
  send(head: Uint8Array, body: Uint8Array | undefined, scope: Scope): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
      if (scope.cancelled) {
        this.destroy();
        return reject(scope.reason);
      }
      // It may have ended since the pool looked; a request written now would wait for events that have been.
      if (!this.usable) return reject(this.#gone());
      this.#answered = false;
      const parser = new ResponseParser(
        {
          onHead: (response) => this.#onHead(response),
          onBody: (piece) => this.#exchange?.body?.add(piece),
          onDone: () => this.#onDone(),
        },
        { maxHeadBytes: this.#maxHeadBytes },
      );
      const release = scope.onCancel((reason) => {
        const body = this.#exchange?.body;
        this.#fail(reason);
        body?.discard();
      });
      const exchange = { parser, resolve, reject, release, head: undefined, body: undefined, written: false };
      this.#exchange = exchange;
      this.#write(exchange, head, body);
    });
  }

  /** Closes the connection; an exchange on it fails with `reason`. Idempotent. */
  destroy(reason?: unknown): void {
    this.#fail(reason ?? this.#lost(undefined));
  }

  #write(exchange: Exchange, head: Uint8Array, body: Uint8Array | undefined): void {
    if (body === undefined || body.length === 0) {
      this.#socket.write(head);
      exchange.written = true;
      return;
    }
    let offset = Math.min(body.length, Math.max(0, WRITE_BYTES - head.length));
    // One write, one packet: a head alone would cost the server a second read, and some servers a delay.
    let accepted = this.#socket.write(Buffer.concat([head, body.subarray(0, offset)]));
    const pump = (): void => {
      if (this.#exchange !== exchange) return;
      while (accepted && offset < body.length) {
        const piece = body.subarray(offset, offset + WRITE_BYTES);
        offset += piece.length;
        accepted = this.#socket.write(piece);
      }
      if (offset >= body.length) {
        exchange.written = true;
        return;
      }
      this.#socket.once("drain", () => {
        accepted = true;
        pump();
      });
    };
    pump();
  }

  #onData(bytes: Uint8Array): void {
    const exchange = this.#exchange;
    // Bytes that nobody asked for must never become the next response.
    if (exchange === undefined) return this.#fail(undefined);
    this.#answered = true;
    const wrong = exchange.parser.push(bytes);
    if (wrong !== undefined) this.#fail(this.#violation(wrong));
    else if (exchange.parser.surplus > 0) this.#fail(undefined);
  }

  #onHead(response: ResponseHead): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.head = response;
    exchange.body = new QueuedBody(
      {
        pause: () => this.#socket.pause(),
        resume: () => this.#socket.resume(),
        abort: (reason) => {
          if (this.#exchange === exchange) this.#fail(reason);
        },
      },
      { name: this.#name, declaredBytes: response.framing.kind === "length" ? response.framing.length : undefined },
    );
    exchange.resolve({ status: response.status, headers: response.headers, body: exchange.body });
  }

  #onDone(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.release();
    exchange.body?.finish();
    this.#exchange = undefined;
    // A request that is only half out cannot be followed by another one.
    const { head } = exchange;
    if (!this.#usable || !exchange.written || head === undefined || !head.keepAlive) return this.#fail(undefined);
    this.#socket.resume();
    this.#owner.released(this, keepAliveTimeoutMs(head.headers));
  }

  #onEnd(): void {
    this.#usable = false;
    this.#exchange?.parser.end();
    this.#fail(this.#lost(undefined));
  }

  #onClose(): void {
    this.#fail(this.#lost(this.#lastError));
    this.#noteClosed();
  }

  /** Ends the exchange, if there is one, with `reason`, and the connection in any case. */
  #fail(reason: unknown): void {
    const exchange = this.#exchange;
    this.#usable = false;
    this.#exchange = undefined;
    if (exchange !== undefined) {
      exchange.release();
      if (exchange.body === undefined) exchange.reject(reason);
      else exchange.body.fail(reason);
    }
    this.#socket.destroy();
    this.#noteClosed();
  }

  #noteClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.closed(this);
  }

  #gone(): GatewayError {
    const message = `${this.#name} closed the connection before anything was sent`;
    return new GatewayError("unreachable", message, { data: { sent: false } });
  }

  #lost(cause: unknown): GatewayError {
    const exchange = this.#exchange;
    const when = exchange?.body === undefined ? "before it answered" : "before the end of its answer";
    const code = errorCode(cause);
    const message = `${this.#name} closed the connection ${when}${code === undefined ? "" : ` (${code})`}`;
    return new GatewayError("lost", message, { cause, data: { sent: true } });
  }

  #violation(what: string): GatewayError {
    const message = `${this.#name} does not answer in valid HTTP/1.1: ${what}`;
    return new GatewayError("badProtocol", message, { data: { sent: true } });
  }
}
