// What the program uses of a connection, whichever runtime it comes from.

export interface TcpEvents {
  connect: [];
  /** TLS is up, and both sides are who they should be. */
  secureConnect: [];
  data: [bytes: Uint8Array];
  /** The peer sends no more. */
  end: [];
  /** All that waited to leave has left. */
  drain: [];
  error: [error: unknown];
  /** It is gone; nothing comes after this. */
  close: [];
}

/** Who hears all of a connection for as long as it lives, without a function for each kind of event. */
export interface TcpListener {
  onData(bytes: Uint8Array): void;
  onDrain?(): void;
  onEnd(): void;
  /** "close" follows. */
  onError?(error: unknown): void;
  onClose(): void;
}

/** What the program uses of a socket; those of node:net and node:tls have it too. */
export interface TcpSocket {
  readonly destroyed: boolean;
  /** Of the peer; undefined once it is gone. */
  readonly remoteAddress?: string | undefined;
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

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

export type Accept = (socket: TcpSocket) => void;

/** Where to listen. */
export interface ServeAddress {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Other processes that say so too listen there as well, and each connection goes to one of them (`SO_REUSEPORT`). */
  readonly isShared?: boolean | undefined;
}

export interface TcpServer {
  readonly port: number;
  /** Takes no new connections. */
  close(): void;
}

/** Finds a peer that vanished without a word, and keeps middleboxes from forgetting a silent stream. */
export const probeMs = 15_000;

/** TLS with a server. */
export interface TlsTerms {
  /** What the certificate must name, and what is sent ahead of it; undefined where that is the address, which is not sent. */
  readonly name: string | undefined;
  /** PEM of the certificate authorities to trust instead of the runtime's. */
  readonly ca: string | undefined;
  readonly rejectUnauthorized: boolean;
  /** A session to go on with. */
  readonly session: Buffer | undefined;
  readonly onSession: (session: Buffer) => void;
}
