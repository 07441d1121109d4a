// A thousand subscribers of both eras share what is held open at ten backends of both eras.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { CountingServer } from "../kit/counting-server.ts";
import { recordOf } from "../kit/fixture-world.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import type { RawClient } from "../kit/raw-client.ts";
import { Gateway, until } from "./kit.ts";

const servers = 10;
const perServer = 20;
const clients = 1_000;
const limits = { timeout: 110_000 };

type Json = Readonly<Record<string, unknown>>;

/** A stream on a socket of its own: Bun's `fetch` holds 256 requests open, and no more. */
class Stream {
  readonly #socket: Socket;
  readonly #messages: Json[] = [];
  #text = "";
  #wake: () => void = () => {};

  constructor(url: string, method: string, headers: Readonly<Record<string, string>>, body: string) {
    const { hostname, port, pathname } = new URL(url);
    const all = { host: `${hostname}:${port}`, accept: "text/event-stream, application/json", ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
    const socket = connect(Number(port), hostname);
    socket.on("data", (bytes: Buffer) => this.#read(bytes.toString()));
    socket.on("error", () => {});
    const length =
      body === "" ? "" : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    socket.write(`${method} ${pathname} HTTP/1.1\r\n${lines.join("\r\n")}\r\n${length}\r\n${body}`);
    this.#socket = socket;
  }

  /** The next message; comments and events without data are none. */
  async next(): Promise<Json> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) return message;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#text += text;
    const lines = this.#text.split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) if (/^data: ./.test(line)) this.#messages.push(recordOf(JSON.parse(line.slice(6))));
    this.#wake();
  }
}

/** One subscriber: its stream, the resource that it hears of, and the session that it may have. */
interface Subscriber {
  readonly uri: string;
  readonly stream: Stream;
  readonly client?: RawClient;
}

const uriOf = (server: number, at: number): string => `test://server-${server}/${at}`;

async function subscribeLegacy(gateway: Gateway, uri: string): Promise<Subscriber> {
  const client = await gateway.client();
  const headers = { "mcp-session-id": client.sessionId ?? "", "mcp-protocol-version": client.protocolVersion ?? "" };
  const stream = new Stream(gateway.url(), "GET", headers, "");
  assert.match(await client.request("resources/subscribe", { uri }, 1), /"result"/);
  return { uri, stream, client };
}

async function subscribeModern(gateway: Gateway, uri: string, id: string): Promise<Subscriber> {
  const notifications = { resourceSubscriptions: [uri] };
  const { body, headers } = modernRequest("subscriptions/listen", { notifications }, { id });
  const plain = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value ?? ""]));
  const stream = new Stream(gateway.url(), "POST", plain, JSON.stringify(body));
  const opened = await stream.next();
  assert.deepEqual(recordOf(opened["params"])["notifications"], notifications);
  return { uri, stream };
}

async function hearsUpdate({ stream, uri }: Subscriber): Promise<void> {
  for (;;) {
    const { method, params } = await stream.next();
    // The listings of a backend that is back are news to legacy sessions too.
    if (method !== "notifications/resources/updated") continue;
    assert.equal(recordOf(params)["uri"], uri);
    return;
  }
}

/** In steps: so many handshakes at once would only wait for each other. */
async function openAll(gateway: Gateway): Promise<Subscriber[]> {
  const subscribers: Subscriber[] = [];
  for (let from = 0; from < clients; from += 50) {
    const some = Array.from({ length: 50 }, (_, at) => from + at).map((number) => {
      const uri = uriOf(number % servers, Math.floor(number / servers) % perServer);
      const isLegacy = Math.floor(number / (servers * perServer)) % 2 === 0;
      return isLegacy ? subscribeLegacy(gateway, uri) : subscribeModern(gateway, uri, `listen-${number}`);
    });
    subscribers.push(...(await Promise.all(some)));
  }
  return subscribers;
}

function assertShared(all: readonly CountingServer[]): void {
  for (const server of all) {
    assert.equal(server.streams, 1);
    assert.deepEqual(
      [...server.held.values()],
      Array.from({ length: perServer }, () => 1),
    );
  }
}

test(
  "subscriptions: a thousand of both eras share one stream a link and one subscription a resource",
  limits,
  async () => {
    await using stack = new AsyncDisposableStack();
    const names = (server: number): string[] => Array.from({ length: perServer }, (_, at) => uriOf(server, at));
    const eras = ["legacy", "modern"] as const;
    const all = await Promise.all(
      Array.from({ length: servers }, (_, at) => CountingServer.start(at % 2 === 0 ? eras[0] : eras[1], names(at))),
    );
    for (const server of all) stack.use(server);
    const backends = Object.fromEntries(all.map(({ url }, at) => [`b${at}`, { url }]));
    const gateway = stack.use(await Gateway.start({ backends }));
    await gateway.up(...Object.keys(backends));

    const subscribers = await openAll(gateway);
    await until(() => all.every(({ streams }) => streams === 1), "one stream is left at each backend");
    assertShared(all);
    const [legacy] = all;
    assert.ok(legacy);
    // Also in all: nobody subscribed twice to what others had.
    assert.deepEqual(
      [...legacy.subscribed.values()],
      Array.from({ length: perServer }, () => 1),
    );

    for (const [at, server] of all.entries()) for (const uri of names(at)) server.touch(uri);
    await Promise.all(subscribers.map(hearsUpdate));

    for (const server of all.slice(0, 2)) await server.kill();
    for (const server of all.slice(0, 2)) await server.open();
    await until(() => all.every(({ streams, held }) => streams === 1 && held.size === perServer), "all is as before");
    assertShared(all);
    // What changed meanwhile nobody knows, so the subscribers are told to look.
    await Promise.all(subscribers.filter((_, at) => at % servers < 2).map(hearsUpdate));

    for (const { stream } of subscribers) stream.close();
    for (const { client } of subscribers) await client?.delete();
    await until(() => all.every(({ held }) => held.size === 0), "nothing is subscribed to any more");
    const health = recordOf(await (await fetch(new URL("/health", gateway.url()))).json());
    assert.deepEqual([health["sessions"], health["listeners"]], [0, 0]);
    assert.ok(all.every(({ streams }) => streams <= 1));
  },
);
