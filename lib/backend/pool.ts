// Keep-alive connections to one backend origin: takes the freshest idle one or opens another, and never sends a POST twice.
import { GatewayError } from "../core/errors.ts";
import { Rooms } from "../core/room.ts";
import { after, Scope, sleep } from "../core/scope.ts";

import { Connection, type ConnectionOwner } from "./connection.ts";
import type { InFlight, StraightCall } from "./flight.ts";
import { type Carrier, type HttpReply, isPlain } from "./exchange.ts";
import { KnownHeads } from "./http1-known.ts";
import { beginHead, frameFor, type HttpRequest, maxBeginBytes, type RequestFrame, StartRoom } from "./request.ts";
import { Dialer, type DialOptions } from "./socket.ts";
import type { StraightWay } from "./straight.ts";
import { Unread } from "./unread.ts";

export type { HttpReply } from "./exchange.ts";
export type { HttpRequest } from "./request.ts";

export interface PoolOptions extends DialOptions {
  readonly maxIdlePerOrigin?: number;
  /** Default 4000: shorter than the 5 s after which common servers close an idle connection. */
  readonly idleMs?: number;
  readonly maxHeadBytes?: number;
}

export interface PoolStats {
  /** Connections that are open, idle or not. */
  readonly open: number;
  readonly idle: number;
  /** Requests whose body is not complete yet, those that still wait for a connection included. */
  readonly inFlight: number;
  /** Connections opened so far. */
  readonly opened: number;
  /** Requests sent on a connection that had carried another one before. */
  readonly reused: number;
  /** GETs that were sent a second time. */
  readonly retried: number;
}

/** A server that names its idle timeout closes at that moment: be gone this much earlier. */
const SERVER_TIMEOUT_MARGIN_MS = 1000;
/** After this much idleness a close may be on its way; servers close no sooner than after a second. */
const RECHECK_AFTER_IDLE_MS = 500;

/** The connections to one origin; there is no limit on requests in flight. */
export class HttpPool implements AsyncDisposable {
  readonly #dialer: Dialer;
  readonly #frame: RequestFrame;
  readonly #idleMs: number;
  readonly #maxIdle: number;
  readonly #maxHeadBytes: number;
  /** Ends all work of this pool when it is disposed. */
  readonly #scope = new Scope();
  readonly #rooms = new Rooms();
  readonly #owner: ConnectionOwner = {
    rooms: this.#rooms,
    heads: new KnownHeads(isPlain),
    room: new StartRoom(),
    unread: new Unread(),
    released: (connection, serverIdleMs) => this.#release(connection, serverIdleMs),
    closed: (connection) => this.#forget(connection),
  };
  readonly #open = new Set<Connection>();
  /** Most recently used last. */
  readonly #idle: Connection[] = [];
  #known: (Omit<HttpRequest, "body"> & { readonly begin: Uint8Array }) | undefined;
  #stopSweep: (() => void) | undefined;
  #connecting = 0;
  #opened = 0;
  #reused = 0;
  #retried = 0;

  constructor(origin: URL, options: PoolOptions) {
    this.#dialer = new Dialer(origin, options);
    this.#frame = frameFor(this.#dialer.target.authority, this.#dialer.forward);
    this.#idleMs = options.idleMs ?? 4000;
    this.#maxIdle = options.maxIdlePerOrigin ?? 64;
    this.#maxHeadBytes = options.maxHeadBytes ?? 64 * 1024;
  }

  get stats(): PoolStats {
    const open = this.#open.size;
    const idle = this.#idle.length;
    const inFlight = open - idle + this.#connecting;
    return { open, idle, inFlight, opened: this.#opened, reused: this.#reused, retried: this.#retried };
  }

  /**
   * Sends a request and resolves with the head of its answer. Rejects with the scope's reason, or with a `GatewayError`
   * whose `data.sent` says whether the server may have got anything of the request: false with "unreachable",
   * "connectTimeout" and "draining"; true with "lost" and "badProtocol".
   */
  request(request: HttpRequest, scope: Scope): Promise<HttpReply> {
    try {
      const begin = this.#beginOf(request);
      scope.throwIfCancelled();
      this.#scope.throwIfCancelled();
      const fresh = this.#takeFresh();
      return fresh ? this.#use(fresh, begin, request, scope) : this.#find(begin, request, scope);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A connection for one call with this head: an idle one, at once or after a look at it, or a new one. */
  straight(request: HttpRequest, carrier: Carrier): StraightWay | undefined {
    if (this.#scope.cancelled) return undefined;
    const begin = this.#beginOf(request);
    if (begin.length > maxBeginBytes) return undefined;
    const fresh = this.#takeFresh();
    if (!fresh) return { carry: (flight, call) => void this.#carry(begin, carrier, flight, call) };
    this.#reused++;
    return fresh.lend(begin, carrier);
  }

  async #carry(begin: Uint8Array, carrier: Carrier, flight: InFlight, call: StraightCall): Promise<void> {
    try {
      const warm = this.#idle.length > 0 ? await this.#takeWarm(flight.wire) : undefined;
      if (warm) this.#reused++;
      const connection = warm ?? (await this.#connect(flight.wire));
      // Its caller may have gone away in the meantime.
      if (flight.isCut) this.#release(connection, undefined);
      else if (connection.usable) connection.lend(begin, carrier).carry(flight, call);
      else carrier.failed(flight, connection.gone());
    } catch (error) {
      carrier.failed(flight, error);
    }
  }

  async #find(begin: Uint8Array, request: HttpRequest, scope: Scope): Promise<HttpReply> {
    const warm = await this.#takeWarm(scope);
    return warm ? this.#use(warm, begin, request, scope) : this.#dial(begin, request, scope);
  }

  #use(warm: Connection, begin: Uint8Array, request: HttpRequest, scope: Scope): Promise<HttpReply> {
    this.#reused++;
    const { promise, resolve, reject } = Promise.withResolvers<HttpReply>();
    warm.send(begin, request, scope, { replied: resolve, failed: reject });
    return promise.catch((error: unknown) => {
      // The server may have closed the idle connection while the request was on its way. It may also have read it:
      // nobody can tell, so only a GET is sent again, once, and not on another connection of the same age.
      const repeat = request.method === "GET" && !warm.answered && hasCode(error, "lost");
      const isOver = scope.cancelled || this.#scope.cancelled;
      if (isOver || !(repeat || hasCode(error, "unreachable"))) throw error;
      if (repeat) this.#retried++;
      return this.#dial(begin, request, scope);
    });
  }

  async #dial(begin: Uint8Array, request: HttpRequest, scope: Scope): Promise<HttpReply> {
    const connection = await this.#connect(scope);
    const { promise, resolve, reject } = Promise.withResolvers<HttpReply>();
    connection.send(begin, request, scope, { replied: resolve, failed: reject });
    return promise;
  }

  /** Most requests have the headers of the one before, in the same array. */
  #beginOf(request: HttpRequest): Uint8Array {
    const known = this.#known;
    const { method, path, headers } = request;
    if (known && known.headers === headers && known.method === method && known.path === path) return known.begin;
    const begin = beginHead(request, this.#frame);
    this.#known = { method, path, headers, begin };
    return begin;
  }

  /** Closes every connection; requests in flight fail. Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#scope.cancel(
      new GatewayError("draining", `connections to ${this.#dialer.target.name} are closed`, { data: { sent: false } }),
    );
    this.#stopSweep?.();
    this.#stopSweep = undefined;
    for (const connection of [...this.#open]) connection.destroy();
    return Promise.resolve();
  }

  async #connect(scope: Scope): Promise<Connection> {
    this.#connecting++;
    // Not a child scope: the caller's one is watched until the body is complete, and the pool's only while connecting.
    using either = new Scope(scope);
    const release = this.#scope.onCancel((reason) => either.cancel(reason));
    try {
      const socket = await this.#dialer.open(either);
      this.#opened++;
      const connection = new Connection(socket, this.#dialer.target.name, this.#maxHeadBytes, this.#owner);
      this.#open.add(connection);
      if (this.#scope.cancelled) connection.destroy();
      this.#scope.throwIfCancelled();
      return connection;
    } finally {
      release();
      this.#connecting--;
    }
  }

  /** The freshest idle connection, where it is so fresh that no close can be on its way. */
  #takeFresh(): Connection | undefined {
    const connection = this.#idle.at(-1);
    const now = Date.now();
    if (!connection?.usable || now - connection.idleSince >= RECHECK_AFTER_IDLE_MS) return undefined;
    return connection.expiresAt > now ? this.#idle.pop() : undefined;
  }

  /** The freshest idle connection that is still good. */
  async #takeWarm(scope: Scope): Promise<Connection | undefined> {
    let rechecked = false;
    for (let connection = this.#takeIdle(); connection !== undefined; connection = this.#takeIdle()) {
      if (rechecked || Date.now() - connection.idleSince < RECHECK_AFTER_IDLE_MS) return connection;
      // A close that has arrived but was not read yet (this process was busy) is seen in the next turns of the event
      // loop. A timer is what all runtimes poll before (setImmediate needs two rounds on Bun, some 100 on Deno); twice,
      // because the first may be due at once on a loop that was busy.
      rechecked = true;
      try {
        await sleep(1, scope);
        await sleep(1, scope);
        this.#scope.throwIfCancelled();
      } catch (reason) {
        connection.destroy();
        throw reason;
      }
      if (connection.usable) return connection;
    }
    return undefined;
  }

  #takeIdle(): Connection | undefined {
    const now = Date.now();
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.usable && connection.expiresAt > now) return connection;
      connection.destroy();
    }
    return undefined;
  }

  #release(connection: Connection, serverIdleMs: number | undefined): void {
    const idleMs = Math.min(this.#idleMs, (serverIdleMs ?? Infinity) - SERVER_TIMEOUT_MARGIN_MS);
    if (idleMs <= 0 || this.#maxIdle <= 0 || this.#scope.cancelled) return connection.destroy();
    connection.idleSince = Date.now();
    connection.expiresAt = connection.idleSince + idleMs;
    this.#idle.push(connection);
    // The one that was not used for the longest time is the least likely to be still good.
    if (this.#idle.length > this.#maxIdle) this.#idle.shift()?.destroy();
    this.#stopSweep ??= after(this.#idleMs, () => this.#sweep());
  }

  #sweep(): void {
    this.#stopSweep = undefined;
    const now = Date.now();
    for (const connection of this.#idle.filter((each) => each.expiresAt <= now)) connection.destroy();
    if (this.#idle.length > 0) this.#stopSweep = after(this.#idleMs, () => this.#sweep());
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#rooms.clear();
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }
}

function hasCode(error: unknown, code: "lost" | "unreachable"): boolean {
  return error instanceof GatewayError && error.code === code;
}
