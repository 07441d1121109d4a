// TCP where the runtime has node:net and nothing faster.

import { net } from "./builtins.ts";
import {
  type Accept,
  probeMs,
  type ServeAddress,
  type TcpAddress,
  type TcpListener,
  type TcpServer,
  type TcpSocket,
} from "./tcp-socket.ts";

/** Connections that wait to be accepted. */
const backlog = 4096;

export function listenNode(socket: TcpSocket, listener: TcpListener): void {
  socket.on("data", (bytes) => listener.onData(bytes));
  socket.on("drain", () => listener.onDrain?.());
  socket.on("end", () => listener.onEnd());
  socket.on("error", (error) => listener.onError?.(error));
  socket.on("close", () => listener.onClose());
}

export function connectNode(address: TcpAddress): TcpSocket {
  return sturdy(net().connect({ ...address, noDelay: true, keepAlive: true, keepAliveInitialDelay: probeMs }));
}

/** The same socket: an error that nobody listens to any more does not end the process. */
export function sturdy<Socket extends Pick<TcpSocket, "on">>(socket: Socket): Socket {
  socket.on("error", () => {});
  return socket;
}

export function serveNode({ host, port, isShared = false }: ServeAddress, accept: Accept): Promise<TcpServer> {
  const server = net().createServer({ allowHalfOpen: true }, (socket) => {
    socket.setNoDelay(true).setKeepAlive(true, probeMs);
    accept(socket);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog, reusePort: isShared }, () => {
      const address = server.address();
      const bound = typeof address === "object" && address ? address.port : port;
      resolve({ port: bound, close: () => void (server.listening && server.close()) });
    });
  });
}
