// HTTP requests around messages: heads that are right, odd, contradictory or damaged, and bodies in every framing.
import type { Messages } from "./messages.ts";
import { mutate, type Random } from "./random.ts";

export interface Sent {
  readonly bytes: Buffer;
  /** The server can tell where it ends: an answer comes without more. */
  readonly isWhole: boolean;
}

/** What the front gave out before: its clients come back with it, whole or not. */
export interface Memory {
  readonly sessions: string[];
}

const paths = [
  "/mcp/",
  "/mcp/time",
  "/mcp/%00",
  "/mcp/../mcp",
  "/sse",
  "/messages?sessionId=x",
  "/health",
  "/why",
  "/livez",
  "/",
  "//",
  "*",
  "http://127.0.0.1/mcp",
  "/mcp?pageSize=1",
  `/${"a".repeat(3000)}`,
];
const verbs = ["GET", "DELETE", "OPTIONS", "HEAD", "PUT", "post", "CONNECT", "X".repeat(50)];
const revisions = ["2025-11-25", "2025-06-18", "2025-03-26", "2026-07-28", "nonsense"];
const odd = [
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Content-Length: 5",
  "Content-Length: -1",
  "Content-Length: 18446744073709551617",
  "Content-Encoding: gzip",
  "Expect: 100-continue",
  "Expect: x",
  "Upgrade: h2c",
  "Connection: close",
  "Host: evil.example",
  "Origin: https://evil.example",
  "Origin: http://localhost",
  "Authorization: Bearer x",
  "Cookie: a=b",
  "Last-Event-ID: 00000000-1-1",
  "Mcp-Method: tools/call",
  "Mcp-Name: =?base64?AA==?=",
  "Mcp-Param-X: 1",
  "X-Forwarded-For: 1.1.1.1",
  " folded: x",
  "no colon",
  ": no name",
  `X: ${"y".repeat(5000)}`,
];

export class Requests {
  readonly #random: Random;
  readonly #messages: Messages;
  readonly #memory: Memory;

  constructor(random: Random, messages: Messages, memory: Memory) {
    this.#random = random;
    this.#messages = messages;
    this.#memory = memory;
  }

  next(): Sent {
    const random = this.#random;
    if (random.once(40)) return { bytes: random.bytes(1 + random.below(300)), isWhole: false };
    const whole = this.#written();
    if (!random.once(6)) return whole;
    return { bytes: mutate(random, whole.bytes, random.bytes(50)), isWhole: false };
  }

  #written(): Sent {
    const random = this.#random;
    const verb = random.once(8) ? random.pick(verbs) : "POST";
    const path = random.once(10) ? random.pick(paths) : "/mcp";
    const body = verb === "POST" || random.once(10) ? this.#messages.fromClient() : Buffer.alloc(0);
    const headers = this.#headers();
    const extra = random.once(10) ? [random.pick(odd)] : [];
    const isChunked = random.once(8);
    const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`;
    const version = random.once(60) ? random.pick(["HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "http/1.1"]) : "HTTP/1.1";
    const lines = [`${verb} ${path} ${version}`, ...headers, ...extra, framing];
    const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    const isWhole = extra.length === 0 && version === "HTTP/1.1" && verb !== "CONNECT";
    return { bytes: Buffer.concat([head, isChunked ? this.#chunked(body) : body]), isWhole };
  }

  #headers(): readonly string[] {
    const random = this.#random;
    const { method, name, isModern } = this.#messages.last;
    const [first = "none", ...others] = this.#memory.sessions;
    const session = random.once(2) || others.length === 0 ? first : random.once(10) ? "none" : random.pick(others);
    const version = random.once(20) ? random.pick(revisions) : isModern ? "2026-07-28" : "2025-11-25";
    return [
      random.once(50) ? "Host:" : "Host: 127.0.0.1:7337",
      `Accept: ${random.once(30) ? "text/html" : "application/json, text/event-stream"}`,
      `Content-Type: ${random.once(30) ? "text/plain" : "application/json"}`,
      ...(isModern || method === "initialize"
        ? []
        : [`Mcp-Session-Id: ${random.once(30) ? session.slice(1) : session}`]),
      ...(method === "initialize" ? [] : [`MCP-Protocol-Version: ${version}`]),
      ...(isModern ? [`Mcp-Method: ${method}`, `Mcp-Name: ${name.slice(0, 200)}`] : []),
    ];
  }

  #chunked(body: Buffer): Buffer {
    const random = this.#random;
    const parts: Uint8Array[] = [];
    for (let at = 0; at < body.length;) {
      const size = 1 + random.below(Math.min(200, body.length - at));
      parts.push(
        Buffer.from(`${size.toString(16)}${random.once(10) ? ";a=b" : ""}\r\n`),
        body.subarray(at, at + size),
        Buffer.from("\r\n"),
      );
      at += size;
    }
    return Buffer.concat([...parts, Buffer.from(random.once(10) ? "0\r\nX: y\r\n\r\n" : "0\r\n\r\n")]);
  }
}
