// A TCP connection to the front, with requests as bytes and answers as text.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { within } from "./peer.ts";

/** One TCP connection, and the text that came on it. */
export class Wire {
  readonly socket: Socket;
  text = "";
  isClosed = false;
  /** The server has closed its side. */
  isEnded = false;
  /** How the connection broke, if it did. */
  error: unknown;
  #changed = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Uint8Array) => this.#change(() => (this.text += Buffer.from(chunk).toString("latin1"))));
    socket.on("end", () => this.#change(() => (this.isEnded = true)));
    socket.on("close", () => this.#change(() => (this.isEnded = this.isClosed = true)));
    socket.on("error", (error) => this.#change(() => (this.error = error)));
  }

  async until(pattern: RegExp): Promise<void> {
    await this.when(String(pattern), () => pattern.test(this.text) || this.isClosed);
    assert.match(this.text, pattern);
  }

  async closed(): Promise<void> {
    await this.when("the end of the connection", () => this.isClosed);
  }

  /** Waits until something holds of what came. */
  async when(what: string, holds: () => boolean): Promise<void> {
    const seen = async (): Promise<void> => {
      while (!holds()) await this.#changed.promise;
    };
    await within(seen(), what);
  }

  /** A request as bytes. */
  request(
    method: string,
    client: { readonly sessionId: string | undefined },
    body: string = "",
    changes: Readonly<Record<string, string>> = {},
  ): void {
    const headers = {
      host: "localhost",
      accept: "application/json, text/event-stream",
      "mcp-session-id": client.sessionId ?? "",
      ...(method === "POST" && {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
      }),
      ...changes,
    };
    const lines = Object.entries(headers).flatMap(([name, value]) => (value === "" ? [] : [`${name}: ${value}`]));
    this.socket.write(`${method} /mcp HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
  }

  #change(change: () => void): void {
    change();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

export async function openWire(port: number): Promise<Wire> {
  const socket = connect(port, "127.0.0.1");
  const wire = new Wire(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return wire;
}
