// Requests that only another process of the gateway can answer: handed to it as they came, and its answer handed back.

import type { Bus, Message } from "../cluster/bus.ts";
import { GatewayError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import { principalText, readPrincipal } from "../core/principal-text.ts";
import { every } from "../core/scope.ts";
import { asRecord } from "../core/text.ts";
import type { EventSink } from "./eventlog.ts";
import { type Headers, type HttpReply, type HttpRequest, type Leave, type Relay, tellGone } from "./exchange.ts";
import { emptyReply, errorReply, isEvents } from "./reply.ts";

/** How often it is looked whether a process is still there that owes an answer. */
const lookMs = 2_000;
/** Who sent a request is known, and how the connection was used is not of interest. */
const own: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "connection",
  "content-length",
  "transfer-encoding",
]);

type Receive = (request: HttpRequest, path: string, who: Principal) => HttpReply | Promise<HttpReply>;

/** A request that another process answers. */
interface Outgoing {
  readonly node: string;
  readonly answer: (reply: HttpReply) => void;
  sink: EventSink | undefined;
  /** What came before the client's connection carries the stream. */
  early: Uint8Array[];
  isEnded: boolean;
  /** The process that sends it was told to wait for the client. */
  isHeld: boolean;
}

export class BusRelay implements Relay {
  readonly #bus: Bus;
  readonly #receive: Receive;
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #incoming = new Map<string, RelayedRequest>();
  readonly #stopLooking: () => void;
  #lastId = 0;

  /** `receive` answers what other processes hand over. */
  constructor(bus: Bus, receive: Receive) {
    this.#bus = bus;
    this.#receive = receive;
    this.#stopLooking = every(lookMs, () => this.#look());
    bus.on("there", () => {});
    bus.on("relay", (message) => void this.#serve(message));
    bus.on("gone", (message) => this.#incoming.get(keyOf(message))?.lose());
    bus.on("full", (message) => this.#incoming.get(keyOf(message))?.hold());
    bus.on("ready", (message) => this.#incoming.get(keyOf(message))?.release());
    bus.on("relayed", (message) => this.#answered(message));
    bus.on("piece", ({ head, body }) => {
      const id = Number(head["id"]);
      const outgoing = this.#outgoing.get(id);
      if (!outgoing?.sink) return void outgoing?.early.push(body);
      outgoing.sink.write(body);
      this.#holdUp(id, outgoing, outgoing.sink.congestion);
    });
    bus.on("done", ({ head }) => this.#end(Number(head["id"])));
  }

  get node(): string {
    return this.#bus.node;
  }

  /** Answers that others wait for here, and that are waited for. */
  get inFlight(): number {
    return this.#outgoing.size + this.#incoming.size;
  }

  async pass(node: string, request: HttpRequest, body: Uint8Array, who: Principal): Promise<HttpReply | undefined> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve } = Promise.withResolvers<HttpReply>();
    this.#outgoing.set(id, { node, answer: resolve, sink: undefined, early: [], isEnded: false, isHeld: false });
    request.whenGone(() => this.#leave(id));
    const { method, path, query, isNear, headers } = request;
    const kept = [...headers].filter(([name]) => !own.has(name));
    const head = { id, method, path, query, isNear, headers: kept, who: principalText(who) };
    if (await this.#bus.tell(node, "relay", head, body)) return await promise;
    this.#outgoing.delete(id);
    return undefined;
  }

  close(): void {
    this.#stopLooking();
    for (const id of [...this.#outgoing.keys()]) this.#fail(id);
  }

  #leave(id: number): void {
    const outgoing = this.#outgoing.get(id);
    if (!outgoing) return;
    this.#outgoing.delete(id);
    void this.#bus.tell(outgoing.node, "gone", { id });
    // Nobody reads it, but who waits for it holds something meanwhile.
    outgoing.answer(emptyReply(499));
  }

  #answered({ head, body }: Message): void {
    const id = Number(head["id"]);
    const outgoing = this.#outgoing.get(id);
    if (!outgoing) return;
    const status = Number(head["status"]);
    const headers: Headers = Object.fromEntries(
      Object.entries(asRecord(head["headers"])).map(([name, value]) => [name, String(value)]),
    );
    if (head["isStream"] !== true) {
      this.#outgoing.delete(id);
      return outgoing.answer({ status, headers, body: head["isEmpty"] === true ? undefined : body });
    }
    const open = (sink: EventSink): Leave => {
      outgoing.sink = sink;
      for (const frame of outgoing.early.splice(0)) sink.write(frame);
      if (outgoing.isEnded) sink.end();
      return () => this.#leave(id);
    };
    outgoing.answer({ status, headers, body: { open, drop: () => this.#leave(id) } });
  }

  #end(id: number): void {
    const outgoing = this.#outgoing.get(id);
    if (!outgoing) return;
    this.#outgoing.delete(id);
    outgoing.isEnded = true;
    outgoing.sink?.end();
  }

  /** Tells the process that sends a stream whether its client takes more. */
  #holdUp(id: number, outgoing: Outgoing, congestion: Promise<void> | undefined): void {
    if (!congestion) return;
    // Again with each piece: it does not wait for long.
    void this.#bus.tell(outgoing.node, "full", { id });
    if (outgoing.isHeld) return;
    outgoing.isHeld = true;
    void congestion.then(() => {
      outgoing.isHeld = false;
      void this.#bus.tell(outgoing.node, "ready", { id });
    });
  }

  #look(): void {
    // Messages get lost, and processes with them: who sends a stream goes on, and is told once more where it is too early.
    for (const request of this.#incoming.values()) request.release();
    const nodes = new Set([...this.#outgoing.values()].map(({ node }) => node));
    for (const node of nodes) {
      void this.#bus.tell(node, "there", {}).then((isThere) => {
        if (isThere) return;
        for (const [id, outgoing] of [...this.#outgoing]) if (outgoing.node === node) this.#fail(id);
      });
    }
  }

  #fail(id: number): void {
    const outgoing = this.#outgoing.get(id);
    const error = new GatewayError("lost", "the process of the gateway that had the call is gone");
    outgoing?.answer(errorReply(error, undefined));
    this.#end(id);
  }

  async #serve(message: Message): Promise<void> {
    const { from, head, body } = message;
    const { id } = head;
    const request = new RelayedRequest(head, body);
    const key = keyOf(message);
    this.#incoming.set(key, request);
    const reply = await this.#receive(request, request.path, request.who);
    const { status, headers } = reply;
    if (!isEvents(reply.body)) {
      this.#incoming.delete(key);
      const isEmpty = reply.body === undefined;
      void this.#bus.tell(from, "relayed", { id, status, headers, isEmpty }, reply.body);
      return;
    }
    void this.#bus.tell(from, "relayed", { id, status, headers, isStream: true });
    const sink: EventSink = {
      get congestion() {
        return request.congestion;
      },
      write: (frame) => void this.#bus.tell(from, "piece", { id }, frame),
      end: () => {
        this.#incoming.delete(key);
        request.release();
        void this.#bus.tell(from, "done", { id });
      },
    };
    const gone = reply.body.open(sink);
    request.whenGone(() => {
      this.#incoming.delete(key);
      tellGone(gone);
    });
  }
}

/** Of a request that another process has handed over. */
function keyOf({ from, head }: Message): string {
  return `${from} ${String(head["id"])}`;
}

/** A request that another process has taken in. */
class RelayedRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly who: Principal;
  readonly isRelayed = true;
  readonly isNear: boolean;
  readonly head: object = {};
  readonly #body: Uint8Array;
  #gone: Leave | undefined;
  #isLost = false;
  #hold: PromiseWithResolvers<void> | undefined;

  constructor(head: Message["head"], body: Uint8Array) {
    this.method = String(head["method"]);
    this.path = String(head["path"]);
    this.query = String(head["query"]);
    this.isNear = head["isNear"] === true;
    const headers: unknown = head["headers"];
    this.headers = new Map(
      (Array.isArray(headers) ? headers : []).map((pair: unknown) => {
        const [name, value] = Array.isArray(pair) ? pair.map(String) : [];
        return [name ?? "", value ?? ""];
      }),
    );
    this.who = readPrincipal(head["who"]);
    this.#body = body;
  }

  header(name: string): string | undefined {
    return this.headers.get(name);
  }

  /** Its size was looked at where it came in. */
  body(): Uint8Array {
    return this.#body;
  }

  whenGone(listener: Leave): void {
    this.#gone = listener;
    if (this.#isLost) tellGone(listener);
  }

  /** Of its client, as the other process sees it. */
  get congestion(): Promise<void> | undefined {
    return this.#hold?.promise;
  }

  hold(): void {
    this.#hold ??= Promise.withResolvers();
  }

  release(): void {
    this.#hold?.resolve();
    this.#hold = undefined;
  }

  lose(): void {
    this.#isLost = true;
    this.release();
    tellGone(this.#gone);
  }
}
