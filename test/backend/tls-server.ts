// A TLS server in a process of its own; its answer says what it saw of the handshake, and whether that was resumed.
// Usage: tls-server.ts TLSv1.2|TLSv1.3; prints "listening PORT", again after each line of input: another server then.
import process from "node:process";
import * as tls from "node:tls";
import { localhostCert, localhostKey } from "../fixtures/localhost.ts";

const version = process.argv[2] === "TLSv1.2" ? "TLSv1.2" : "TLSv1.3";

/** Each one has ticket keys of its own. */
function createServer(): tls.Server {
  const protocols = { minVersion: version, maxVersion: version, ALPNProtocols: ["h2", "http/1.1"] } as const;
  return tls.createServer({ cert: localhostCert, key: localhostKey, ...protocols }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", () => {
      const handshake = [socket.isSessionReused() ? "resumed" : "full", socket.getProtocol(), socket.alpnProtocol];
      const answer = JSON.stringify([...handshake, socket.servername || ""]);
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`);
    });
  });
}

function listen(port: number): tls.Server {
  const server = createServer();
  server.on("tlsClientError", () => {});
  server.listen(port, "127.0.0.1", () => {
    const address = server.address();
    process.stdout.write(`listening ${address !== null && typeof address === "object" ? address.port : 0}\n`);
  });
  return server;
}

let server = listen(0);
process.stdin.on("data", () => {
  const address = server.address();
  server.close();
  server = listen(address !== null && typeof address === "object" ? address.port : 0);
});
process.stdin.on("end", () => process.exit(0));
