// What a hostile server answers over HTTP: a good handshake, so that calls come, and then whatever it likes.
import type { Socket } from "node:net";
import { serveRaw, type RawServer } from "../backend/raw-server.ts";
import type { Messages } from "./messages.ts";
import { mutate, type Random } from "./random.ts";

export interface Hostile extends AsyncDisposable {
  readonly url: string;
  /** Replies that were not what they should have been. */
  readonly replies: number;
}

const tools = '{"tools":[{"name":"go","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":false}}]}';
const info = (version: unknown): string =>
  `{"protocolVersion":${JSON.stringify(version)},"capabilities":{"tools":{},"resources":{}},"serverInfo":{"name":"h","version":"1"}}`;

export async function serveHostile(random: Random, messages: Messages): Promise<Hostile> {
  let replies = 0;
  const server: RawServer = await serveRaw(({ method, body }, socket) => {
    if (method !== "POST") return void socket.write("HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
    const { id, method: name, params } = parse(body);
    if (id === undefined) return void socket.write("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    if (name === "initialize")
      return void socket.write(json(id, info(Object(params).protocolVersion), "Mcp-Session-Id: s\r\n"));
    if (name === "tools/list") return void socket.write(json(id, tools));
    if (name === "ping") return void socket.write(json(id, "{}"));
    if (name !== "tools/call")
      return void socket.write(
        jsonText(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32601,"message":"no"}}`),
      );
    replies += 1;
    answer(random, messages, id, socket);
  });
  return {
    url: `http://127.0.0.1:${server.port}/mcp`,
    get replies(): number {
      return replies;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function answer(random: Random, messages: Messages, id: unknown, socket: Socket): void {
  const message = messages.fromServer(id);
  const kind = random.below(40);
  if (kind === 0) return void socket.destroy();
  if (kind === 1) return void socket.end(random.bytes(1 + random.below(200)));
  const bytes = kind < 12 ? events(random, messages, id, message) : plain(random, message);
  const sent = random.once(8) ? mutate(random, bytes, message) : bytes;
  socket.write(sent);
  // What may be half of an answer would only wait.
  if (sent !== bytes || random.once(30)) socket.end();
}

function plain(random: Random, message: Buffer): Buffer {
  const status = random.once(10) ? random.pick([204, 301, 307, 400, 401, 403, 404, 429, 500, 503, 999]) : 200;
  const type = random.once(20)
    ? random.pick(["text/html", "", "application/json; charset=x", "text/event-stream"])
    : "application/json";
  const extra = random.once(8)
    ? random.pick([
        "Retry-After: 0\r\n",
        "Retry-After: 99999999999999\r\n",
        "Location: http://127.0.0.1:1/\r\n",
        "Location: //evil.example/\r\n",
        'WWW-Authenticate: Bearer resource_metadata="http://169.254.169.254/"\r\n',
        "Content-Encoding: gzip\r\n",
        "Mcp-Session-Id: other\r\n",
        "Set-Cookie: a=b\r\n",
        `X: ${"y".repeat(3000)}\r\n`,
        "X: y\r\n".repeat(200),
      ])
    : "";
  const isChunked = random.once(6);
  const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${message.length}`;
  const head = Buffer.from(`HTTP/1.1 ${status} OK\r\nContent-Type: ${type}\r\n${extra}${framing}\r\n\r\n`);
  return isChunked ? Buffer.concat([head, chunk(message), Buffer.from("0\r\n\r\n")]) : Buffer.concat([head, message]);
}

function events(random: Random, messages: Messages, id: unknown, last: Buffer): Buffer {
  const parts: Uint8Array[] = [
    Buffer.from("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
  ];
  for (let left = random.below(4); left > 0; left -= 1) parts.push(chunk(event(random, messages.fromServer(id))));
  if (!random.once(10)) parts.push(chunk(event(random, last)));
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

function event(random: Random, message: Buffer): Buffer {
  const lines = message.toString("latin1").split(/\r\n|\n|\r/);
  const extra = random.once(5)
    ? random.pick(["id: \0\n", "retry: 99999999999\n", "retry: 0\n", "event: x\n", ":\n", "data\n", "\ufeff"])
    : "";
  return Buffer.from(`${extra}${lines.map((line) => `data: ${line}\n`).join("")}\n`, "latin1");
}

function chunk(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

function json(id: unknown, result: string, more = ""): string {
  return jsonText(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`, more);
}

function jsonText(text: string, more = ""): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

function parse(body: Buffer): { readonly id?: unknown; readonly method?: unknown; readonly params?: unknown } {
  try {
    return Object(JSON.parse(body.toString()));
  } catch {
    return {};
  }
}
