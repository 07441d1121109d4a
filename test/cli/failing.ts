// Servers that fail, each in its own way: programs, and addresses.
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { localhostCert, localhostKey } from "../fixtures/localhost.ts";

const pages = {
  status401: [401, "text/html", "<html><h1>401</h1></html>"],
  status404: [404, "text/html", "<html><h1>404</h1></html>"],
  status500: [500, "text/html", "<html><h1>500</h1></html>"],
  page: [200, "text/html", "<html><h1>welcome</h1></html>"],
  malformed: [200, "application/json", '{"jsonrpc":"2.0","id":1,"neither":true}'],
} as const;
const pageNames = ["status401", "status404", "status500", "page", "malformed"] as const;

/** Addresses of servers that fail in their own ways. */
export type Urls = Readonly<
  Record<(typeof pageNames)[number] | "closed" | "plain" | "reset" | "silent" | "stranger", string>
>;

export async function startFailing(): Promise<{ urls: Urls } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const start = async (server: Server, scheme = "http"): Promise<string> => {
    servers.push(server);
    server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return `${scheme}://127.0.0.1:${port}/mcp`;
  };
  const answering = (name: (typeof pageNames)[number]): RequestListener => {
    const [status, type, text] = pages[name];
    return (request, response) =>
      void (request.resume(), response.writeHead(status, { "content-type": type }).end(text));
  };
  const page = (name: (typeof pageNames)[number]): Promise<string> => start(createHttpServer(answering(name)));
  const [status401, status404, status500, welcome, malformed] = await Promise.all(pageNames.map(page));
  const plain = (status404 ?? "").replace("http:", "https:");
  const urls = {
    status401: status401 ?? "",
    status404: status404 ?? "",
    status500: status500 ?? "",
    page: welcome ?? "",
    malformed: malformed ?? "",
    // Nothing listens there, and nothing else gets this port meanwhile.
    closed: "http://127.0.0.1:1/mcp",
    plain,
    reset: await start(createServer((socket) => void socket.once("data", () => socket.resetAndDestroy()))),
    silent: await start(createServer((socket) => void socket.resume())),
    stranger: await start(
      createHttpsServer({ cert: localhostCert, key: localhostKey }, answering("status404")),
      "https",
    ),
  };
  return {
    urls,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) server.close();
    },
  };
}
