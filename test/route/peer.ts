// A small MCP server over HTTP inside the test, whose answers the test writes itself.
import { createServer, type ServerResponse } from "node:http";

export interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

/** How one request is answered: `reply` ends it; `send` writes before that on the same stream. */
export interface Exchange {
  readonly message: Message;
  readonly params: Readonly<Record<string, unknown>>;
  send(message: object): void;
  reply(result: object): void;
  fail(code: number, text?: string): void;
  /** Ends it with members of the answer as they are. */
  answer(members: object): void;
  /** Takes a notification. */
  accept(): void;
  /** Ends the stream on which messages were sent. */
  end(): void;
  /** Breaks the connection without an answer. */
  drop(): void;
}

export type Answers = Readonly<Record<string, (exchange: Exchange) => void>>;

export interface McpPeer extends AsyncDisposable {
  readonly url: string;
  /** Everything that came in, in order. */
  readonly got: readonly Message[];
  count(method: string): number;
  /** Sends on the standalone stream, under an id where there is one; of several, on the last one that came. */
  push(message: object, id?: string, at?: number): void;
  /** The standalone streams that were asked for: the last event that each names. */
  readonly asked: readonly (string | undefined)[];
  /** What asks for a standalone stream is answered with, instead of one. */
  refusal: number | undefined;
  /** Ends the standalone streams; sessions live on. */
  cut(): void;
  /** Resolves when `holds` does; looked at after each message that comes in. */
  until(holds: () => boolean): Promise<void>;
  /** All sessions are forgotten: the next request with one gets 404. */
  forget(): void;
}

export async function servePeer(capabilities: object, answers: Answers): Promise<McpPeer> {
  const got: Message[] = [];
  const streams = new Set<ServerResponse>();
  const waiting = new Set<() => void>();
  const asked: (string | undefined)[] = [];
  let epoch = 0;
  const server = createServer((request, response) => {
    response.on("error", () => {});
    const session = request.headers["mcp-session-id"];
    if (session !== undefined && session !== `s${epoch}`) return void response.writeHead(404).end();
    if (request.method === "GET") {
      asked.push(request.headers["last-event-id"]?.toString());
      if (peer.refusal !== undefined) response.writeHead(peer.refusal).end();
      else {
        response.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n");
        streams.add(response);
      }
      for (const check of waiting) check();
      return;
    }
    if (request.method === "DELETE") return void response.writeHead(200).end();
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const message = JSON.parse(Buffer.concat(chunks).toString()) as Message;
      got.push(message);
      answer(message, response);
      for (const check of waiting) check();
    });
  });
  const answer = (message: Message, response: ServerResponse): void => {
    const { id, method = "" } = message;
    const exchange = exchangeOf(message, response);
    if (id === undefined || message.method === undefined) {
      const noted = answers[method];
      return noted ? noted(exchange) : exchange.accept();
    }
    if (method === "initialize") {
      response.setHeader("mcp-session-id", `s${epoch}`);
      return exchange.reply({
        protocolVersion: "2025-11-25",
        capabilities,
        serverInfo: { name: "peer", version: "1" },
      });
    }
    if (method === "ping") return exchange.reply({});
    const own = answers[method];
    if (own) own(exchange);
    else exchange.fail(-32601, "no such method");
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const peer: McpPeer = {
    url: `http://127.0.0.1:${port}/mcp`,
    asked,
    refusal: undefined,
    got,
    count: (method) => got.filter((message) => message.method === method).length,
    push: (message, id, at = -1) =>
      [...streams].at(at)?.write(`${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(message)}\n\n`),
    cut: () => {
      for (const stream of streams) stream.end("retry: 50\n\n");
      streams.clear();
    },
    until: (holds) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not within 30 s; got ${JSON.stringify(got)}`)), 30_000);
        const check = (): void => {
          if (!holds()) return;
          waiting.delete(check);
          clearTimeout(timer);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    forget: () => {
      epoch += 1;
      for (const stream of streams) stream.destroy();
      streams.clear();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
  return peer;
}

function exchangeOf(message: Message, response: ServerResponse): Exchange {
  const { id, params = {} } = message;
  const finish = (body: object): void => {
    const text = JSON.stringify({ jsonrpc: "2.0", id, ...body });
    if (response.headersSent) response.end(`data: ${text}\n\n`);
    else response.writeHead(200, { "content-type": "application/json" }).end(text);
  };
  return {
    message,
    params,
    send(other) {
      if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`data: ${JSON.stringify(other)}\n\n`);
    },
    reply: (result) => finish({ result }),
    answer: finish,
    fail: (code, text = "refused") => finish({ error: { code, message: text } }),
    accept: () => void response.writeHead(202).end(),
    end: () => void response.end(),
    drop: () => response.destroy(),
  };
}
