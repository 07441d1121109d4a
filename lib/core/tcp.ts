// TCP on every runtime: Bun's own sockets where it runs, node:net elsewhere; nothing else of the program knows the difference.

import { connectNode, listenNode, serveNode } from "./tcp-node.ts";
import { probeMs } from "./tcp-socket.ts";
import type { Accept, ServeAddress, TcpAddress, TcpEvents } from "./tcp-socket.ts";
import type { TcpListener, TcpServer, TcpSocket, TlsTerms } from "./tcp-socket.ts";

export type { TcpListener, TcpServer, TcpSocket, TlsTerms } from "./tcp-socket.ts";

/** Whether sockets are without streams, which cost more than encryption, and bring bytes in memory of their own. */
export const hasPlainSockets: boolean = typeof Bun !== "undefined";

/** A connection under way: "connect", then "secureConnect" where it has terms, or "error" and "close". */
export function connectTcp(address: TcpAddress, terms?: TlsTerms): TcpSocket {
  if (typeof Bun !== "undefined") return connectBun(address, terms);
  if (terms) throw new Error("this runtime's TLS needs streams");
  return connectNode(address);
}

/** From here on the listener hears the socket, beside those that listen to single events. */
export function listenTo(socket: TcpSocket, listener: TcpListener): void {
  if (socket instanceof BunSocket) socket.listener = listener;
  else listenNode(socket, listener);
}

/** Writes the first `length` bytes, which the caller may write over at once; else as {@link TcpSocket.write}. */
export function writeStart(socket: TcpSocket, bytes: Uint8Array, length: number): boolean {
  if (socket instanceof BunSocket) return socket.writeStart(bytes, length);
  return socket.write(Uint8Array.prototype.slice.call(bytes, 0, length));
}

/** Rejects with the system's error. A client that has closed its side is still answered. */
export function serveTcp(at: ServeAddress, accept: Accept): Promise<TcpServer> {
  return typeof Bun === "undefined" ? serveNode(at, accept) : serveBun(at, accept);
}

/** Gives back the memory that the start of the program needed and its work does not, where the runtime can. */
export function shrink(): void {
  if (typeof Bun !== "undefined") Bun.shrink();
}

async function serveBun({ host, port, isShared = false }: ServeAddress, accept: Accept): Promise<TcpServer> {
  const server = Bun.listen<BunSocket>({
    hostname: host,
    port,
    ...{ reusePort: isShared },
    allowHalfOpen: true,
    socket: {
      ...bunHandlers,
      open(native) {
        const socket = new BunSocket();
        socket.opened(native);
        accept(socket);
      },
    },
  });
  return { port: server.port, close: () => server.stop(false) };
}

function connectBun({ host, port }: TcpAddress, terms: TlsTerms | undefined): TcpSocket {
  const socket = new BunSocket(terms);
  const handlers = terms ? tlsHandlers : outHandlers;
  const tls = terms ? { tls: tlsOptions(terms) } : {};
  Bun.connect<BunSocket>({ hostname: host, port, data: socket, socket: handlers, ...tls }).catch((error: unknown) => {
    // As node:net says it.
    socket.failed(error instanceof Error ? Object.assign(error, { address: host, port }) : error);
  });
  return socket;
}

function tlsOptions({ name, ca, rejectUnauthorized }: TlsTerms): Bun.TLSOptions {
  // An empty name is not sent, and the certificate must name the address.
  const trust = { serverName: name ?? "", rejectUnauthorized, ALPNProtocols: "\x08http/1.1" };
  return ca === undefined ? trust : { ...trust, ca };
}

type Native = Bun.Socket<BunSocket>;
type Listeners = { [Name in keyof TcpEvents]?: ((...args: TcpEvents[Name]) => void)[] };

const bunHandlers = {
  binaryType: "buffer",
  data: ({ data }: Native, bytes: Uint8Array): void => data.received(bytes),
  drain: ({ data }: Native): void => data.drained(),
  end: ({ data }: Native): void => data.ended(),
  error: ({ data }: Native, error: unknown): void => data.broke(error),
  close: ({ data }: Native): void => data.closed(),
} as const;

const outHandlers = { ...bunHandlers, open: (native: Native): void => native.data.opened(native) } as const;

const tlsHandlers = {
  ...outHandlers,
  handshake: ({ data }: Native, isUp: boolean, wrong: Error | null): void => data.shook(isUp, wrong),
  session: ({ data }: Native, session: Buffer): void => data.noted(session),
  close: ({ data }: Native, error?: Error): void => {
    if (error) data.broke(error);
    data.closed();
  },
} as const;

/** A socket of Bun's with the face of one of node:net; without streams in between, which cost as much as the system does. */
class BunSocket implements TcpSocket {
  #native: Native | undefined;
  readonly #terms: TlsTerms | undefined;
  #isSecure = false;
  /** Hears almost everything. */
  listener: TcpListener | undefined;
  #listeners: Listeners | undefined;
  /** What the system has not taken. */
  #queue: Uint8Array[] | undefined;
  writableLength = 0;
  destroyed = false;
  writable = true;
  #peerEnded = false;
  #isClosed = false;

  constructor(terms?: TlsTerms) {
    this.#terms = terms;
  }

  get remoteAddress(): string | undefined {
    return this.#native?.remoteAddress;
  }

  on<Name extends keyof TcpEvents>(name: Name, listener: (...args: TcpEvents[Name]) => void): this {
    this.#listeners ??= {};
    const listeners: ((...args: TcpEvents[Name]) => void)[] = (this.#listeners[name] ??= []);
    listeners.push(listener);
    return this;
  }

  once<Name extends keyof TcpEvents>(name: Name, listener: (...args: TcpEvents[Name]) => void): this {
    const once = (...args: TcpEvents[Name]): void => {
      this.off(name, once);
      listener(...args);
    };
    onceOf.set(listener, once);
    return this.on(name, once);
  }

  off<Name extends keyof TcpEvents>(name: Name, listener: (...args: TcpEvents[Name]) => void): this {
    const listeners: unknown[] = this.#listeners?.[name] ?? [];
    const at = Math.max(listeners.indexOf(listener), listeners.indexOf(onceOf.get(listener)));
    if (at >= 0) listeners.splice(at, 1);
    if (listeners.length === 0) delete this.#listeners?.[name];
    // Most are needed while it is opened alone.
    if (this.#listeners && Object.keys(this.#listeners).length === 0) this.#listeners = undefined;
    return this;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.writable || !this.#native) return false;
    if (this.#queue) {
      this.#queue.push(bytes);
      this.writableLength += bytes.length;
      return false;
    }
    const taken = Math.max(0, this.#native.write(bytes));
    if (taken === bytes.length) return true;
    this.#queue = [taken > 0 ? bytes.subarray(taken) : bytes];
    this.writableLength += bytes.length - taken;
    return false;
  }

  writeStart(bytes: Uint8Array, length: number): boolean {
    if (!this.writable || !this.#native) return false;
    const taken = this.#queue ? 0 : Math.max(0, this.#native.write(bytes, 0, length));
    if (taken === length) return true;
    (this.#queue ??= []).push(Uint8Array.prototype.slice.call(bytes, taken, length));
    this.writableLength += length - taken;
    return false;
  }

  end(): void {
    if (!this.writable) return;
    this.writable = false;
    if (!this.#queue) this.#shut();
  }

  /** Nothing more leaves; what still comes is heard, until the peer has closed its side too. */
  #shut(): void {
    if (this.#peerEnded) this.#native?.end();
    else this.#native?.shutdown();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.writable = false;
    this.#queue = undefined;
    this.writableLength = 0;
    if (this.#native) this.#native.end();
    // "close" comes in another turn, as it does from node:net.
    queueMicrotask(() => this.closed());
  }

  pause(): void {
    this.#native?.pause();
  }

  resume(): void {
    this.#native?.resume();
  }

  opened(native: Native): void {
    native.data = this;
    this.#native = native;
    if (this.destroyed) return void native.end();
    native.setNoDelay(true);
    native.setKeepAlive(true, probeMs);
    // Before the first byte leaves, or it is not heard.
    if (this.#terms?.session) native.setSession(this.#terms.session);
    this.#emit("connect");
  }

  /** The handshake is over. */
  shook(isUp: boolean, wrong: Error | null): void {
    if (this.destroyed || !this.#terms) return;
    // A resumed session is up although its certificate was not trusted; one that may be untrusted can still be broken.
    const isTrusted = isUp && !wrong && this.#native?.authorized === true;
    const isBroken = wrong !== null && "code" in wrong && /^(?:EPROTO|ECONN)/.test(String(wrong.code));
    if (isBroken || (this.#terms.rejectUnauthorized && !isTrusted)) {
      this.#native?.end();
      return this.failed(wrong ?? new Error("the certificate was not accepted"));
    }
    this.#isSecure = true;
    this.#emit("secureConnect");
  }

  /** The server gave a session to go on with. */
  noted(session: Buffer): void {
    if (this.#isSecure) this.#terms?.onSession(session);
  }

  /** It could not be opened. */
  failed(error: unknown): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.writable = false;
    this.#emit("error", error);
    this.closed();
  }

  received(bytes: Uint8Array): void {
    if (this.destroyed) return;
    this.listener?.onData(bytes);
    if (this.#listeners) this.#emit("data", bytes);
  }

  drained(): void {
    const queue = this.#queue ?? [];
    for (let bytes = queue[0]; bytes; bytes = queue[0]) {
      const taken = Math.max(0, this.#native?.write(bytes) ?? 0);
      this.writableLength -= taken;
      if (taken < bytes.length) {
        queue[0] = bytes.subarray(taken);
        return;
      }
      queue.shift();
    }
    this.#queue = undefined;
    if (!this.writable && !this.destroyed) this.#shut();
    else {
      this.listener?.onDrain?.();
      this.#emit("drain");
    }
  }

  ended(): void {
    this.#peerEnded = true;
    if (this.destroyed) return;
    const isShut = !this.writable && !this.#queue;
    this.listener?.onEnd();
    this.#emit("end");
    if (isShut) this.#native?.end();
  }

  broke(error: unknown): void {
    if (this.destroyed) return;
    this.listener?.onError?.(error);
    this.#emit("error", error);
  }

  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.destroyed = true;
    this.writable = false;
    this.listener?.onClose();
    this.#emit("close");
  }

  #emit<Name extends keyof TcpEvents>(name: Name, ...args: TcpEvents[Name]): void {
    const listeners: readonly ((...args: TcpEvents[Name]) => void)[] | undefined = this.#listeners?.[name];
    if (listeners) for (const listener of [...listeners]) listener(...args);
  }
}

/** What was registered for a listener that is called once. */
const onceOf = new WeakMap<object, unknown>();
