// A server over node:net that hands out requests as they are and lets a test write any bytes as the answer.
import * as net from "node:net";
import * as tls from "node:tls";
import { localhostCert, localhostKey } from "../fixtures/localhost.ts";

interface RawRequest {
  readonly method: string;
  readonly path: string;
  /** The head as it came, up to its empty line. */
  readonly head: string;
  readonly body: Buffer;
  /** Number of the connection, from 1. */
  readonly connection: number;
}

export interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly origin: URL;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Connections that are open now. */
  readonly sockets: ReadonlySet<net.Socket>;
}

type OnRequest = (request: RawRequest, socket: net.Socket) => void;

interface RawOptions {
  readonly secure?: boolean;
  /** A unix socket to listen on, instead of a port of 127.0.0.1. */
  readonly socketPath?: string;
  /** Instead of reading requests. */
  readonly onSocket?: (socket: net.Socket) => void;
}

export async function serveRaw(onRequest: OnRequest, options: RawOptions = {}): Promise<RawServer> {
  const sockets = new Set<net.Socket>();
  let accepted = 0;
  const onSocket = (socket: net.Socket): void => {
    const connection = ++accepted;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    if (options.onSocket !== undefined) return options.onSocket(socket);
    readRequests(socket, (request) => onRequest({ ...request, connection }, socket));
  };
  const server =
    options.secure === true
      ? tls.createServer({ cert: localhostCert, key: localhostKey }, onSocket)
      : net.createServer(onSocket);
  server.on("tlsClientError", () => {});
  const { socketPath } = options;
  await new Promise<void>((resolve) => {
    if (socketPath === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(socketPath, resolve);
  });
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const origin = `${options.secure === true ? "https" : "http"}://127.0.0.1:${port}`;
  return {
    port,
    origin: new URL(socketPath === undefined ? origin : `unix:${socketPath}`),
    get accepted(): number {
      return accepted;
    },
    sockets,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

function readRequests(socket: net.Socket, onRequest: (request: Omit<RawRequest, "connection">) => void): void {
  let pieces: Buffer[] = [];
  let size = 0;
  let wanted = 0;
  socket.on("data", (piece: Buffer) => {
    pieces.push(piece);
    size += piece.length;
    while (size > 0 && size >= wanted) {
      const bytes = Buffer.concat(pieces);
      pieces = [bytes];
      const end = bytes.indexOf("\r\n\r\n") + 4;
      if (end < 4) return;
      const head = bytes.toString("latin1", 0, end - 4);
      const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
      wanted = end + length;
      if (size < wanted) return;
      pieces = [bytes.subarray(wanted)];
      size -= wanted;
      const [method = "", path = ""] = head.split(" ");
      const body = bytes.subarray(end, wanted);
      wanted = 0;
      onRequest({ method, path, head, body });
    }
  });
}

/** A complete response. */
export function response(body: string, ...headers: string[]): string {
  const lines = ["HTTP/1.1 200 OK", ...headers, `Content-Length: ${Buffer.byteLength(body)}`, "", body];
  return lines.join("\r\n");
}

/** Resolves once `holds` does; looks after each turn of the event loop. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 5000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  }
}
