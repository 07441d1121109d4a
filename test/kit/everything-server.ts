// Starts the SDK's reference server over Streamable HTTP on a free port of the loopback interface, and prints its URL.
import { Server } from "node:http";
import process from "node:process";

// The server listens on every interface at a port that it does not tell; both are the launcher's to choose.
const original = Reflect.get(Server.prototype, "listen");
Server.prototype.listen = function listen(this: Server): Server {
  Reflect.apply(original, this, [0, "127.0.0.1", (): void => announce(this)]);
  return this;
};

function announce(server: Server): void {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no TCP address");
  process.stdout.write(`listening http://127.0.0.1:${address.port}/mcp\n`);
}

process.argv[2] = "streamableHttp";
const entry = "@modelcontextprotocol/server-everything/dist/index.js";
await import(entry);
// A test that was aborted leaves no server behind.
process.stdin.resume().on("end", () => process.exit(0));
