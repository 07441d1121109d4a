// One connection that sends a request, reads its answer, and gives up early on what never ends.
import { connect, type Socket } from "node:net";

export interface Reply {
  readonly status: number;
  readonly head: string;
  /** Of a stream: what came of it. */
  readonly body: string;
}

export class Connection {
  readonly #port: number;
  #socket: Socket | undefined;
  #text = "";
  #wake: () => void = () => {};
  #isClosed = true;

  constructor(port: number) {
    this.#port = port;
  }

  /** The answer; undefined where none came in time, or the connection was closed without one. */
  async ask(bytes: Buffer, patienceMs: number): Promise<Reply | undefined> {
    const socket = this.#open();
    this.#text = "";
    const verb = /^(?:GET|HEAD)(?= )/.exec(bytes.toString("latin1", 0, 5))?.[0];
    socket.write(bytes);
    const end = Date.now() + patienceMs;
    for (;;) {
      const reply = read(this.#text, this.#isClosed, verb);
      if (reply) {
        // What follows belongs to nobody; a stream goes on for ever.
        if (reply.isLast) this.close();
        return reply;
      }
      const leftMs = end - Date.now();
      if (this.#isClosed || leftMs <= 0) {
        this.close();
        return undefined;
      }
      await this.#change(leftMs);
    }
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#isClosed = true;
  }

  #open(): Socket {
    if (this.#socket && !this.#isClosed) return this.#socket;
    const socket = connect(this.#port, "127.0.0.1");
    this.#socket = socket;
    this.#isClosed = false;
    socket.on("data", (chunk: Uint8Array) => {
      if (this.#socket !== socket) return;
      this.#text += Buffer.from(chunk).toString("latin1");
      this.#wake();
    });
    const over = (): void => {
      if (this.#socket !== socket) return;
      this.#isClosed = true;
      this.#wake();
    };
    for (const event of ["end", "close", "error"]) socket.on(event, over);
    return socket;
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function read(
  text: string,
  isClosed: boolean,
  verb: string | undefined,
): (Reply & { readonly isLast: boolean }) | undefined {
  const start = /^(?:HTTP\/1\.1 100 [^]*?\r\n\r\n)*/.exec(text)?.[0].length ?? 0;
  const end = text.indexOf("\r\n\r\n", start);
  if (end < 0) return undefined;
  const head = text.slice(start, end);
  const [, status = "0"] = /^HTTP\/1\.[01] (\d{3}) /.exec(head) ?? [];
  const rest = text.slice(end + 4);
  const isClosing = /\r\nconnection: close/i.test(head);
  const reply = (body: string, isLast: boolean): Reply & { isLast: boolean } => ({
    status: Number(status),
    head,
    body,
    isLast,
  });
  if (/\r\ncontent-type: text\/event-stream/i.test(head)) {
    // Enough of it: its end, or its first event; one that only listens may say nothing.
    return isClosed || verb === "GET" || rest.includes("\n\n") || rest.includes("0\r\n\r\n")
      ? reply(rest, true)
      : undefined;
  }
  if (verb === "HEAD") return reply("", isClosing);
  const [, length] = /\r\ncontent-length: (\d+)/i.exec(head) ?? [];
  if (length !== undefined)
    return rest.length >= Number(length) || isClosed ? reply(rest.slice(0, Number(length)), isClosing) : undefined;
  return reply(rest, true);
}

/** A POST of a message to the endpoint, with the session where there is one. */
export function post(message: object, session?: string): Buffer {
  const body = JSON.stringify(message);
  const head = [
    "POST /mcp HTTP/1.1",
    "Host: 127.0.0.1",
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    ...(session === undefined ? [] : ["MCP-Protocol-Version: 2025-11-25", `Mcp-Session-Id: ${session}`]),
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/** The id of a new session. */
export async function openSession(connection: Connection): Promise<string> {
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "fuzz", version: "1" } };
  const reply = await connection.ask(post({ jsonrpc: "2.0", id: 0, method: "initialize", params }), 30_000);
  const [, session] = /\r\nmcp-session-id: (\S+)/i.exec(reply?.head ?? "") ?? [];
  if (session === undefined) throw new Error(`no session: ${JSON.stringify(reply)}`);
  return session;
}
