// Streams of clients that only listen, each on a socket of its own: a fetch has a limit for the whole process.
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { modernRequest } from "../kit/modern-raw.ts";
import { RawClient } from "../kit/raw-client.ts";

export type Era = "legacy" | "modern";

/** Opened at the same time. */
const batch = 50;
const openMs = 20_000;
const commentMs = 60_000;
/** Timers and scheduling of a machine that is busy are not a comment that was missed. */
const slack = 1.5;

interface Stream {
  readonly socket: Socket;
  isOpen: boolean;
  comments: number;
  /** Called with each comment. */
  commented: () => void;
  lastAt: number;
  longestMs: number;
}

export class Streams implements AsyncDisposable {
  readonly #all: readonly Stream[];

  private constructor(all: readonly Stream[]) {
    this.#all = all;
  }

  /** Resolves when the head of each stream has come. */
  static async open(url: string, era: Era, count: number): Promise<Streams> {
    const all: Stream[] = [];
    while (all.length < count) {
      const next = Array.from({ length: Math.min(batch, count - all.length) }, () => openStream(url, era));
      all.push(...(await Promise.all(next)));
    }
    return new Streams(all);
  }

  get openCount(): number {
    return this.#all.filter(({ isOpen }) => isOpen).length;
  }

  /** Resolves when each of them has so many more comments; rejects where that takes far too long. */
  async commented(times: number): Promise<void> {
    const each = this.#all.map(async (stream) => {
      const wanted = stream.comments + times;
      await new Promise<void>((resolve) => {
        stream.commented = () => stream.comments >= wanted && resolve();
      });
    });
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error("a stream is silent")), commentMs);
    await Promise.race([Promise.all(each), late.promise]).finally(() => clearTimeout(timer));
  }

  /** Counts from now on. */
  reset(): void {
    const now = performance.now();
    for (const stream of this.#all) Object.assign(stream, { comments: 0, longestMs: 0, lastAt: now });
  }

  /** What was heard since the last `reset`; a stream that ended, or was silent for too long, has missed a comment. */
  heard(keepAliveMs: number): { readonly comments: number; readonly missed: number; readonly longestMs: number } {
    const now = performance.now();
    let [comments, missed, longestMs] = [0, 0, 0];
    for (const stream of this.#all) {
      // The silence that still goes on counts too.
      const silenceMs = Math.max(stream.longestMs, now - stream.lastAt);
      comments += stream.comments;
      longestMs = Math.max(longestMs, silenceMs);
      if (!stream.isOpen || silenceMs > keepAliveMs * slack) missed += 1;
    }
    return { comments, missed, longestMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#all) socket.destroy();
  }
}

async function openStream(url: string, era: Era): Promise<Stream> {
  const head = era === "legacy" ? await legacyHead(url) : modernHead(url);
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const stream: Stream = { socket, isOpen: false, comments: 0, commented: () => {}, lastAt: 0, longestMs: 0 };
  const opened = Promise.withResolvers<void>();
  const timer = setTimeout(() => opened.reject(new Error(`no head of a ${era} stream in ${openMs} ms`)), openMs);
  socket.on("connect", () => socket.write(head));
  socket.on("data", (bytes: Buffer) => {
    if (stream.isOpen) return count(stream, bytes);
    const text = bytes.toString();
    stream.isOpen = text.startsWith("HTTP/1.1 200") && text.includes("text/event-stream");
    if (stream.isOpen) opened.resolve();
    else opened.reject(new Error(`a ${era} stream was answered with ${text.slice(0, 300)}`));
  });
  socket.on("error", opened.reject);
  socket.on("close", () => {
    stream.isOpen = false;
    opened.reject(new Error(`a ${era} stream was closed`));
  });
  await opened.promise.finally(() => clearTimeout(timer));
  return stream;
}

/** A comment is written at once, as a chunk or a part of one whose line starts with a colon. */
function count(stream: Stream, bytes: Buffer): void {
  const comments = bytes.toString("latin1").match(/^:/gm)?.length ?? 0;
  if (comments === 0) return;
  const now = performance.now();
  stream.longestMs = Math.max(stream.longestMs, now - stream.lastAt);
  stream.lastAt = now;
  stream.comments += comments;
  stream.commented();
}

async function legacyHead(url: string): Promise<string> {
  const client = new RawClient(url);
  await client.initialize();
  return headOf("GET", url, {
    accept: "text/event-stream",
    "mcp-session-id": client.sessionId ?? "",
    "mcp-protocol-version": client.protocolVersion ?? "",
  });
}

function modernHead(url: string): string {
  const { body, headers } = modernRequest("subscriptions/listen", { notifications: { toolsListChanged: true } });
  const text = JSON.stringify(body);
  const more = {
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(text)),
  };
  return `${headOf("POST", url, { ...headers, ...more })}${text}`;
}

function headOf(method: string, url: string, headers: Readonly<Record<string, string | undefined>>): string {
  const { host, pathname } = new URL(url);
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value ?? ""}\r\n`);
  return `${method} ${pathname} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
