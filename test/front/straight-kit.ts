// A gateway on a socket and a backend whose every byte the test gives, to compare the two ways that a call can go.
import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Link } from "../../lib/backend/link.ts";
import { backendDefaults, type ReplicaPlan } from "../../lib/config/plan.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import type { Gateway } from "../../lib/gateway.ts";
import { listen, type Listener } from "../../lib/listen.ts";
import { createGateway, type Settings } from "./kit.ts";
import { Queue } from "./peer.ts";
import { Wire } from "./wire.ts";

/** A message that came to the backend, and the connection on which it is to be answered. */
export interface Heard {
  readonly head: string;
  readonly text: string;
  readonly id: string;
  readonly socket: Socket;
}

class Backend {
  readonly calls: Queue<Heard> = new Queue();
  readonly notices: Queue<Heard> = new Queue();
  /** Requests for the list of tools, where the test answers them. */
  listings: Queue<Heard> | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  sessions = 0;

  constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`;
  }

  close(): void {
    this.#server.close();
  }

  /** Is gone, and its connections with it. */
  vanish(): void {
    this.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    let text = "";
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes: Uint8Array) => {
      text += Buffer.from(bytes).toString("latin1");
      for (;;) {
        const [head = "", length = "0"] =
          /^[^]*?\r\n\r\n/.exec(text)?.[0].match(/[^]*?content-length: (\d+)[^]*|[^]+/) ?? [];
        if (head === "" || text.length < head.length + Number(length)) return;
        const body = text.slice(head.length, head.length + Number(length));
        text = text.slice(head.length + Number(length));
        this.#hear(socket, head, body);
      }
    });
  }

  #hear(socket: Socket, head: string, text: string): void {
    if (!head.startsWith("POST")) return void socket.write("HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
    const id = /"id":("?[^,"}]*"?)/.exec(text)?.[1] ?? "";
    const heard = { head, text, id, socket };
    if (text.includes('"tools/call"')) return this.calls.push(heard);
    if (this.listings && text.includes('"tools/list"')) return this.listings.push(heard);
    if (id === "") {
      socket.write("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
      return this.notices.push(heard);
    }
    const isOpening = text.includes('"initialize"');
    if (isOpening) this.sessions += 1;
    const info = '"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"b","version":"1"}';
    const list = '"tools":[{"name":"t","inputSchema":{"type":"object"}}]';
    const body = text.includes('"server/discover"')
      ? `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"no"}}`
      : `{"jsonrpc":"2.0","id":${id},"result":{${isOpening ? info : list}}}`;
    socket.write(json(body, isOpening ? `Mcp-Session-Id: s${this.sessions}\r\n` : ""));
  }
}

export function json(body: string, more: string = "", status: string = "200 OK"): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export const result = (id: string, text: string = "done"): string =>
  `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"${text}"}]}}`;

/** How many calls went straight. */
let straight = 0;
let isBarred = false;
const { value: original } = Object.getOwnPropertyDescriptor(Link.prototype, "straight") ?? {};
Link.prototype.straight = function count(this: Link, ...args): boolean {
  const went: boolean = !isBarred && Reflect.apply(original, this, args);
  if (went) straight += 1;
  return went;
};

export const wentStraight = (): number => straight;

/** Does something while no call can go straight. */
export async function theLongWay<T>(action: () => Promise<T>): Promise<T> {
  isBarred = true;
  try {
    return await action();
  } finally {
    isBarred = false;
  }
}

export type BenchSettings = Settings & {
  readonly callMs?: number;
  /** What the client shows with each request. */
  readonly key?: string;
  /** Instead of the backend whose bytes the test gives. */
  readonly replica?: ReplicaPlan;
};

export class Bench implements AsyncDisposable {
  readonly backend: Backend = new Backend();
  gateway!: Gateway;
  #listener: Listener | undefined;
  #session = "";
  #shown: Readonly<Record<string, string>> = {};

  static async start(options: BenchSettings = {}): Promise<Bench> {
    const { callMs = backendDefaults.callMs, key, replica, ...settings } = options;
    const bench = new Bench();
    const url = await bench.backend.listen();
    const replicas = [replica ?? { kind: "http" as const, url, headers: {} }];
    const backends = [{ ...backendDefaults, name: "b" as BackendName, replicas, callMs }];
    bench.gateway = await createGateway({ ...settings, plan: { ...settings.plan, backends } }, {});
    if (key !== undefined) bench.#shown = { authorization: `Bearer ${key}` };
    await bench.gateway.settled(5_000);
    bench.#listener = await listen({ host: "127.0.0.1", port: 0, handle: (request) => bench.gateway.handle(request) });
    const wire = bench.connect();
    const params = '{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}';
    bench.post(wire, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":${params}}`);
    await wire.until(/"result"/);
    bench.#session = /mcp-session-id: (\S+)/.exec(wire.text)?.[1] ?? "";
    wire.socket.destroy();
    return bench;
  }

  connect(): Wire {
    return new Wire(connect({ host: "127.0.0.1", port: Number(this.#listener?.url.port), allowHalfOpen: true }));
  }

  post(wire: Wire, message: string, shown: Readonly<Record<string, string>> = this.#shown): void {
    wire.request("POST", { sessionId: this.#session }, message, shown);
  }

  /** A connection whose next call with the same head goes straight. */
  async warm(): Promise<Wire> {
    const wire = this.connect();
    this.post(wire, call("warm"));
    const { id, socket } = await this.backend.calls.next("the first call");
    socket.write(json(result(id)));
    await wire.until(/"warm"/);
    wire.text = "";
    return wire;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close();
    await this.#listener?.close(true);
    this.backend.close();
  }
}

/** Ids are of one length, so that the heads are the same. */
export const call = (id: string, more: string = '"arguments":{"a":"é"}'): string =>
  `{"jsonrpc":"2.0","id":"${id}","method":"tools/call","params":{"name":"b__t",${more}}}`;

/** Without what differs from run to run: the time, ids of streams, ports, and where chunks are cut. */
const plain = (text: string): string =>
  text
    .replace(/^date: .*\r\n/gm, "")
    .replaceAll(/[0-9a-f]{8}-\d+-/g, "")
    .replaceAll(/127\.0\.0\.1:\d+/g, "")
    .replaceAll(/\r\n[0-9a-f]+(?=\r\n)/g, "")
    .replaceAll("\n\r\n", "\n");

/** What the client gets of one call: on the long way, straight as the first one of its connection, and as a later one. */
export async function bothWays(
  answer: (heard: Heard, bench: Bench) => void | Promise<void>,
  until: RegExp,
  settings: BenchSettings = {},
  message: string = call("next"),
): Promise<string> {
  const texts: string[] = [];
  for (const way of ["long", "first", "later"] as const) {
    await using bench = await Bench.start(settings);
    const wire = way === "later" ? await bench.warm() : bench.connect();
    const before = straight;
    const ask = async (): Promise<Heard> => {
      bench.post(wire, message);
      return await bench.backend.calls.next("the call");
    };
    const heard = way === "long" ? await theLongWay(ask) : await ask();
    assert.equal(straight - before, way === "long" ? 0 : 1);
    assert.match(heard.text, /^\{"jsonrpc":"2.0","id":\d+,"method":"tools\/call","params":\{"name":"t"/);
    await answer(heard, bench);
    await wire.until(until);
    texts.push(plain(wire.text));
    wire.socket.destroy();
  }
  const [long, first, later] = texts;
  assert.equal(first, long);
  assert.equal(later, long);
  return long ?? "";
}
