// Listens and never accepts: once its queue is full, the next connection attempt hangs. Usage: deaf-server.ts HOST PORT
import * as net from "node:net";
import process from "node:process";
import { writeSync } from "node:fs";

const [host = "", port = ""] = process.argv.slice(2);
net.createServer().listen({ host, port: Number(port), backlog: 1 }, () => {
  writeSync(1, "listening\n");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
