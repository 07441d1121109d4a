// An HTTP server in a process of its own that breaks connections at every moment, and counts how often each POST came.
// Usage: unruly-server.ts COUNT SEED; prints "listening PORT", and for each line of input "seen BASE64": a byte a number.
import * as net from "node:net";
import process from "node:process";
import { random } from "./pool-kit.ts";

const [count = 0, seed = 1] = process.argv.slice(2).map(Number);
const chance = random(seed);
const seen = new Uint8Array(count);

function kill(socket: net.Socket): void {
  const how = chance();
  if (how < 0.3) socket.end();
  else if (how < 0.5) socket.destroy();
  else socket.resetAndDestroy();
}

/** A complete answer in one of three framings. */
function answer(text: string): { readonly bytes: string; readonly closes: boolean } {
  const how = chance();
  const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
  const chunk = `${text.length.toString(16)}\r\n${text}\r\n`;
  if (how < 0.6) return { bytes: `${head}Content-Length: ${text.length}\r\n\r\n${text}`, closes: false };
  if (how < 0.99) return { bytes: `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`, closes: false };
  return { bytes: `${head}Connection: close\r\nContent-Length: ${text.length}\r\n\r\n${text}`, closes: true };
}

function onSocket(socket: net.Socket): void {
  let text = "";
  let id: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  socket.on("error", () => {});
  socket.on("close", () => clearTimeout(timer));

  // Between two requests: sometimes gone soon, sometimes deaf first, so that a request is never read.
  const wait = (): void => {
    const fate = chance();
    if (fate < 0.02) socket.pause();
    if (fate < 0.15) timer = setTimeout(() => kill(socket), Math.floor(chance() * 4));
  };

  const reply = (whole: string): void => {
    const fate = chance();
    if (fate < 0.015) return kill(socket);
    const { bytes, closes } = answer(whole);
    if (fate < 0.03) {
      socket.write(bytes.slice(0, 1 + Math.floor(chance() * (bytes.length - 1))), () => kill(socket));
      return;
    }
    socket.write(bytes, () => {
      if (closes || fate < 0.04) kill(socket);
    });
    wait();
  };

  socket.on("data", (bytes) => {
    clearTimeout(timer);
    text += bytes.toString("latin1");
    // As soon as the number is there the request counts as delivered, whatever becomes of it.
    if (id === undefined) {
      id = /^POST \/(\d+) /.exec(text)?.[1];
      if (id === undefined) return;
      const index = Number(id);
      seen[index] = (seen[index] ?? 0) + 1;
      if (chance() < 0.005) return kill(socket);
    }
    const end = text.indexOf("\r\n\r\n") + 4;
    const length = Number(/\r\ncontent-length: (\d+)/.exec(text)?.[1] ?? 0);
    if (end < 4 || text.length < end + length) return;
    const body = text.slice(end, end + 20);
    text = text.slice(end + length);
    id = undefined;
    reply(body);
  });
  wait();
}

/** Listens, and from time to time for some milliseconds not, so that connections are refused. */
function listen(port: number): void {
  const server = net.createServer(onSocket);
  server.on("error", () => void setTimeout(listen, 5, port));
  server.listen(port, "127.0.0.1", () => {
    const address = server.address();
    const bound = address !== null && typeof address === "object" ? address.port : 0;
    if (port === 0) process.stdout.write(`listening ${bound}\n`);
    setTimeout(() => {
      server.close();
      setTimeout(listen, 3, bound);
    }, 200);
  });
}

process.stdin.on("data", () => process.stdout.write(`seen ${Buffer.from(seen).toString("base64")}\n`));
process.stdin.on("end", () => process.exit(0));
listen(0);
