// One request of a client as its routes see it: the head, and the body while it still comes.

import { GatewayError } from "../core/errors.ts";
import { isLoopback } from "../core/loopback.ts";
import type { TcpSocket } from "../core/tcp.ts";
import { type HttpRequest, type Lane, type Leave, tellGone } from "./exchange.ts";
import type { RequestHead } from "./request-head.ts";

/** What a request asks of the connection on which it comes. */
export interface RequestSource {
  /** The client waits to be told that its body is wanted. */
  wanted(): void;
  /** Requests that begin like this one may go straight. */
  offer(lane: () => Lane, isStream: boolean): void;
}

/** What comes of a body before anybody asks for it. */
const unaskedBytes = 64 * 1024;
/** Room is made for so much of what a client announces. */
const trustedBytes = 2 ** 20;

const settled: RequestHead = {
  method: "",
  path: "/",
  query: "",
  headers: new Map(),
  framing: { kind: "none" },
  keepAlive: true,
  isOld: false,
  expects: "nothing",
};

export class IncomingRequest implements HttpRequest {
  head: RequestHead;
  judgedBy: object | undefined;
  readonly #source: RequestSource;
  readonly #socket: Pick<TcpSocket, "pause" | "resume" | "remoteAddress">;
  /** The body where it came in one piece, as most do. */
  #only: Uint8Array | undefined;
  /** Several pieces are copied behind each other: each by itself would cost more than the bytes in it. */
  #joined: Uint8Array | undefined;
  #length = 0;
  #maxBytes = Infinity;
  #state: "coming" | "complete" | "failed" = "coming";
  #failure: GatewayError | undefined;
  /** The client was told that its body is wanted. */
  #told = false;
  #paused = false;
  #gone: Leave | undefined;
  #waiting: { resolve(body: Uint8Array): void; reject(error: unknown): void } | undefined;

  constructor(head: RequestHead, source: RequestSource, socket: Pick<TcpSocket, "pause" | "resume" | "remoteAddress">) {
    this.head = head;
    this.#source = source;
    this.#socket = socket;
  }

  get method(): string {
    return this.head.method;
  }

  get path(): string {
    return this.head.path;
  }

  /** True when nothing more of the request can come. */
  get complete(): boolean {
    return this.#state === "complete";
  }

  /** How much of the body is still to come, as far as that is known. */
  get left(): number {
    if (this.#state === "complete") return 0;
    const { framing, expects } = this.head;
    // A client that waits in vain may send its body all the same, or its next request.
    if (framing.kind !== "length" || (expects === "continue" && !this.#told)) return Infinity;
    return framing.length - this.#length;
  }

  get query(): string {
    return this.head.query;
  }

  get isRelayed(): boolean {
    return false;
  }

  get isNear(): boolean {
    return isLoopback((this.#socket.remoteAddress ?? "").replace(/^::ffff:/, ""));
  }

  header(name: string): string | undefined {
    return this.head.headers.get(name);
  }

  get headers(): ReadonlyMap<string, string> {
    return this.head.headers;
  }

  body(maxBytes: number): Uint8Array | Promise<Uint8Array> {
    const { framing } = this.head;
    const declared = framing.kind === "length" ? framing.length : 0;
    if (Math.max(declared, this.#length) > maxBytes) throw tooLarge(maxBytes);
    if (this.#state === "complete") return this.#take();
    if (this.#state === "failed") throw this.#failure ?? cutOff();
    this.#maxBytes = maxBytes;
    if (this.head.expects === "continue") this.#tell();
    this.#goOn();
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  restore(body: Uint8Array): void {
    this.#only = body;
  }

  offer(lane: () => Lane, isStream: boolean = false): void {
    this.#source.offer(lane, isStream);
  }

  /** Called by the connection with the next piece of the body. */
  add(piece: Uint8Array): void {
    if (this.#state === "failed") return;
    if (this.#only) this.#join(this.#only, piece);
    else this.#only = piece;
    this.#length += piece.length;
    if (this.#length > this.#maxBytes) this.#fail(tooLarge(this.#maxBytes));
    else if (!this.#waiting && !this.#paused && this.#length > unaskedBytes) {
      this.#paused = true;
      this.#socket.pause();
    }
  }

  /** Called by the connection: the body is whole. */
  finish(): void {
    if (this.#state !== "coming") return;
    this.#state = "complete";
    // It may have come as a whole before anybody asked for it, and the next request is to be heard.
    this.#goOn();
    this.#waiting?.resolve(this.#take());
    this.#waiting = undefined;
  }

  whenGone(listener: Leave): void {
    this.#gone = listener;
  }

  /** Called by the connection: all has come, and the answer has begun; of the request nothing is asked any more. */
  settle(): void {
    this.head = settled;
    this.#only = this.#joined = undefined;
  }

  /** Called by the connection: nothing more comes. False where all has come, or the body was given up before. */
  cut(error: GatewayError): boolean {
    const isComing = this.#state === "coming";
    if (isComing) this.#fail(error);
    return isComing;
  }

  /** Called by the connection: the client is gone. */
  lose(): void {
    this.cut(cutOff());
    const gone = this.#gone;
    this.#gone = undefined;
    tellGone(gone);
  }

  #tell(): void {
    if (!this.#told && this.#length === 0) this.#source.wanted();
    this.#told = true;
  }

  #goOn(): void {
    if (this.#paused) this.#socket.resume();
    this.#paused = false;
  }

  #fail(error: GatewayError): void {
    this.#state = "failed";
    this.#failure = error;
    this.#only = this.#joined = undefined;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  #join(first: Uint8Array, piece: Uint8Array): void {
    const length = this.#length + piece.length;
    const before = this.#joined ?? first;
    if (!this.#joined || length > before.length) {
      const { framing } = this.head;
      // Doubled, so that each byte is copied a constant number of times; a length that is only announced is not believed.
      const roomy = framing.kind === "length" ? Math.min(framing.length, 2 * length + trustedBytes) : 2 * length;
      this.#joined = Buffer.allocUnsafe(Math.max(length, roomy));
      this.#joined.set(before.length > this.#length ? before.subarray(0, this.#length) : before, 0);
    }
    this.#joined.set(piece, this.#length);
  }

  #take(): Uint8Array {
    const body = this.#joined?.subarray(0, this.#length) ?? this.#only ?? new Uint8Array();
    this.#only = this.#joined = undefined;
    return body;
  }
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError("tooLarge", `the body is larger than ${maxBytes} bytes`);
}

/** The client went away while it sent: nobody hears this answer, and it is no bug of ours. */
function cutOff(): GatewayError {
  return new GatewayError("invalidRequest", "the body ended too early");
}
