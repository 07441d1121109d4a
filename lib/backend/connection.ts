// One connection to a backend: sends one request at a time and turns what comes back, or fails to, into one outcome.
import type { GatewayError } from "../core/errors.ts";
import type { Rooms } from "../core/room.ts";
import type { Scope } from "../core/scope.ts";
import { listenTo, type TcpListener, type TcpSocket, writeStart } from "../core/tcp.ts";
import { type Asker, type Carrier, Exchange } from "./exchange.ts";
import type { InFlight, StraightCall } from "./flight.ts";
import { type BodySource, QueuedBody } from "./http1-body.ts";
import { type ResponseHead, responseGrammar } from "./http1-head.ts";
import type { KnownHeads } from "./http1-known.ts";
import { MessageParser, type MessageSink } from "./http1.ts";
import type { HttpRequest, StartRoom } from "./request.ts";
import { sendRequest } from "./sending.ts";
import { cutOff, nothingSent, notHttp } from "./severed.ts";
import type { StraightWay } from "./straight.ts";
import type { Reader, Unread } from "./unread.ts";

/** Who lends a connection out and takes it back. */
export interface ConnectionOwner {
  /** For large answers. */
  readonly rooms: Rooms;
  /** Of all connections: the heads of one server's answers are mostly the same. */
  readonly heads: KnownHeads<ResponseHead>;
  /** Where requests are put together. */
  readonly room: StartRoom;
  /** What comes of streams. */
  readonly unread: Unread;
  /** The exchange is complete and the connection may carry another; `serverIdleMs` is how long the server keeps it. */
  released(connection: Connection, serverIdleMs: number | undefined): void;
  /** The connection is gone. Called once. */
  closed(connection: Connection): void;
}

const grammar = responseGrammar(false);
const nothing = new Uint8Array();

/** One socket, with at most one exchange on it: requests are never pipelined. */
export class Connection implements MessageSink<ResponseHead>, TcpListener, BodySource, StraightWay, Reader {
  readonly #socket: TcpSocket;
  /** host:port, for messages. */
  readonly name: string;
  readonly #parser: MessageParser<ResponseHead>;
  readonly #owner: ConnectionOwner;
  #exchange: Exchange | undefined;
  /** A call that goes the straight way, instead of an exchange. */
  #flight: InFlight | undefined;
  #carrier: Carrier | undefined;
  #begin: Uint8Array = nothing;
  #usable = true;
  #paused = false;
  #closed = false;
  #lastError: unknown;
  #answered = false;
  /** What has come in this turn and is not looked at yet. */
  #unread: Uint8Array | undefined;
  /** `Date.now()` of its last release; kept by the pool. */
  idleSince: number = 0;
  /** `Date.now()` after which the connection must not be used again; kept by the pool. */
  expiresAt: number = Infinity;

  constructor(socket: TcpSocket, name: string, maxHeadBytes: number, owner: ConnectionOwner) {
    this.#socket = socket;
    this.name = name;
    this.#parser = new MessageParser(grammar, this, maxHeadBytes, owner.heads.memory);
    this.#owner = owner;
    listenTo(socket, this);
  }

  /** False once the server has closed its side, has said something unasked, or anything failed. */
  get usable(): boolean {
    const isFree = this.#exchange === undefined && this.#flight === undefined;
    return this.#usable && isFree && !this.#socket.destroyed && this.#socket.writable;
  }

  /** True when any byte of an answer to the latest request came. */
  get answered(): boolean {
    return this.#answered;
  }

  /**
   * Sends a request. The scope governs until the body is complete: cancelled, it destroys the connection at once.
   * Fails with a `GatewayError` "unreachable" where the connection was gone before anything was written.
   */
  send(begin: Uint8Array, request: HttpRequest, scope: Scope, asker: Asker): void {
    if (scope.cancelled) {
      this.destroy();
      return asker.failed(scope.reason);
    }
    // It may have ended since the pool looked; a request written now would wait for events that have been.
    if (!this.usable) return asker.failed(this.gone());
    this.#answered = false;
    if (this.#parser.done) this.#parser.next();
    const exchange = new Exchange(this, asker, scope);
    this.#exchange = exchange;
    sendRequest(this.#socket, begin, request, exchange, () => this.#exchange === exchange);
  }

  /** Makes ready for a call that goes the straight way, with a head that begins like this. */
  lend(begin: Uint8Array, carrier: Carrier): this {
    this.#begin = begin;
    this.#carrier = carrier;
    return this;
  }

  /** Sends a call in one write; it must be `usable`. */
  carry(flight: InFlight, call: StraightCall): void {
    this.#answered = false;
    if (this.#parser.done) this.#parser.next();
    this.#flight = flight;
    flight.carrier = this;
    const { room } = this.#owner;
    const at = room.start(this.#begin, call.size(flight.upstream), call.headers);
    writeStart(this.#socket, room.bytes, call.put(flight.upstream, room.bytes, at));
  }

  /** Takes an answer that is here as a whole, in a form that needs no look; false where it is not so. */
  #takeWhole(flight: InFlight, bytes: Uint8Array): boolean {
    const { known } = this.#owner.heads;
    const start = known ? known.match(bytes) : 0;
    if (!known || start === 0 || start + known.length !== bytes.length) return false;
    if (known.length > (this.#carrier?.maxMessageBytes ?? 0)) return false;
    this.#land(flight);
    this.#owner.released(this, known.head.idleMs);
    flight.owner.arrived(flight, bytes, start);
    return true;
  }

  /** From here on the answer of a straight call is read like any other. */
  #divert(flight: InFlight): void {
    this.#land(flight);
    const asker = this.#carrier?.diverted(flight);
    if (!asker) return;
    this.#exchange = new Exchange(this, asker, flight.wire);
    this.#exchange.written = true;
  }

  #land(flight: InFlight): void {
    this.#flight = undefined;
    flight.carrier = undefined;
  }

  /** Closes the connection; an exchange on it fails with `reason`. Idempotent. */
  destroy(reason?: unknown): void {
    this.#fail(reason ?? this.#lost(undefined));
  }

  onData(bytes: Uint8Array): void {
    this.catchUp();
    if (this.#exchange?.body?.isPatient !== true) return this.#read(bytes);
    this.#unread = bytes;
    this.#owner.unread.add(this);
  }

  catchUp(): void {
    const bytes = this.#unread;
    if (!bytes) return;
    this.#unread = undefined;
    this.#read(bytes);
  }

  #read(bytes: Uint8Array): void {
    const flight = this.#flight;
    if (flight) {
      this.#answered = true;
      if (this.#takeWhole(flight, bytes)) return;
      this.#divert(flight);
    }
    const exchange = this.#exchange;
    // Bytes that nobody asked for must never become the next response.
    if (exchange === undefined) return this.#fail(undefined);
    this.#answered = true;
    const wrong = this.#parser.push(bytes);
    if (wrong !== undefined) this.#fail(notHttp(this.name, wrong));
    else if (this.#parser.surplus > 0) this.#fail(undefined);
  }

  onBody(piece: Uint8Array): void {
    this.#exchange?.body?.add(piece);
  }

  onChunk(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#exchange?.body?.offer(bytes, start, end) ?? false;
  }

  onHead(response: ResponseHead): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.head = response;
    const { framing } = response;
    exchange.body = new QueuedBody(this, framing.kind === "length" ? framing.length : undefined);
    exchange.asker.replied({ status: response.status, headers: response.headers, body: exchange.body });
  }

  get rooms(): Rooms {
    return this.#owner.rooms;
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    // Not for nothing: on a socket that flows it costs as much as the rest of an exchange.
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  abort(body: QueuedBody, reason: unknown): void {
    if (this.#exchange?.body === body) this.#fail(reason);
  }

  onDone(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.release();
    exchange.body?.finish();
    this.#exchange = undefined;
    // A request that is only half out cannot be followed by another one.
    const { head } = exchange;
    if (!this.#usable || !exchange.written || head === undefined || !head.keepAlive) return this.#fail(undefined);
    this.resume();
    this.#owner.released(this, head.idleMs);
  }

  onError(error: unknown): void {
    this.catchUp();
    this.#lastError = error;
    this.#fail(this.#lost(error));
  }

  onEnd(): void {
    this.catchUp();
    this.#usable = false;
    this.#parser.end();
    this.#fail(this.#lost(undefined));
  }

  onClose(): void {
    this.catchUp();
    this.#fail(this.#lost(this.#lastError));
    this.#noteClosed();
  }

  /** Ends the exchange, if there is one, with `reason`, and the connection in any case. */
  #fail(reason: unknown): void {
    const exchange = this.#exchange;
    const flight = this.#flight;
    this.#usable = false;
    this.#exchange = undefined;
    this.#unread = undefined;
    if (flight) {
      this.#land(flight);
      this.#carrier?.failed(flight, reason);
    }
    if (exchange !== undefined) {
      exchange.release();
      if (exchange.body === undefined) exchange.asker.failed(reason);
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

  /** Why nothing can be sent on it. */
  gone(): GatewayError {
    return nothingSent(this.name);
  }

  #lost(cause: unknown): GatewayError {
    return cutOff(this.name, this.#exchange?.body !== undefined, cause);
  }
}
