// Servers that fail, each in its own way.
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** Addresses of servers that fail in their own ways. */
export type Urls = Readonly<Record<"closed" | "reset" | "silent" | "status401" | "status404" | "status500", string>>;

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}/mcp`;
}

export async function startFailing(): Promise<{ urls: Urls } & AsyncDisposable> {
  const status = (code: number): Server =>
    createHttpServer((request, response) => {
      request.resume();
      response.writeHead(code, { "content-type": "text/html" }).end(`<html><h1>${code}</h1></html>`);
    });
  const reset = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    socket.on("error", () => {}).resume();
    sockets.add(socket);
  });
  const closed = createServer();
  const servers = [status(401), status(404), status(500), reset, closed, silent];
  const [status401 = "", status404 = "", status500 = "", resetUrl = "", closedUrl = "", silentUrl = ""] =
    await Promise.all(servers.map(listening));
  closed.close();
  return {
    urls: { status401, status404, status500, reset: resetUrl, closed: closedUrl, silent: silentUrl },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) server.close();
    },
  };
}
