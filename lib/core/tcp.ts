// TCP on every runtime: Bun's own sockets where it runs, node:net elsewhere; nothing else of the program knows the difference.

import * as net from "node:net";

export interface TcpEvents {
  connect: [];
  data: [bytes: Uint8Array];
  /** The peer sends no more. */
  end: [];
  /** All that waited to leave has left. */
  drain: [];
  error: [error: unknown];
  /** It is gone; nothing comes after this. */
  close: [];
}

/** What the program uses of a socket; those of node:net and node:tls have it too. */
export interface TcpSocket {
  readonly destroyed: boolean;
  /** False when nothing can be written any more. */
  readonly writable: boolean;
  /** Bytes that wait to leave. */
  readonly writableLength: number;
  on<Name extends keyof TcpEvents>(name: Name, listener: (...args: TcpEvents[Name]) => void): unknown;
  once<Name extends keyof TcpEvents>(name: Name, listener: (...args: TcpEvents[Name]) => void): unknown;
  off<Name extends keyof TcpEvents>(name: Name, listener: (...args: TcpEvents[Name]) => void): unknown;
  /** False where some of it waits; "drain" comes when none does. */
  write(bytes: Uint8Array): boolean;
  /** Closes this side once all that waits has left. */
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
}

export interface TcpServer {
  readonly port: number;
  /** Takes no new connections. */
  close(): void;
}

/** Finds a peer that vanished without a word, and keeps middleboxes from forgetting a silent stream. */
const probeMs = 15_000;
/** Connections that wait to be accepted. */
const backlog = 4096;

/** A connection under way: "connect", or "error" and "close". */
export function connectTcp(address: { readonly host: string; readonly port: number }): TcpSocket {
  if (typeof Bun !== "undefined") return connectBun(address);
  return net.connect({ ...address, noDelay: true, keepAlive: true, keepAliveInitialDelay: probeMs });
}

/** Rejects with the system's error. A client that has closed its side is still answered. */
export function serveTcp(host: string, port: number, accept: (socket: TcpSocket) => void): Promise<TcpServer> {
  return typeof Bun === "undefined" ? serveNode(host, port, accept) : serveBun(host, port, accept);
}

function serveNode(host: string, port: number, accept: (socket: TcpSocket) => void): Promise<TcpServer> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.setNoDelay(true).setKeepAlive(true, probeMs);
    accept(socket);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog }, () => {
      const address = server.address();
      const bound = typeof address === "object" && address ? address.port : port;
      resolve({ port: bound, close: () => void (server.listening && server.close()) });
    });
  });
}

async function serveBun(host: string, port: number, accept: (socket: TcpSocket) => void): Promise<TcpServer> {
  const server = Bun.listen<BunSocket>({
    hostname: host,
    port,
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

function connectBun({ host, port }: { readonly host: string; readonly port: number }): TcpSocket {
  const socket = new BunSocket();
  const handlers = { ...bunHandlers, open: (native: Native): void => socket.opened(native) };
  Bun.connect<BunSocket>({ hostname: host, port, data: socket, socket: handlers }).catch((error: unknown) => {
    // As node:net says it.
    socket.failed(error instanceof Error ? Object.assign(error, { address: host, port }) : error);
  });
  return socket;
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

/** A socket of Bun's with the face of one of node:net; without streams in between, which cost as much as the system does. */
class BunSocket implements TcpSocket {
  #native: Native | undefined;
  readonly #listeners: Listeners = {};
  /** The one that hears almost everything. */
  #onData: ((bytes: Uint8Array) => void) | undefined;
  /** What the system has not taken. */
  #queue: Uint8Array[] = [];
  writableLength = 0;
  destroyed = false;
  writable = true;
  #peerEnded = false;
  #isClosed = false;

  on<Name extends keyof TcpEvents>(name: Name, listener: (...args: TcpEvents[Name]) => void): this {
    const listeners: ((...args: TcpEvents[Name]) => void)[] = (this.#listeners[name] ??= []);
    listeners.push(listener);
    this.#noteData();
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
    const listeners: unknown[] = this.#listeners[name] ?? [];
    const at = Math.max(listeners.indexOf(listener), listeners.indexOf(onceOf.get(listener)));
    if (at >= 0) listeners.splice(at, 1);
    this.#noteData();
    return this;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.writable || !this.#native) return false;
    if (this.#queue.length === 0) {
      const taken = Math.max(0, this.#native.write(bytes));
      if (taken === bytes.length) return true;
      this.#queue.push(taken > 0 ? bytes.subarray(taken) : bytes);
      this.writableLength += bytes.length - taken;
    } else {
      this.#queue.push(bytes);
      this.writableLength += bytes.length;
    }
    return false;
  }

  end(): void {
    if (!this.writable) return;
    this.writable = false;
    if (this.#queue.length === 0) this.#shut();
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
    this.#queue = [];
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
    this.#emit("connect");
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
    if (this.#onData) this.#onData(bytes);
    else this.#emit("data", bytes);
  }

  drained(): void {
    while (this.#queue.length > 0) {
      const [bytes = new Uint8Array()] = this.#queue;
      const taken = Math.max(0, this.#native?.write(bytes) ?? 0);
      this.writableLength -= taken;
      if (taken < bytes.length) {
        this.#queue[0] = bytes.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
    if (!this.writable && !this.destroyed) this.#shut();
    else this.#emit("drain");
  }

  ended(): void {
    this.#peerEnded = true;
    if (this.destroyed) return;
    const isShut = !this.writable && this.#queue.length === 0;
    this.#emit("end");
    if (isShut) this.#native?.end();
  }

  broke(error: unknown): void {
    if (!this.destroyed) this.#emit("error", error);
  }

  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.destroyed = true;
    this.writable = false;
    this.#emit("close");
  }

  #noteData(): void {
    const listeners = this.#listeners.data ?? [];
    this.#onData = listeners.length === 1 ? listeners[0] : undefined;
  }

  #emit<Name extends keyof TcpEvents>(name: Name, ...args: TcpEvents[Name]): void {
    const listeners: readonly ((...args: TcpEvents[Name]) => void)[] | undefined = this.#listeners[name];
    for (const listener of [...(listeners ?? [])]) listener(...args);
  }
}

/** What was registered for a listener that is called once. */
const onceOf = new WeakMap<object, unknown>();
